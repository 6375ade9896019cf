import numpy as np
import pandas as pd
import pytest

from study.config import Clustering
from study.data.batches import NetworkImage, resize_labels
from study.data.targets import distance_map
from study.evaluation import evaluate, means
from study.inference import ImageMaps
from study.metrics import scores

SETTINGS = Clustering(foreground="none", min_size=5)
DIRECTIONS = np.eye(4, dtype=np.float16)


def example(name, scale=1):
    """Maps that hold the truth, and an image whose original size is `scale` times theirs."""
    labels = np.zeros((20, 24), np.int32)
    labels[2:10, 2:10], labels[2:10, 10:20], labels[12:19, 5:20] = 1, 2, 3
    original = resize_labels(labels, (20 * scale, 24 * scale))
    image = NetworkImage(name, np.zeros((20, 24, 1), np.float16), labels, original)
    return ImageMaps(distance_map(labels).astype(np.float16), DIRECTIONS[labels]), image


@pytest.mark.parametrize("threads", [1, 3])
def test_perfect_maps_have_perfect_scores(threads):
    maps, images = zip(*(example(f"i{i}", scale) for i, scale in enumerate((1, 2, 1, 3))), strict=True)
    table, labels = evaluate(maps, images, SETTINGS, threads)
    assert list(table["image"]) == ["i0", "i1", "i2", "i3"]
    assert [found.shape for found in labels] == [image.original.shape for image in images]
    for score in ("sbd", "sbd_legacy", "fbd", "map"):
        assert (table[score] == 1).all()
    assert (table[["dic", "abs_dic"]] == 0).all(axis=None)


def test_a_row_holds_every_score_of_the_labels_beside_it():
    (maps, image), (_, other) = example("a"), example("b")
    worse = ImageMaps(maps.distance, np.roll(maps.embedding, 2, axis=1))
    table, labels = evaluate([maps, worse], [image, other], SETTINGS)
    assert list(table.columns) == ["image", *scores(image.original, labels[0])]
    assert dict(table.iloc[1].drop("image")) == scores(other.original, labels[1])
    assert table["sbd"][0] > table["sbd"][1] > 0


def test_means():
    table = pd.DataFrame({"image": ["a", "b"], "sbd": [0.25, 0.75], "dic": [-1.0, 2.0]})
    assert means(table) == {"sbd": 0.5, "dic": 0.5}


def test_no_images():
    table, labels = evaluate([], [], SETTINGS)
    assert table.empty
    assert labels == []
    assert means(table) == {}


def test_as_many_maps_as_images():
    with pytest.raises(ValueError, match="longer"):
        evaluate([], [example("a")[1]], SETTINGS)
