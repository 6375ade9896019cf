import numpy as np
import pytest

from study.clustering.components import Components
from tests.clustering.arrays import cluster, segment

NOTHING = np.zeros((4, 7, 0), np.float32)
SHARE = np.array(
    [
        [0.9, 0.9, 0.4, 0.4, 0.7, 0.7, 0.0],
        [0.9, 0.9, 0.4, 0.4, 0.7, 0.7, 0.0],
        [0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0],
        [0.8, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5],
    ],
    np.float32,
)


def found(**settings):
    return cluster(SHARE, NOTHING, Components(**settings), np.ones(SHARE.shape, bool)).tolist()


def test_components_above_the_threshold():
    assert found() == [[1, 1, 0, 0, 2, 2, 0], [1, 1, 0, 0, 2, 2, 0], [0] * 7, [3, 0, 0, 0, 0, 0, 0]]
    assert found(threshold=0.3)[0] == [1] * 6 + [0]
    assert found(threshold=0.8)[0] == [1, 1, 0, 0, 0, 0, 0]


def test_expansion_gives_contours_back_to_the_nearest():
    assert found(expansion=1) == [
        [1, 1, 1, 2, 2, 2, 2],
        [1, 1, 1, 2, 2, 2, 2],
        [1, 1, 0, 0, 2, 2, 0],
        [3, 3, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("foreground", ["predicted", "none"])
def test_segment_needs_no_embedding(foreground):
    labels = segment(SHARE, NOTHING, Components(foreground=foreground, min_size=2), metric="euclidean")
    assert labels.tolist() == [[1, 1, 0, 0, 2, 2, 0], [1, 1, 0, 0, 2, 2, 0], [0] * 7, [0] * 7]


def test_an_empty_map_has_no_object():
    assert not segment(np.zeros((4, 7)), NOTHING, Components(), metric="euclidean").any()
