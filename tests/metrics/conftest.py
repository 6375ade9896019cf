import numpy as np
import pytest


def random_labels(rng, objects=6, size=12):
    """Blocky labels with gaps in the ids, some ids in several pieces, some background."""
    ids = np.append(0, rng.choice(np.arange(1, 30), objects, replace=False))
    return np.kron(rng.choice(ids, (size // 3, size // 3)), np.ones((3, 3), int)).astype(np.int32)


@pytest.fixture(params=range(8))
def label_pair(request):
    """Two label images of one shape that overlap well in places."""
    rng = np.random.default_rng(request.param)
    true = random_labels(rng)
    pred = np.where(rng.random(true.shape) < 0.3, random_labels(rng), np.roll(true, 1, axis=request.param % 2))
    return true, pred


@pytest.fixture
def empty():
    return np.zeros((2, 3), int)


@pytest.fixture
def one():
    return np.array([[0, 4, 4], [0, 0, 4]])
