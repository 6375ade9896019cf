import numpy as np
import pytest


@pytest.fixture
def assert_same_objects():
    """Two label images that differ in nothing but the order of their ids, which have no gaps."""

    def check(found, wanted):
        assert found.dtype == np.int32
        pairs = np.unique(np.stack([found.ravel(), wanted.ravel()]), axis=1)
        objects = pairs[:, (pairs > 0).any(axis=0)]
        assert sorted(objects[0]) == sorted(objects[1]) == list(range(1, wanted.max() + 1))

    return check
