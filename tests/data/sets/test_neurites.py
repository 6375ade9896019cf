import numpy as np
import pytest
from skimage.measure import label

from study.data.sets.neurites import MIN_VOXELS, neurites

SHAPES = [(12, 64, 64), (8, 40, 72)]


@pytest.fixture(scope="module", params=[(shape, seed) for shape in SHAPES for seed in range(3)], ids=str)
def volume(request):
    shape, seed = request.param
    raw, labels = neurites(np.random.default_rng(seed), shape)
    assert raw.shape == labels.shape == shape
    return raw, labels


def test_neurites_fill_the_volume_each_in_one_piece(volume):
    raw, labels = volume
    assert (raw.dtype, labels.dtype) == (np.uint8, np.int32)
    sizes = np.bincount(labels.ravel())
    assert sizes[0] == 0
    assert len(sizes) > 6
    assert sizes[1:].min() >= MIN_VOXELS
    assert label(labels, connectivity=1).max() == labels.max()


def test_most_neurites_run_through_several_planes(volume):
    _, labels = volume
    planes = [len(np.unique(np.nonzero(labels == i)[0])) for i in range(1, labels.max() + 1)]
    assert np.median(planes) >= 4
    same = labels[1:] == labels[:-1]
    assert 0.4 < same.mean() < 0.97  # they wind, and planes are thick


def test_membranes_are_dark(volume):
    raw, labels = volume
    at = np.zeros(labels.shape, bool)
    at[:, :, 1:] |= labels[:, :, 1:] != labels[:, :, :-1]
    at[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    assert 0.05 < at.mean() < 0.35
    assert raw[at].mean() + 40 < raw[~at].mean()
    assert raw.std() > 15


def test_grey_values_do_not_tell_neurites_apart(volume):
    raw, labels = volume
    inside = [raw[labels == i].astype(float) for i in range(1, labels.max() + 1)]
    assert np.std([values.mean() for values in inside]) < np.mean([values.std() for values in inside])


def test_the_seed_decides():
    one, again, other = (neurites(np.random.default_rng(seed), (4, 32, 32)) for seed in (1, 1, 2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one[1], other[1])


@pytest.mark.parametrize("shape", [(1, 3, 3), (1, 40, 40), (3, 1, 20)])
def test_small_volumes(shape):
    raw, labels = neurites(np.random.default_rng(0), shape)
    assert raw.shape == labels.shape == shape
    assert labels.min() == 1
