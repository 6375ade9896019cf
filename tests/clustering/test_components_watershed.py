import numpy as np
import pytest

from study.clustering import segment
from study.clustering.components_watershed import ComponentsWatershed
from study.maps import ImageMaps

ROW = [0.1, 0.9, 0.6, 0.4, 0.7, 0.9, 0.2]
PLAIN = ComponentsWatershed(min_size=0, min_distance=0, foreground="none")


def maps_of(objectness):
    return ImageMaps({"distance": np.asarray(objectness, np.float32)})


@pytest.mark.parametrize(
    ("threshold", "labels"),
    [
        (0.5, [1, 1, 1, 2, 2, 2, 2]),  # the one between goes to its likelier neighbour
        (0.35, [1, 1, 1, 1, 1, 1, 1]),
        (0.95, [0, 0, 0, 0, 0, 0, 0]),  # nothing is above: no component
    ],
)
def test_components_above_the_threshold_grow_until_they_meet(threshold, labels):
    settings = ComponentsWatershed(min_size=0, min_distance=0, foreground="none", threshold=threshold)
    found = segment(maps_of([ROW, ROW]), settings)
    assert found.dtype == np.int32
    assert found.tolist() == [labels, labels]


def test_a_volume_has_components_over_faces():
    volume = np.zeros((3, 2, 4))
    volume[0, 0, 0] = volume[1, 0, 0] = volume[2, 1, 3] = 0.9
    found = PLAIN.cluster(volume, np.empty((0, *volume.shape)), np.ones(volume.shape, bool), "none")
    assert found[0, 0, 0] == found[1, 0, 0] == 1
    assert found[2, 1, 3] == 2
    assert set(found.flat) == {1, 2}


def test_the_foreground_is_a_border():
    foreground = np.array([[False, True, True, True, True, False, False]])
    found = PLAIN.cluster(np.array([ROW]), np.empty((0, 1, 7)), foreground, "none")
    assert (found > 0).tolist() == foreground.tolist()
