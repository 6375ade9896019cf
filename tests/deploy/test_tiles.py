import tempfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from study.clustering.affinity_watershed import AffinityWatershed
from study.clustering.angular import Angular
from study.clustering.components import Components
from study.clustering.growing import Growing
from study.clustering.mutex_watershed import MutexWatershed
from study.config import fields_of
from study.data.targets import distance_map
from study.deploy.tiles import label_in_tiles
from study.errors import StudyError
from study.maps import ImageMaps
from study.metrics.contingency import Contingency
from tests.clustering.arrays import segment
from tests.maps import image_maps

METHODS = {
    "angular": Angular(),
    "angular of regions": Angular(seeds="regions"),
    "growing": Growing(),
    "mutex-watershed": MutexWatershed(),
    "affinity-watershed": AffinityWatershed(ranges="1+2+3+5"),
    "components": Components(threshold=0.3),
}
SMALL: dict[str, Any] = {"multiple": 16, "tile": 64, "halo": 16, "overlap": 24}


def settings(method, foreground="none", **changes):
    """Settings of a method with those of the changes that it has."""
    own = {name: value for name, value in changes.items() if name in fields_of(type(METHODS[method]))}
    return replace(METHODS[method], foreground=foreground, **own)


def maps_of(labels, colours):
    return image_maps(distance_map(labels).astype(np.float16), np.eye(8, dtype=np.float16)[np.asarray(colours)[labels]])


def image_of(maps):
    """An image whose pixels carry their maps."""
    return np.concatenate([maps.objectness[..., None], maps.embedding], axis=2)


def predict(pixels):
    """The network that finds them again."""
    return image_maps(pixels[..., 0], pixels[..., 1:])


def in_one_piece(maps, settings, foreground=None):
    return segment(maps.objectness.astype(np.float32), maps.embedding.astype(np.float32), settings, foreground)


def in_tiles(maps, settings, foreground=None, **more):
    return label_in_tiles(image_of(maps), predict, settings, foreground=foreground, **{**SMALL, **more})


def discs(shape, seed=0, side=14):
    """Discs of 10 to 14 px, one in each cell of a grid that cuts many of them, and a colour for each id."""
    rng = np.random.default_rng(seed)
    grid = [size // side + 1 for size in shape]
    rows, columns = np.indices(shape)
    cell = (rows // side, columns // side)
    (top, left), radius = rng.uniform(4, 10, (2, *grid)), rng.uniform(5, 7, grid)
    inside = np.hypot(rows % side - top[cell], columns % side - left[cell]) < radius[cell]
    labels = np.where(inside, 1 + cell[0] * grid[1] + cell[1], 0).astype(np.int32)
    row, column = np.indices(grid).reshape(2, -1)
    return labels, np.append(0, 1 + (2 * row + column) % 5)  # neighbours over edges and corners differ


@pytest.fixture(scope="module")
def disc_maps():
    return maps_of(*discs((200, 230)))


@pytest.mark.parametrize("foreground", ["none", "predicted"])
@pytest.mark.parametrize("method", METHODS)
def test_many_small_objects(disc_maps, method, foreground, assert_same_objects):
    expected = in_one_piece(disc_maps, settings(method, foreground))
    assert expected.max() > 150
    assert_same_objects(in_tiles(disc_maps, settings(method, foreground)), expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(65, 64), (97, 33), (16, 129), (1, 150), (150, 2)])
def test_sides_of_any_length(method, shape, assert_same_objects):
    maps = maps_of(*discs(shape, seed=1))
    asked = settings(method, min_size=0, ranges="1+2", fragment_size=0)
    expected = in_one_piece(maps, asked)
    assert expected.any()
    assert_same_objects(in_tiles(maps, asked), expected)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("turned", [False, True])
def test_objects_longer_than_a_tile(method, turned, assert_same_objects):
    labels = np.zeros((200, 230), np.int32)
    labels[20:28, 3:227] = 1  # a bar through all tiles
    labels[40:190, 10:20], labels[180:190, 10:120], labels[40:190, 110:120] = 2, 2, 2  # a U
    labels[45:175, 30:100], labels[55:165, 40:90] = 3, 0  # a ring
    labels[70:80, 124:228], labels[80:90, 124:228] = 4, 5  # two that touch all along
    labels[100:190, 130:140] = 6
    labels[np.abs(np.subtract(*np.indices(labels.shape)) + 35) < 6] = 7  # a diagonal across others
    maps = maps_of(labels.T if turned else labels, np.arange(8))
    assert_same_objects(in_tiles(maps, settings(method)), in_one_piece(maps, settings(method)))


@pytest.mark.parametrize("method", METHODS)
def test_an_image_smaller_than_a_tile_is_clustered_as_it_is(method):
    maps = maps_of(*discs((50, 60)))
    np.testing.assert_array_equal(in_tiles(maps, settings(method)), in_one_piece(maps, settings(method)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("distance", [0, 1e-7, np.nan])
def test_nothing_but_background(method, distance):
    maps = image_maps(np.full((70, 80), distance, np.float16), np.ones((70, 80, 3), np.float16))
    found = in_tiles(maps, settings(method))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.zeros((70, 80)))


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_an_image_without_pixels(shape):
    found = label_in_tiles(np.zeros((*shape, 1), np.float16), predict, Angular(), **SMALL)
    assert (found.shape, found.dtype) == (shape, np.int32)


@pytest.mark.parametrize("method", METHODS)
def test_a_mask(disc_maps, method, assert_same_objects):
    """It is applied after the removal of small objects, or before the clustering, as the method has it."""
    mask = np.random.default_rng(0).random(disc_maps.objectness.shape) < 0.98
    mask[:, 90:120] = False
    asked = settings(method, "truth", min_size=60)
    expected = in_one_piece(disc_maps, asked, mask)
    assert (expected[:, :90].max(), expected[:, 120:].max()) > (10, 10)
    assert_same_objects(in_tiles(disc_maps, asked, mask), expected)
    assert not in_tiles(disc_maps, asked, np.zeros_like(mask)).any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["seed_threshold", "min_distance", "foreground_threshold"])
def test_thresholds_are_relative_to_the_maximum_of_the_image(method, name, assert_same_objects):
    maps = maps_of(*discs((200, 230)))
    weight = np.linspace(1, 0.1, 230, dtype=np.float16)  # objects at the right are faint
    maps = image_maps(maps.objectness * weight, maps.embedding)
    asked, lax = (settings(method, "predicted", threshold=0.02, **{name: value}) for value in (0.3, 0))
    expected = in_one_piece(maps, asked)
    assert_same_objects(in_tiles(maps, asked), expected)
    has_it = name != "seed_threshold" or "angular" in method or method == "growing"
    assert np.array_equal(expected, in_one_piece(maps, lax)) != has_it


@pytest.mark.parametrize("smoothing", [0, 1, 6])
def test_the_smoothing_of_seeds_does_not_end_at_tiles(disc_maps, smoothing, assert_same_objects):
    asked = settings("angular", seed_smoothing=smoothing, seed_threshold=0.5)
    assert_same_objects(in_tiles(disc_maps, asked, overlap=64), in_one_piece(disc_maps, asked))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("min_size", "kept"), [(64, 3), (65, 2), (97, 1)])
def test_small_objects_are_measured_as_a_whole(method, min_size, kept, assert_same_objects):
    """Objects of 64, 96 and 160 px, of which no tile has more than half."""
    labels = np.zeros((128, 128), np.int32)
    labels[60:68, 20:28], labels[100:112, 60:68], labels[54:74, 60:68] = 1, 2, 3
    maps = maps_of(labels, np.arange(4))
    asked = settings(method, min_size=min_size, seed_smoothing=0, threshold=0.01)
    found = in_tiles(maps, asked)
    assert found.max() == kept
    assert_same_objects(found, in_one_piece(maps, asked))


@pytest.mark.parametrize("method", METHODS)
def test_noisy_maps(method):
    """Nearly all objects agree with those of the image in one piece, at seams too."""
    rng = np.random.default_rng(0)
    labels, colours = discs((300, 320), side=20)
    maps = maps_of(labels, colours)
    noise = ndimage.gaussian_filter(rng.normal(size=(*labels.shape, 9)), (1.5, 1.5, 0))
    noise /= noise.std()
    distance = np.maximum(maps.objectness + 0.1 * noise[..., 0], 0).astype(np.float16)
    maps = image_maps(distance, (maps.embedding + 0.15 * noise[..., 1:]).astype(np.float16))
    asked = settings(method, "predicted")
    table = Contingency.of(in_one_piece(maps, asked), in_tiles(maps, asked, overlap=48))
    assert table.true_area.size > 150
    assert (table.iou > 0.9).sum() >= 0.99 * max(table.true_area.size, table.pred_area.size)


@pytest.mark.parametrize("stride", [1, 5, 7])
def test_repulsive_pairs_are_those_of_the_image(disc_maps, stride, assert_same_objects):
    for method in ("mutex-watershed", "affinity-watershed"):
        asked = settings(method, "predicted", stride=stride)
        assert_same_objects(in_tiles(disc_maps, asked), in_one_piece(disc_maps, asked))


def test_parts_that_the_network_sees(disc_maps):
    shapes = []

    def watched(pixels):
        shapes.append(pixels.shape)
        return predict(pixels)

    label_in_tiles(image_of(disc_maps), watched, settings("components"), **{**SMALL, "halo": 20})
    assert len(shapes) == 4 * 4
    assert shapes[0] == (64 + 32, 64 + 32, 9)
    assert shapes[5] == (64 + 2 * 32, 64 + 2 * 32, 9)
    assert shapes[-1] == (200 - 3 * 64 + 32, 230 - 3 * 64 + 32, 9)


def test_no_embedding(disc_maps):
    pixels = image_of(disc_maps)
    found = label_in_tiles(pixels, lambda part: ImageMaps({"distance": part[..., 0]}), settings("components"), **SMALL)
    np.testing.assert_array_equal(found, in_tiles(disc_maps, settings("components")))


def test_no_file_is_left(disc_maps, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    calls = []

    def breaking(pixels):
        calls.append(list(tmp_path.iterdir()))
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return predict(pixels)

    with pytest.raises(RuntimeError, match="out of memory"):
        label_in_tiles(image_of(disc_maps), breaking, settings("components"), **SMALL)
    assert list(tmp_path.iterdir()) == []
    assert in_tiles(disc_maps, settings("components")).any()
    assert list(tmp_path.iterdir()) == []


def test_a_missing_temporary_folder_is_told(disc_maps, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with pytest.raises(StudyError, match=r"missing: No such file or directory.*TMPDIR"):
        in_tiles(disc_maps, settings("components"))


def refused(pixels):
    raise AssertionError("the network is asked in vain")


def test_refuses_settings_before_the_network_runs():
    pixels = np.zeros((8, 8, 1), np.float16)
    with pytest.raises(StudyError, match="choose predicted or none"):
        label_in_tiles(pixels, refused, Angular(foreground="truth"), **SMALL)
    with pytest.raises(ValueError, match=r"\(8, 9\)"):
        label_in_tiles(pixels, refused, Angular(), foreground=np.ones((8, 9), bool), **SMALL)
