import numpy as np

from study.clustering.connected import connected_components


def test_components_of_equal_label():
    labels = np.array([[7, 7, 3, 0], [0, 3, 3, 7], [7, 0, 0, 7]])
    assert connected_components(labels).tolist() == [[1, 1, 2, 0], [0, 2, 2, 3], [4, 0, 0, 3]]


def test_corners():
    mask = np.array([[True, False], [False, True]])
    assert connected_components(mask).tolist() == [[1, 0], [0, 2]]
    assert connected_components(mask, corners=True).tolist() == [[1, 0], [0, 1]]
