import numpy as np
import pytest

from study.clustering import predicted_foreground


@pytest.mark.parametrize("colours", [[0, 1, 2, 3, 1], [2, 0, 1, 3, 0]])
@pytest.mark.parametrize("scale", [1, 10])
def test_perfect_maps(perfect_maps, four_objects, colours, scale):
    distance, embedding = perfect_maps(four_objects, colours)
    mask = predicted_foreground(scale * distance, scale * embedding, 45)
    np.testing.assert_array_equal(mask, four_objects > 0)


def test_rims_of_objects_are_not_background(perfect_maps):
    labels = np.zeros((90, 92), int)
    labels[1:89, 1:46], labels[1:89, 46:91] = 1, 2
    distance, embedding = perfect_maps(labels, [2, 0, 1])
    rims = (labels > 0) & (distance < 0.05)
    assert rims.sum() > (labels == 0).sum() / 2
    np.testing.assert_array_equal(predicted_foreground(distance, embedding, 45), labels > 0)


def test_noise(perfect_maps, four_objects):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 1])
    embedding += np.random.default_rng(0).normal(0, 0.1, embedding.shape).astype(np.float32)
    mask = predicted_foreground(distance, embedding, 45)
    np.testing.assert_array_equal(mask, four_objects > 0)


def test_pixels_without_direction_are_background():
    distance = np.array([[0, 0, 1, 1]], np.float32)
    embedding = np.array([[[1, 0], [1, 0], [0, 1], [0, 0]]], np.float32)
    assert predicted_foreground(distance, embedding, 45).tolist() == [[False, False, True, False]]


def test_without_background_all_is_foreground():
    distance, embedding = np.ones((2, 3)), np.ones((2, 3, 4))
    assert predicted_foreground(distance, embedding, 45).all()
