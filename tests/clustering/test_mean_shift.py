import numpy as np
import pytest
from sklearn.cluster import MeanShift as Library

from study.clustering.mean_shift import _means_within, _modes, _populous


def directions(dims, noise, count=3000, seed=0):
    rng = np.random.default_rng(seed)
    vectors = np.eye(dims)[rng.integers(0, dims, count)] + rng.normal(0, noise, (count, dims))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("dims", [3, 16])
@pytest.mark.parametrize("noise", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("width", [0.3, 0.5, 0.8])
def test_the_modes_are_those_of_the_library(dims, noise, width):
    points = directions(dims, noise)
    starts = _populous(points, width)
    expected = Library(bandwidth=width, seeds=starts).fit(points).cluster_centers_
    np.testing.assert_allclose(_modes(points, starts, width), expected, atol=1e-9)


def test_means_are_over_the_points_within_the_radius_in_whatever_block():
    points = np.array([[0.0, 0], [0, 1], [0, 3], [8, 0]]).repeat(1500, axis=0)
    means, counts = _means_within(points, np.array([[0.0, 0.4], [8, 0], [4, 9]]), 1.0)
    assert means.tolist() == [[0, 0.5], [8, 0], [4, 9]]
    assert counts.tolist() == [3000, 1500, 0]


def test_a_single_point():
    assert _modes(np.array([[0.6, 0.8]]), np.array([[0.6, 0.8]]), 0.5).tolist() == [[0.6, 0.8]]
