from dataclasses import replace

import numpy as np
import pytest

from study.clustering.connected import connected_components
from study.clustering.mutex_watershed import MutexWatershed
from tests.clustering.arrays import cluster

SETTINGS = MutexWatershed(range=3)


def by_pairs(embedding, settings, foreground):
    """`mutex_watershed`, pair by pair."""
    far, stride = settings.range, settings.stride
    known = {p for p in np.ndindex(foreground.shape) if foreground[p] and np.isfinite(embedding[p]).all()}
    pairs = []
    for row, column in known:
        for down, right in ((1, 0), (0, 1), (far, 0), (0, far), (far, far), (far, -far)):
            attractive = down + abs(right) == 1
            other = (row + down, column + right)
            if other in known and (attractive or row % stride == column % stride == 0):
                cosine = np.dot(embedding[row, column].astype(float), embedding[other].astype(float))
                angle = np.arccos(np.clip(cosine, -1, 1))
                weight = 1 - angle if attractive else angle - settings.bias
                pairs.append((weight, attractive, (row, column), other))
    object_of = {p: {p} for p in known}  # pixel -> the pixels of its object
    parted = []
    for _, attractive, a, b in sorted(pairs, reverse=True):
        one, two = object_of[a], object_of[b]
        if one is two:
            continue
        if not attractive:
            parted.append((a, b))
        elif not any({id(object_of[p]), id(object_of[q])} == {id(one), id(two)} for p, q in parted):
            one |= two
            object_of.update(dict.fromkeys(two, one))
    labels = np.zeros(foreground.shape, int)
    for n, pixels in enumerate({id(pixels): pixels for pixels in object_of.values()}.values(), 1):
        labels[tuple(np.transpose(list(pixels)))] = n
    return labels


@pytest.mark.parametrize("changes", [{}, {"bias": 0.7}, {"range": 2, "stride": 2}])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_against_pairs(random_maps, canonical, changes, masked, seed):
    settings = replace(SETTINGS, **changes)
    distance, embedding = random_maps(seed, (14, 16), 3, 1.5)
    foreground = distance > 0.4 if masked else np.ones(distance.shape, bool)
    embedding[5, 3:6] = np.nan
    labels = cluster(distance, embedding, settings, foreground)
    assert labels.dtype == np.int32
    assert labels.max() > 2
    assert canonical(labels) == canonical(by_pairs(embedding, settings, foreground))


def test_objects_are_connected_over_edges(random_maps, canonical):
    distance, embedding = random_maps(1, (30, 40), 3, 1)
    labels = cluster(distance, embedding, SETTINGS, distance > 0.3)
    assert canonical(labels) == canonical(connected_components(labels))


@pytest.mark.parametrize(("bias", "one"), [(0.19, False), (0.21, True)])
def test_attraction_wins_up_to_the_bias(bias, one):
    radians = np.arange(0, 1.6, 0.3)[None]  # neighbours attract each other by 0.7; 0.9 lie between those that repel
    embedding = np.stack([np.cos(radians), np.sin(radians)], axis=-1).astype(np.float32)
    labels = cluster(radians, embedding, replace(SETTINGS, bias=bias), np.ones(radians.shape, bool))
    assert (labels == labels[0, 0]).all() == one


def test_a_range_beyond_the_image_repels_nothing():
    embedding = np.eye(2, dtype=np.float32)[[[0, 1, 0]]]
    labels = cluster(np.ones((1, 3)), embedding, replace(SETTINGS, range=4), np.ones((1, 3), bool))
    assert labels.tolist() == [[1, 1, 1]]
