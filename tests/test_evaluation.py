import numpy as np
import pandas as pd
import pytest

from study.clustering.angular import Angular
from study.data.batches import NetworkImage, resize_labels
from study.data.targets import distance_map
from study.evaluation import evaluate, in_words, means
from study.metrics import scores
from tests.maps import image_maps

SETTINGS = Angular(foreground="none", min_size=5)
DIRECTIONS = np.eye(4, dtype=np.float16)


def example(name, scale=1):
    """Maps that hold the truth, and an image whose original size is `scale` times theirs."""
    labels = np.zeros((20, 24), np.int32)
    labels[2:10, 2:10], labels[2:10, 10:20], labels[12:19, 5:20] = 1, 2, 3
    original = resize_labels(labels, (20 * scale, 24 * scale))
    image = NetworkImage(name, np.zeros((20, 24, 1), np.float16), labels, original)
    return image_maps(distance_map(labels).astype(np.float16), DIRECTIONS[labels]), image


@pytest.mark.parametrize("threads", [1, 3])
def test_perfect_maps_have_perfect_scores(threads):
    maps, images = zip(*(example(f"i{i}", scale) for i, scale in enumerate((1, 2, 1, 3))), strict=True)
    found = evaluate(maps, images, SETTINGS, threads)
    assert list(found.table["image"]) == ["i0", "i1", "i2", "i3"]
    assert [labels.shape for labels in found.labels] == [image.original.shape for image in images]
    for score in ("sbd", "sbd_legacy", "fbd", "map"):
        assert (found.table[score] == 1).all()
    assert (found.table[["dic", "abs_dic"]] == 0).all(axis=None)
    np.testing.assert_allclose(found.table["neighbour_angle"], 90)


def test_a_row_holds_every_score_of_the_labels_beside_it():
    (maps, image), (_, other) = example("a"), example("b")
    worse = image_maps(maps.objectness, np.roll(maps.embedding, 2, axis=1))
    found = evaluate([maps, worse], [image, other], SETTINGS)
    assert list(found.table.columns) == ["image", *scores(image.original, found.labels[0]), "neighbour_angle"]
    assert dict(found.table.iloc[1].drop(["image", "neighbour_angle"])) == scores(other.original, found.labels[1])
    assert found.table["sbd"][0] > found.table["sbd"][1] > 0
    assert found.table["neighbour_angle"][0] > found.table["neighbour_angle"][1] > 0


def test_the_angle_is_that_of_true_objects_at_the_networks_scale():
    """Whatever the clustering makes of the maps."""
    maps, image = example("a", scale=2)
    flat = image_maps(np.zeros_like(maps.objectness), maps.embedding)
    found = evaluate([flat], [image], SETTINGS)
    assert not found.labels[0].any()
    assert found.table["neighbour_angle"][0] == pytest.approx(90)


def test_means():
    table = pd.DataFrame({"image": ["a", "b"], "sbd": [0.25, 0.75], "dic": [-1.0, 2.0]})
    assert means(table) == {"sbd": 0.5, "dic": 0.5}


def test_means_pass_over_images_without_a_score():
    table = pd.DataFrame({"image": ["a", "b"], "neighbour_angle": [np.nan, 80.0], "sbd": [np.nan, np.nan]})
    assert means(table) == {"neighbour_angle": 80.0}


def test_scores_in_words():
    table = pd.DataFrame({"image": ["a", "b"], "sbd": [0.25, 0.75], "map": [0.0, 1.0], "abs_dic": [1.0, 2.0]})
    assert in_words(table, "val") == "2 val images: SBD 0.500, |DiC| 1.50, mAP 0.500"


def test_no_images():
    found = evaluate([], [], SETTINGS)
    assert found.table.empty
    assert found.labels == []
    assert means(found.table) == {}


def test_as_many_maps_as_images():
    with pytest.raises(ValueError, match="longer"):
        evaluate([], [example("a")[1]], SETTINGS)
