"""Objects of a label image as polygons along the edges of their pixels.

The pixel in row r and column c fills the square from (c, r) to (c + 1, r + 1), so that whatever tool takes the pixels
whose middle is inside finds those of the object again, all of them and no others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

_STEPS = ((0, 1), (1, 0), (0, -1), (-1, 0))  # along an edge, with the object to the right: rows, columns
# what a pixel adds to its corner for the start of its edge in this direction, and to find the neighbour beyond it
_STARTS = ((0, 0), (0, 1), (1, 1), (1, 0))
_BEYOND = ((-1, 0), (0, 1), (1, 0), (0, -1))

Ring = list[tuple[int, int]]  # corners (x, y), the first of which is not repeated


class Outline(NamedTuple):
    """An object.

    Attributes
    ----------
    label : int
    area : int
        Px.
    pieces : list of list of Ring
        Of each piece the edge, which has the object to the right of its course when y points down, and then its
        holes, which go round the other way. No ring touches itself; pieces whose pixels share but a corner are two.
    """

    label: int
    area: int
    pieces: list[list[Ring]]


def outlines(labels: np.ndarray) -> Iterator[Outline]:
    """The objects of (M, N) int labels by increasing label, 0 being the background."""
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            mask = labels[box] == label
            yield Outline(label, int(mask.sum()), _pieces(mask, box[0].start, box[1].start))


def _pieces(mask: np.ndarray, row: int, column: int) -> list[list[Ring]]:
    """Pieces of the object of a mask whose first pixel is in this row and column of the image."""
    pieces = np.asarray(ndimage.label(mask)[0])  # type: ignore[index]
    found: list[list[Ring]] = [[] for _ in range(pieces.max())]
    for start, ring in _rings(mask):
        piece = found[pieces[start] - 1]
        for simple in _without_touching(ring):
            corners = [(c + column, r + row) for r, c in _corners(simple)]
            piece.insert(0 if _turns_right(simple) else len(piece), corners)
    return found


def _rings(mask: np.ndarray) -> Iterator[tuple[tuple[int, int], Ring]]:
    """A pixel beside each closed course along the edges, and the vertices (row, column) of the course."""
    edges = _edges(mask)
    while edges:
        first, pixel = edges.popitem()
        ring, edge = [], first
        while not ring or edge != first:
            at, direction = edge
            edges.pop(edge, None)
            ring.append(at)
            at = (at[0] + _STEPS[direction][0], at[1] + _STEPS[direction][1])
            # where two pixels touch by a corner, around that of the last edge
            turns = ((at, turn % 4) for turn in (direction + 1, direction, direction - 1))
            edge = next(turn for turn in turns if turn in edges or turn == first)
        yield pixel, ring


def _edges(mask: np.ndarray) -> dict[tuple[tuple[int, int], int], tuple[int, int]]:
    """Where an edge starts, and its direction -> the pixel to the right of it."""
    padded = np.pad(mask, 1)
    edges = {}
    for direction, ((row, column), beyond) in enumerate(zip(_STARTS, _BEYOND, strict=True)):
        outside = ~np.roll(padded, (-beyond[0], -beyond[1]), (0, 1))[1:-1, 1:-1]
        for r, c in np.argwhere(mask & outside).tolist():
            edges[(r + row, c + column), direction] = (r, c)
    return edges


def _without_touching(ring: Ring) -> Iterator[Ring]:
    """The ring, cut into several where it passes a vertex twice."""
    course: Ring = []
    seen: set[tuple[int, int]] = set()
    for vertex in ring:
        if vertex in seen:
            start = course.index(vertex)
            yield course[start:]
            seen.difference_update(course[start:])
            del course[start:]
        course.append(vertex)
        seen.add(vertex)
    yield course


def _corners(ring: Ring) -> Ring:
    """The vertices at which a ring turns."""
    return [
        here
        for before, here, after in zip(ring[-1:] + ring[:-1], ring, ring[1:] + ring[:1], strict=True)
        if (before[0] == here[0]) != (here[0] == after[0])
    ]


def _turns_right(ring: Ring) -> bool:
    """Whether a ring goes clockwise where rows go down, as the outer edge of a piece does."""
    rows, columns = np.array(ring).T
    return np.dot(columns, np.roll(rows, -1)) > np.dot(rows, np.roll(columns, -1))
