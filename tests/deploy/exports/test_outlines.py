import numpy as np
import pytest
from scipy import ndimage

from study.deploy.exports.outlines import outlines
from tests.deploy.redrawing import ODD, inside


def noise(seed, ids):
    rng = np.random.default_rng(seed)
    return rng.integers(0, ids + 1, rng.integers(1, 12, 2))


def twice_the_area(ring):
    x, y = np.array(ring).T
    return np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))


CASES = [*map(np.array, ODD.values()), *(noise(seed, ids) for seed in range(40) for ids in (1, 3))]


@pytest.mark.parametrize("labels", CASES)
def test_objects_are_drawn_again_to_the_pixel(labels):
    drawn = np.zeros_like(labels)
    found = list(outlines(labels))
    for outline in found:
        pixels = inside([ring for piece in outline.pieces for ring in piece], labels.shape)
        assert outline.area == pixels.sum()
        drawn[pixels] += outline.label
    np.testing.assert_array_equal(drawn, labels)
    assert [outline.label for outline in found] == sorted(set(labels[labels > 0]))


@pytest.mark.parametrize("labels", CASES)
def test_each_piece_has_an_edge_and_holes(labels):
    for outline in outlines(labels):
        mask = labels == outline.label
        pieces, count = ndimage.label(mask)
        assert len(outline.pieces) == count
        assert {pieces[inside(piece, labels.shape)].max() for piece in outline.pieces} == set(range(1, count + 1))
        for edge, *holes in outline.pieces:
            assert twice_the_area(edge) > 0
            assert all(twice_the_area(hole) < 0 for hole in holes)
            for ring in (edge, *holes):
                assert len(set(ring)) == len(ring)  # no ring touches itself


def test_only_corners_are_listed():
    (outline,) = outlines(np.array([[0, 0, 0, 0], [0, 4, 4, 4], [0, 4, 4, 4]]))
    ((edge,),) = outline.pieces
    assert sorted(edge) == [(1, 1), (1, 3), (4, 1), (4, 3)]
