import numpy as np

from study.clustering.embedding import unit_embedding


def test_unit_vectors():
    vectors = np.array([[[3, 4], [0, -2]]], np.float16)
    result = unit_embedding(vectors)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, [[[0.6, 0.8], [0, -1]]], rtol=1e-6)


def test_no_direction_is_nan():
    vectors = np.array([[0, 0], [np.nan, 1], [1, np.inf], [1, 0]])
    np.testing.assert_array_equal(unit_embedding(vectors), [[np.nan] * 2] * 3 + [[1, 0]])


def test_argument_is_left_alone():
    vectors = np.array([[3, 4]], np.float32)
    unit_embedding(vectors)
    assert vectors.tolist() == [[3, 4]]
