import numpy as np
import pandas as pd
import pytest

from study.clustering.angular import Angular
from study.data.batches import NetworkImage
from study.figures import embedding_colours
from study.maps import ImageMaps
from study.runs import gallery
from study.runs.gallery import (
    GalleryImage,
    extremes,
    extremes_of,
    gallery_image,
    gallery_of,
    images_of,
    keep,
    ranked,
    shown_of,
)
from study.tracking import connect, start_run
from tests.maps import image_maps

LABELS = np.array([[1, 1, 0, 2], [1, 1, 0, 2]], np.int32)
E1, E2, E3 = np.eye(3)


def embedding():
    """Object 1 agrees with itself, but for a pixel that is orthogonal to the others; object 2 agrees."""
    found = np.empty((2, 4, 3), np.float16)
    found[:, :2], found[:, 2], found[:, 3] = E1, E3, E2
    found[1, 1] = E2
    return found


@pytest.fixture
def run(store):
    return start_run(connect(), "run", "", {})


def test_an_image_with_what_a_network_gives_for_it():
    distance = np.array([[0, 1, 0, 2], [0, 1, 0, 2]], np.float16)
    found = gallery_image("a", np.arange(8).reshape(2, 4, 1), LABELS, 3 - LABELS, image_maps(distance, embedding()))
    assert found.picture.shape == (2, 4, 3)
    np.testing.assert_array_equal(found.distance, [[0, 127, 0, 255]] * 2)
    np.testing.assert_array_equal(found.embedding, embedding_colours(embedding()))
    np.testing.assert_array_equal(found.vectors, embedding())
    aside = round(np.degrees(np.arctan2(1, 3)))  # the mean of object 1 is in the direction of (3, 1, 0)
    np.testing.assert_array_equal(found.turn, [[aside, aside, 0, 0], [aside, 90 - aside, 0, 0]])


def test_what_a_network_does_not_give_is_missing():
    image = np.zeros((2, 4, 3))
    imported = gallery_image("a", image, LABELS, LABELS)
    assert imported.distance is imported.embedding is imported.turn is imported.vectors is None
    classes = gallery_image("a", image, LABELS, LABELS, ImageMaps({"object_share": np.ones((2, 4))}))
    assert (classes.distance == 255).all()
    assert classes.embedding is classes.turn is None
    euclidean = gallery_image(
        "a", image, LABELS, LABELS, ImageMaps({"distance": np.ones((2, 4)), "euclidean_embedding": embedding()})
    )
    assert euclidean.embedding is not None
    assert euclidean.turn is euclidean.vectors is None  # vectors of any length have no angles


def test_an_embedding_that_is_not_finite_is_drawn():
    broken = np.full((2, 4, 8), np.nan, np.float16)
    found = gallery_image("a", np.zeros((2, 4, 1)), LABELS, LABELS, image_maps(np.ones((2, 4)), broken))
    assert found.vectors is None  # of eight dimensions
    assert (found.turn[LABELS > 0] == 90).all()
    assert (found.embedding == 128).all()


def test_large_images_are_thinned_but_their_labels(monkeypatch):
    monkeypatch.setattr(gallery, "SIDE", 2)
    found = gallery_image("a", np.arange(8).reshape(2, 4, 1), LABELS, LABELS, image_maps(np.ones((2, 4)), embedding()))
    assert found.picture.shape[:2] == found.distance.shape == found.turn.shape == (1, 2)
    assert found.truth.shape == (2, 4)
    assert found.scaled(found.truth).shape == (1, 2)


def test_a_run_keeps_the_first_images(run, monkeypatch):
    monkeypatch.setattr(gallery, "IMAGES", 2)
    rng = np.random.default_rng(0)
    images = [NetworkImage(f"A1/plant{i}", rng.normal(size=(2, 4, 3)), LABELS, LABELS * (i + 1)) for i in range(3)]
    keep(run, shown_of(images, [image_maps(np.ones((2, 4)), embedding())] * 3, [LABELS[::-1]] * 3))
    first, second = gallery_of(run.run_id)
    assert (first.name, second.name) == ("A1/plant0", "A1/plant1")
    np.testing.assert_array_equal(second.truth, 2 * LABELS)
    np.testing.assert_array_equal(second.labels, LABELS[::-1])
    np.testing.assert_array_equal(second.vectors, embedding())
    assert second.vectors.dtype == np.float16


def test_kept_images_are_read_as_they_were(run):
    large = np.array([[0, 70_000]])
    wanted = [
        GalleryImage("a", large, large, np.ones((1, 2, 3), np.uint8), turn=np.ones((1, 2), np.uint8)),
        GalleryImage("b", LABELS, LABELS, np.zeros((2, 4, 3), np.uint8)),
    ]
    keep(run, wanted)
    for found, image in zip(gallery_of(run.run_id), wanted, strict=True):
        for name, value in vars(image).items():
            np.testing.assert_array_equal(getattr(found, name), value)


def test_volumes_and_runs_of_earlier_versions_keep_none(run):
    volume = np.zeros((2, 2, 4), np.int32)
    assert shown_of([NetworkImage("v", np.zeros((2, 2, 4, 1)), volume, volume)], [None], [volume]) == []
    assert gallery_of(run.run_id) == []
    run.log_arrays({"other": np.zeros(1)}, "gallery_test.npz")
    assert gallery_of(run.run_id) == []


def table_of(scores):
    return pd.DataFrame({"image": [f"i{k}" for k in range(len(scores))], "sbd": scores})


def test_images_from_the_worst_to_the_best():
    assert ranked(table_of([0.5, 0.9, np.nan, 0.1]))["image"].tolist() == ["i3", "i0", "i1"]
    errors = pd.DataFrame({"image": ["a", "b"], "arand": [0.1, 0.7]})
    assert ranked(errors)["image"].tolist() == ["b", "a"]
    assert extremes(pd.DataFrame({"image": ["a"], "other": [1.0]})) == extremes(pd.DataFrame()) == set()


def test_a_run_keeps_its_worst_and_best_images(run, monkeypatch):
    monkeypatch.setattr(gallery, "IMAGES", 1)
    monkeypatch.setattr(gallery, "EXTREMES", 1)
    table = table_of([0.1, 0.5, 0.2, 0.9, 0.3])
    images = [NetworkImage(name, np.zeros((2, 4, 1)), LABELS, k * LABELS) for k, name in enumerate(table["image"])]
    maps = [image_maps(np.ones((2, 4)), embedding())] * 5
    found = extremes_of(images, maps, table, Angular(foreground="none", seed_threshold=0.5, min_size=0))
    assert [image.name for image in found] == ["i3"]  # the worst one is among the first
    keep(run, [*shown_of(images, maps, [LABELS] * 5), *found])
    assert [image.name for image in gallery_of(run.run_id)] == ["i0"]
    assert [image.name for image in images_of(run.run_id)] == ["i0", "i3"]
    np.testing.assert_array_equal(images_of(run.run_id)[1].truth, 3 * LABELS)
    assert images_of(run.run_id)[1].labels.any()
