import numpy as np

from study.clustering.connected import connected_pieces


def test_pieces_of_equal_label():
    labels = np.array([[7, 7, 3, 0], [0, 3, 3, 7], [7, 0, 0, 7]])
    assert connected_pieces(labels).tolist() == [[1, 1, 2, 0], [0, 2, 2, 3], [4, 0, 0, 3]]


def test_corners():
    mask = np.array([[True, False], [False, True]])
    assert connected_pieces(mask).tolist() == [[1, 0], [0, 2]]
    assert connected_pieces(mask, corners=True).tolist() == [[1, 0], [0, 1]]
