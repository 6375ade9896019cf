from dataclasses import replace

import numpy as np
import pytest

from study.clustering.angular import Angular
from study.clustering.embedding import unit_embedding
from study.clustering.seeds import find_peaks, region_seeds


def find_seeds(distance, embedding, settings):
    if settings.seeds == "peaks":
        return find_peaks(distance, embedding, settings, settings.seed_min_distance)
    return region_seeds(distance, embedding, settings)


PEAKS = Angular(seeds="peaks", seed_smoothing=0, seed_threshold=0.5, seed_min_distance=1)
REGIONS = replace(PEAKS, seeds="regions")


def plane(distance):
    """An embedding whose direction tells each pixel."""
    rows, columns = np.indices(np.shape(distance))
    return unit_embedding(np.stack([np.ones_like(rows), rows, columns], axis=-1))


def found(distance, settings, embedding=None):
    distance = np.array(distance, np.float32)
    return find_seeds(distance, plane(distance) if embedding is None else embedding, settings)


def test_peaks_are_maxima_above_the_threshold():
    distance = [
        [0, 0, 0, 0, 0, 0],
        [0, 8, 5, 0, 6, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 4, 0, 0, 0, 7],
    ]
    seeds = found(distance, PEAKS)
    assert seeds.pixels.tolist() == [[1, 1], [1, 4], [3, 5]]
    np.testing.assert_array_equal(seeds.directions, plane(distance)[[1, 1, 3], [1, 4, 5]])
    assert found(distance, replace(PEAKS, seed_threshold=0.8)).pixels.tolist() == [[1, 1], [3, 5]]
    assert found(distance, replace(PEAKS, seed_threshold=0)).pixels.tolist() == [[1, 1], [1, 4], [3, 1], [3, 5]]


def test_peaks_at_the_border_are_kept():
    distance = [[9, 0, 0, 8], [0, 0, 0, 0], [0, 0, 0, 0], [7, 0, 0, 6]]
    assert found(distance, PEAKS).pixels.tolist() == [[0, 0], [0, 3], [3, 0], [3, 3]]


@pytest.mark.parametrize(("spacing", "columns"), [(1, [0, 2, 5]), (2, [2, 5]), (3, [5]), (50, [5])])
def test_min_distance(spacing, columns):
    seeds = found([[7, 0, 8, 0, 0, 9]], replace(PEAKS, seed_min_distance=spacing))
    assert seeds.pixels[:, 1].tolist() == columns


def test_a_plateau_is_one_seed():
    assert found(np.ones((4, 5)), PEAKS).pixels.tolist() == [[0, 0]]
    assert found([[0, 1, 1, 0], [1, 0, 0, 0]], PEAKS).pixels.tolist() == [[0, 1]]


def test_smoothing_removes_small_maxima():
    distance = np.zeros((15, 31), np.float32)
    distance[7, 7], distance[7, 9], distance[7, 23] = 1, 0.95, 1
    assert len(found(distance, PEAKS).pixels) == 3
    assert len(found(distance, replace(PEAKS, seed_smoothing=2)).pixels) == 2


def test_regions_have_the_direction_of_their_mean():
    distance = [[9, 9, 0, 0], [8, 0, 0, 7], [0, 0, 0, 0]]
    embedding = np.zeros((3, 4, 2), np.float32)
    embedding[..., 0] = 1
    embedding[0, 0], embedding[0, 1], embedding[1, 0] = [1, 0], [0.8, 0.6], [0, 1]
    seeds = found(distance, REGIONS, embedding)
    assert seeds.pixels.tolist() == [[0, 1], [1, 3]]  # the middle one of the three directions
    np.testing.assert_allclose(seeds.directions, [np.array([1.8, 1.6]) / np.hypot(1.8, 1.6), [1, 0]], rtol=1e-6)


def test_regions_connect_over_edges():
    assert len(found([[1, 0], [0, 1]], REGIONS).pixels) == 2


@pytest.mark.parametrize("settings", [PEAKS, REGIONS])
def test_no_direction_no_seed(settings):
    distance = [[9, 0, 0, 0, 8]]
    embedding = plane(distance)
    embedding[0, 0] = np.nan
    seeds = found(distance, settings, embedding)
    assert seeds.pixels.tolist() == [[0, 4]]
    assert np.isfinite(seeds.directions).all()


def test_regions_leave_pixels_without_direction_out():
    embedding = plane([[1, 1, 1]])
    embedding[0, 0] = np.nan
    seeds = found([[1, 1, 1]], REGIONS, embedding)
    assert seeds.pixels.tolist() in ([[0, 1]], [[0, 2]])
    np.testing.assert_allclose(seeds.directions[0], unit_embedding(embedding[0, 1] + embedding[0, 2]), rtol=1e-6)


@pytest.mark.parametrize("settings", [PEAKS, REGIONS, replace(PEAKS, seed_threshold=0, seed_smoothing=1)])
@pytest.mark.parametrize("value", [0, 1e-7])
def test_a_flat_map_has_no_seeds(settings, value):
    seeds = found(np.full((5, 6), value), settings)
    assert seeds.pixels.shape == (0, 2)
    assert seeds.directions.shape == (0, 3)


@pytest.mark.parametrize("settings", [PEAKS, REGIONS])
def test_scale_of_the_map_does_not_matter(random_maps, settings):
    distance, embedding = random_maps(0, (20, 25), 3)
    seeds, scaled = find_seeds(distance, embedding, settings), find_seeds(8 * distance, embedding, settings)
    assert len(seeds.pixels) > 1
    assert seeds.pixels.tolist() == scaled.pixels.tolist()
