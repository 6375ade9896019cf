import numpy as np
import pandas as pd
import pytest

from reports.blocks.gallery import (
    Pictured,
    chosen_images,
    common_images,
    data_of,
    label_tile,
    mistake_table,
    truth_tile,
)
from study.figures import label_picture
from study.runs.gallery import GalleryImage
from study.runs.job import Result

TRUTH = np.array([[1, 1, 0, 2, 2, 3]])
MERGED = np.array([[7, 7, 0, 7, 7, 0]])  # 1 and 2 are one, and 3 is missed


def image(name, labels, truth=TRUTH):
    return GalleryImage(name, truth, labels, np.zeros((*truth.shape, 3), np.uint8))


def run(title, scores, **images):
    table = pd.DataFrame({"image": list(scores), "sbd": list(scores.values())})
    kept = {name: image(name, labels) for name, labels in images.items()}
    return Pictured(title, Result({}, 4, table, []), f"id of {title}", kept)


U = run("U-Net", {"a": 0.25, "b": 1.0}, a=MERGED, b=TRUTH)
W = run("W-Net", {"a": 1.0, "b": 0.5, "c": 0.0}, b=MERGED, a=TRUTH, c=TRUTH)


def test_images_that_all_runs_keep_in_their_order():
    assert common_images([U, W]) == ["a", "b"]
    assert common_images([W, U]) == ["b", "a"]
    assert common_images([]) == []


def test_the_worst_images_are_chosen():
    names = common_images([U, W])
    assert chosen_images(names, 1, U.score) == ["a"]
    assert chosen_images(names, 2, W.score) == ["b", "a"]
    assert chosen_images(names, 2, lambda _: 0) == names


def test_scores_of_images():
    assert U.score("b") == 1.0
    assert np.isnan([U.score("c"), U.score("a", "aji")]).all()


def test_what_a_figure_of_images_shows():
    data = data_of([U, W], ["a", "c"])
    assert data[["image", "variant", "sbd"]].to_numpy().tolist() == [
        ["a", "U-Net", 0.25],
        ["a", "W-Net", 1.0],
        ["c", "W-Net", 0.0],
    ]
    assert data[["objects", "merged", "split", "missed"]].to_numpy().tolist() == [
        [3, 2, 0, 1],
        [3, 0, 0, 0],
        [3, 0, 0, 0],
    ]
    assert (data["seed"] == 4).all()
    assert data["run_id"].tolist() == ["id of U-Net", "id of W-Net", "id of W-Net"]


@pytest.mark.parametrize(
    ("marked", "wanted"),
    [
        ((), []),
        (("merged", "missed"), [("merged", [0, 1]), ("merged", [3, 4]), ("missed", [5])]),
        (("split", "missed"), [("missed", [5])]),
    ],
)
def test_true_objects_with_mistakes_are_outlined(marked, wanted):
    tile = label_tile(image("a", MERGED), marked)
    assert [(kind, np.flatnonzero(mask[0]).tolist()) for kind, mask in tile.outlines] == wanted
    # in the colour of the first of the two true objects
    np.testing.assert_array_equal(tile.picture, label_picture(np.array([[1, 1, 0, 1, 1, 0]])))
    np.testing.assert_array_equal(truth_tile(image("a", MERGED)).picture, label_picture(TRUTH))


def test_mistakes_are_counted_over_the_common_images(tables_of):
    block, sums = mistake_table([U, W], "Leaves.")
    assert sums.to_dict("list") == {
        "variant": ["U-Net", "W-Net"],
        "objects": [6, 6],
        "merged": [2, 2],
        "split": [0, 0],
        "missed": [1, 1],
    }
    assert tables_of(block.html) == [[["U-Net", "W-Net"], ["6", "6"], ["2", "2"], ["0", "0"], ["1", "1"]]]
    assert "Mistakes in all 2 test images" in block.html
