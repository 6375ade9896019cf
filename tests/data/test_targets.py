import numpy as np
import pytest

from study.data.targets import distance_map, neighbours, relabel_sequential


def naive_distance_map(labels):
    result = np.zeros(labels.shape)
    points = np.argwhere(np.ones_like(labels))
    for i in np.unique(labels[labels > 0]):
        outside = points[(labels != i).ravel()]
        for p in np.argwhere(labels == i):
            result[tuple(p)] = np.sqrt(((outside - p) ** 2).sum(1)).min() if len(outside) else 1
        result[labels == i] /= result[labels == i].max()
    return result


def naive_neighbours(labels, reach):
    table = np.zeros((labels.max() + 1, labels.max() + 1), bool)
    ids = [i for i in np.unique(labels) if i]
    for a in ids:
        table[0, a] = table[a, 0] = True
        for b in ids:
            gaps = np.argwhere(labels == a)[:, None] - np.argwhere(labels == b)[None]
            table[a, b] = a != b and np.sqrt((gaps**2).sum(2)).min() < reach
    return table


def random_labels(seed, shape=(17, 23), count=6):
    rng = np.random.default_rng(seed)
    seeds = rng.integers(0, shape, (count + 2, 2))
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=2)
    nearest = ((grid[:, :, None] - seeds) ** 2).sum(3).argmin(2)
    return np.where(nearest <= count, nearest, 0).astype(np.int32)


def test_distance_of_a_bar():
    labels = np.array([[0, 1, 1, 1, 0]] * 3)
    # the frame is no boundary: rows above and below do not count
    np.testing.assert_allclose(distance_map(labels), [[0, 0.5, 1, 0.5, 0]] * 3)


def test_touching_objects_have_a_boundary_between_them():
    labels = np.array([[1, 1, 1, 2, 2, 2]])
    np.testing.assert_allclose(distance_map(labels), [[1, 2 / 3, 1 / 3, 1 / 3, 2 / 3, 1]], rtol=1e-6)


def test_an_object_that_fills_the_image():
    np.testing.assert_array_equal(distance_map(np.ones((3, 4), int)), np.ones((3, 4)))


def test_an_image_without_objects():
    empty = np.zeros((3, 4), int)
    assert not distance_map(empty).any()
    assert not neighbours(empty, 3).any()


@pytest.mark.parametrize("seed", range(4))
def test_distance_map_equals_the_naive_one(seed):
    labels = random_labels(seed)
    np.testing.assert_allclose(distance_map(labels), naive_distance_map(labels), rtol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("reach", [1, 1.5, 4, 100])
def test_neighbours_equal_the_naive_ones(seed, reach):
    labels = random_labels(seed)
    np.testing.assert_array_equal(neighbours(labels, reach), naive_neighbours(labels, reach))


def test_neighbours_below_a_distance():
    labels = np.array([[1, 0, 0, 2, 0, 3]])
    table = neighbours(labels, 3)
    assert not table[1, 2]  # at 3 px, not below
    assert table[2, 3]
    assert neighbours(labels, np.inf)[1:, 1:].sum() == 6  # all ordered pairs


def test_flips_flip_the_distance_map_and_keep_the_neighbours():
    labels = random_labels(5)
    np.testing.assert_array_equal(distance_map(labels[::-1]), distance_map(labels)[::-1])
    np.testing.assert_array_equal(neighbours(labels.T, 2), neighbours(labels, 2))


def test_relabel_sequential():
    np.testing.assert_array_equal(relabel_sequential(np.array([[0, 7], [900, 7]])), [[0, 1], [2, 1]])
    np.testing.assert_array_equal(relabel_sequential(np.array([[7, 7], [9, 7]])), [[1, 1], [2, 1]])
    assert relabel_sequential(np.zeros((2, 2), int)).dtype == np.int32
