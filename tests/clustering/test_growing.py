from math import cos, radians

import numpy as np
import pytest

from study.clustering.embedding import unit_embedding
from study.clustering.growing import Growing
from study.clustering.seeds import region_directions, seed_regions
from tests.clustering.arrays import cluster, segment

PLAIN = Growing(foreground="none", seed_smoothing=0, min_size=0, min_distance=0)


def grown(distance, embedding, **settings):
    embedding = unit_embedding(embedding)
    settings = Growing(**{"seed_smoothing": 0.0, **settings})
    return cluster(distance, embedding, settings, np.ones(distance.shape, bool))


def pixel_by_pixel(distance, embedding, angle, overwrite):
    """All pixels in every round, from the definition."""
    embedding = unit_embedding(embedding)
    labels = seed_regions(distance, Growing(seed_smoothing=0, angle=angle))
    labels[np.isnan(embedding[..., 0])] = 0
    directions, limit = region_directions(labels, embedding), cos(radians(angle))
    while True:
        new = labels.copy()
        for r, c in np.ndindex(*labels.shape):
            around = np.unique(labels[max(0, r - 1) : r + 2, max(0, c - 1) : c + 2])
            around = around[around > labels[r, c]] if overwrite else around[(around > 0) & (labels[r, c] == 0)]
            if overwrite:
                around = around[-1:]
            near = [(-(embedding[r, c] @ directions[k - 1]), k) for k in around]
            near = [pair for pair in near if -pair[0] > limit]
            if near:
                new[r, c] = min(near)[1]
        if np.array_equal(new, labels):
            return labels
        labels = new


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("overwrite", [False, True])
def test_against_the_definition(seed, overwrite):
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 14, 2)
    distance = rng.random(shape).astype(np.float32) ** 3
    coarse = rng.normal(size=(3, 3, 3))[np.ix_(*(np.arange(n) * 3 // n for n in shape))]
    embedding = coarse + rng.normal(0, 0.4, (*shape, 3))
    embedding[rng.random(shape) < 0.05] = 0  # no direction
    found = grown(distance, embedding, angle=40.0, overwrite=overwrite)
    np.testing.assert_array_equal(found, pixel_by_pixel(distance, embedding, 40.0, overwrite))
    assert found.dtype == np.int32


def rows(*values):
    """Distance map of one row, and directions in the plane, from pairs (distance, degrees)."""
    distance, degrees = np.array(values, np.float32).T
    angle = np.radians(degrees)
    return distance[None], np.stack([np.cos(angle), np.sin(angle)], axis=1)[None]


def test_a_pixel_goes_to_the_more_similar_object_of_a_round():
    maps = rows((1, 0), (0, 50), (1, 90))
    assert grown(*maps, angle=60.0).tolist() == [[1, 2, 2]]
    assert grown(*rows((1, 0), (0, 40), (1, 90)), angle=60.0).tolist() == [[1, 1, 2]]


def test_a_pixel_once_assigned_stays():
    """The third pixel is reached by the first object in the first round, by the more similar one in the second."""
    maps = rows((1, 0), (0, 30), (0, 80), (1, 80))
    early = rows((1, 0), (0, 44), (0, 10), (1, 80))
    assert grown(*maps, angle=45.0).tolist() == [[1, 1, 2, 2]]
    assert grown(*early, angle=45.0).tolist() == [[1, 1, 1, 2]]
    # offered to the second object alone, which it does not fit
    assert grown(*early, angle=45.0, overwrite=True).tolist() == [[1, 1, 0, 2]]


def test_a_later_object_takes_from_an_earlier_one_where_that_is_asked_for():
    maps = rows((1, 0), (0, 40), (0, 44), (1, 80))
    assert grown(*maps, angle=45.0).tolist() == [[1, 1, 2, 2]]
    assert grown(*maps, angle=45.0, overwrite=True).tolist() == [[1, 2, 2, 2]]


def test_objects_grow_over_corners_but_regions_do_not_join_over_them():
    distance = np.diag([1.0, 1.0, 0.0]).astype(np.float32)
    embedding = np.broadcast_to([1.0, 0.0], (3, 3, 2)).copy()
    embedding[~np.eye(3, dtype=bool)] = [0, 1]
    found = grown(distance, embedding)
    np.testing.assert_array_equal(found, np.diag([1, 2, 2]))


def test_the_mean_of_a_region_stays_as_it_was():
    """A chain that turns by 30 degrees at each pixel ends at 45 degrees from its region."""
    assert grown(*rows((1, 0), (0, 30), (0, 60), (0, 90)), angle=45.0).tolist() == [[1, 1, 0, 0]]


def test_the_limit_is_exclusive():
    """Chen et al.: the distance is smaller than the threshold."""
    maps = rows((1, 0), (0, 45), (0, 0))
    assert grown(*maps, angle=45.001).tolist() == [[1, 1, 1]]
    assert grown(*maps, angle=44.999).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (4, 3)])
def test_without_seeds_there_is_nothing(shape):
    embedding = np.ones((*shape, 2), np.float32)
    assert not segment(np.zeros(shape, np.float32), embedding, PLAIN).any()
    assert segment(np.zeros(shape, np.float32), embedding, PLAIN).shape == shape
