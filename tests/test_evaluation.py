import numpy as np
import pandas as pd
import pytest

from study.clustering.angular import Angular
from study.clustering.components_watershed import ComponentsWatershed
from study.data.batches import NetworkImage, resize_labels
from study.data.targets import distance_map
from study.evaluation import evaluate, in_words, means, scores_of_volume
from study.maps import ImageMaps
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


@pytest.mark.parametrize("keep", [0, 1, 3, 9])
def test_labels_are_kept_of_as_many_images_as_are_wanted(keep):
    maps, images = zip(*(example(f"i{i}") for i in range(3)), strict=True)
    whole = evaluate(maps, images, SETTINGS, reference=SETTINGS)
    found = evaluate(maps, images, SETTINGS, threads=2, reference=SETTINGS, keep=keep)
    pd.testing.assert_frame_equal(found.table, whole.table)
    assert len(found.labels) == min(keep, 3)
    for one, other in zip(found.labels, whole.labels, strict=False):
        np.testing.assert_array_equal(one, other)


OF_EMBEDDING = ("neighbour_angle", "distinct_axes")


def test_a_row_holds_every_score_of_the_labels_beside_it():
    (maps, image), (_, other) = example("a"), example("b")
    worse = image_maps(maps.objectness, np.roll(maps.embedding, 2, axis=1))
    found = evaluate([maps, worse], [image, other], SETTINGS)
    assert list(found.table.columns) == ["image", *scores(image.original, found.labels[0]), *OF_EMBEDDING]
    assert dict(found.table.iloc[1].drop(["image", *OF_EMBEDDING])) == scores(other.original, found.labels[1])
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


def quarters():
    """A volume of three planes, five rows and four columns, with an id for each quarter."""
    true = np.empty((3, 5, 4), np.int32)
    true[:, :3, :2], true[:, :3, 2:], true[:, 3:, :2], true[:, 3:, 2:] = 1, 2, 3, 4
    return true


def test_quarters_of_a_volume_are_scored_alone():
    true, labels = quarters(), quarters()
    labels[:, :3, 2:] = [[[5, 6]], [[5, 6]], [[5, 6]]]  # an object cut in two halves: a bit is lost
    labels[:, 3:, 2:] = 3  # merged with its neighbour, which no quarter sees
    found = dict(scores_of_volume("v", true, labels))
    assert list(found) == [
        "v, rows 0-2, columns 0-1",
        "v, rows 0-2, columns 2-3",
        "v, rows 3-4, columns 0-1",
        "v, rows 3-4, columns 2-3",
    ]
    errors = [[values[key] for key in ("voi_split", "voi_merge", "voi")] for values in found.values()]
    np.testing.assert_allclose(errors, [[0, 0, 0], [1, 0, 1], [0, 0, 0], [0, 0, 0]], atol=1e-12)
    split = found["v, rows 0-2, columns 2-3"]
    assert split["arand"] == pytest.approx(1 - 2 * 0.5 / (1 + 0.5), abs=0.05)
    assert [values["arand"] for values in found.values()] == [0, split["arand"], 0, 0]
    for (name, values), block in zip(found.items(), (np.s_[:, :3, :2], np.s_[:, :3, 2:]), strict=False):
        assert values == scores(true[block], labels[block], "volumes"), name


def test_quarters_without_a_label_are_left_out_and_unlabelled_voxels_do_not_count():
    true, labels = quarters(), quarters()
    true[:, 3:], true[:, 0, :2] = 0, 0
    labels[:, 0, :2], labels[:, 3:] = [8, 9], 7
    found = scores_of_volume("v", true, labels)
    assert [name for name, _ in found] == ["v, rows 0-2, columns 0-1", "v, rows 0-2, columns 2-3"]
    assert all(values["arand"] == 0 and values["voi"] == pytest.approx(0, abs=1e-12) for _, values in found)
    assert scores_of_volume("v", np.zeros_like(true), labels) == []


def test_a_volume_of_one_row_has_two_quarters():
    true = np.ones((2, 1, 3), np.int32)
    assert [name for name, _ in scores_of_volume("v", true, true)] == [
        "v, rows 0-0, columns 0-1",
        "v, rows 0-0, columns 2-2",
    ]


def test_the_table_of_volumes_has_a_row_for_each_quarter():
    true = quarters()
    near = np.zeros(true.shape, np.float16)
    near[:, [0, 1, 3, 4]] = 0.9
    near[:, :, 2] = 0.1
    volume = NetworkImage("v", np.zeros((*true.shape, 1), np.float16), true, true)
    maps = ImageMaps({"near_affinity": near, "affinities": np.ones((*true.shape, 3), np.float16)})
    settings = ComponentsWatershed(foreground="none", min_size=0, min_distance=0.0)
    found = evaluate([maps], [volume], settings, reference=settings)
    assert found.table["image"].tolist() == [name for name, _ in scores_of_volume("v", true, found.labels[0])]
    assert {"arand", "voi", "voi_split", "voi_merge", "arand_paper_thresholds"} <= set(found.table)
    assert not {"sbd", "neighbour_angle"} & set(found.table)
    assert (found.labels[0].shape, found.labels[0].dtype) == (true.shape, np.int32)
    assert means(found.table)["arand"] == pytest.approx(found.table["arand"].mean())
    assert in_words(found.table, "test").startswith("4 test sub-volumes: ")
