import numpy as np
import pytest

from study.clustering import segment
from study.clustering.components import components
from study.config import Clustering

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
    return components(SHARE, NOTHING, Clustering(method="components", **settings), np.ones(SHARE.shape, bool)).tolist()


def test_pieces_above_the_threshold():
    assert found() == [[1, 1, 0, 0, 2, 2, 0], [1, 1, 0, 0, 2, 2, 0], [0] * 7, [3, 0, 0, 0, 0, 0, 0]]
    assert found(component_threshold=0.3)[0] == [1] * 6 + [0]
    assert found(component_threshold=0.8)[0] == [1, 1, 0, 0, 0, 0, 0]


def test_expansion_gives_contours_back_to_the_nearest():
    assert found(component_expansion=1) == [
        [1, 1, 1, 2, 2, 2, 2],
        [1, 1, 1, 2, 2, 2, 2],
        [1, 1, 0, 0, 2, 2, 0],
        [3, 3, 0, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("foreground", ["predicted", "none"])
def test_segment_needs_no_embedding(foreground):
    labels = segment(SHARE, NOTHING, Clustering(method="components", foreground=foreground, min_size=2))
    assert labels.tolist() == [[1, 1, 0, 0, 2, 2, 0], [1, 1, 0, 0, 2, 2, 0], [0] * 7, [0] * 7]


def test_an_empty_map_has_no_object():
    assert not segment(np.zeros((4, 7)), NOTHING, Clustering(method="components")).any()
