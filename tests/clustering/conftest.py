import numpy as np
import pytest
from scipy import ndimage

from study.clustering.embedding import unit_embedding


@pytest.fixture
def canonical():
    """Rename ids to 1, 2, ... in the order in which they first appear."""

    def rename(labels):
        ids, first = np.unique(labels, return_index=True)
        names = {0: 0} | {i: n for n, i in enumerate((i for i in ids[np.argsort(first)] if i), 1)}
        return np.vectorize(names.get, otypes=[int])(labels).tolist()

    return rename


@pytest.fixture
def perfect_maps():
    """Distance map per object, and the colour of each id (background first) as a one-hot embedding."""

    def make(labels, colours):
        distance = np.zeros(labels.shape, np.float32)
        for i in set(labels.flat) - {0}:
            inside = ndimage.distance_transform_edt(np.pad(labels == i, 1))[1:-1, 1:-1]
            distance += (inside / inside.max()).astype(np.float32)
        return distance, np.eye(max(colours) + 1, dtype=np.float32)[np.asarray(colours)[labels]]

    return make


@pytest.fixture
def random_maps():
    """Random maps with structures of about `sigma` px; distance in [0, 1], unit embedding."""

    def make(seed, shape, channels, sigma=2.0):
        rng = np.random.default_rng(seed)
        distance = ndimage.gaussian_filter(rng.random(shape), sigma)
        embedding = ndimage.gaussian_filter(rng.normal(size=(*shape, channels)), (sigma, sigma, 0))
        distance -= distance.min()
        return (distance / distance.max()).astype(np.float32), unit_embedding(embedding)

    return make


@pytest.fixture
def four_objects():
    """Touching objects; 1 and 4 do not touch. The L of 3 has two maxima."""
    labels = np.zeros((16, 18), int)
    labels[1:8, 0:6] = 1
    labels[1:8, 6:12] = 2
    labels[8:13, 0:14] = 3
    labels[8:16, 9:14] = 3
    labels[1:8, 12:18] = 4
    return labels
