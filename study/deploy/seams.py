"""Objects of windows that overlap become the objects of one image."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from study.clustering import numbering
from study.deploy.tiling import Area, Tile, array_on_disk
from study.metrics.contingency import Contingency


def joined_labels(
    shape: tuple[int, int], tiles: Sequence[Tile], cluster: Callable[[Area], np.ndarray]
) -> tuple[np.ndarray, int]:
    """Labels of an image from those of windows that overlap.

    Two objects that reach into the cores of their windows are one if their intersection over union in the overlap of
    the windows exceeds 1/2. An object that goes on beyond its own window is also one with the object that holds more
    than half of it in a window that sees on: a U may be two objects for a window that sees no more than its arms.
    Chains of such pairs are one object.

    An object is believed if at least half of it, as its window shows it, is in the cores of its windows: otherwise it
    is for another window to tell what there is. A pixel takes the believed object of the window in whose core it
    lies; where there is none, the first one of the other windows.

    Parameters
    ----------
    shape : (M, N)
    tiles : sequence of Tile
    cluster : callable
        Window -> (m, n) int32 labels in it.

    Returns
    -------
    (M, N) int32 array
        0 = background.
    int
        The largest id.

    Raises
    ------
    StudyError
        If the labels of all windows, 4 bytes per pixel, have no room in the folder of temporary files.
    """
    found, window_area, core_area = _found(tiles, cluster)
    object_of = _objects(tiles, found, len(core_area))
    seen = np.zeros(object_of.max() + 1, np.int64)
    np.maximum.at(seen, object_of, window_area)
    believed = 2 * np.bincount(object_of, core_area) >= seen
    ids = numbering(believed)[object_of]
    labels = np.zeros(shape, np.int32)
    for tile, own in zip(tiles, found, strict=True):
        labels[tile.core] = ids[own[tile.inner]]
    for tile, own in zip(tiles, found, strict=True):
        here = labels[tile.window]  # a view
        np.copyto(here, ids[own], where=here == 0)
    return labels, int(ids.max())


def _found(
    tiles: Sequence[Tile], cluster: Callable[[Area], np.ndarray]
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Labels of each window, with ids that no two windows share, and the area of each id in window and core.

    Objects that do not reach into the core are left out: other windows see more of them.
    """
    sides = [max(tile.window[axis].stop - tile.window[axis].start for tile in tiles) for axis in (0, 1)]
    stored = array_on_disk((len(tiles), *sides), np.int32)
    found, window_areas, core_areas = [], [np.zeros(1, np.int64)], [np.zeros(1, np.int64)]
    last = 0
    for tile, room in zip(tiles, stored, strict=True):
        labels = cluster(tile.window)
        in_core = np.bincount(labels[tile.inner].ravel(), minlength=labels.max() + 1)
        labels = numbering(in_core > 0)[labels]
        in_window = np.bincount(labels.ravel())
        in_core[0] = 0
        window_areas.append(in_window[1:])
        core_areas.append(in_core[in_core > 0])
        found.append(room[: labels.shape[0], : labels.shape[1]])
        found[-1][:] = np.where(labels > 0, labels + last, 0)
        last += len(in_window) - 1
    return found, np.concatenate(window_areas), np.concatenate(core_areas)


def _objects(tiles: Sequence[Tile], found: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Object of each of the ids 0, ..., count - 1 of all windows; that of 0 is 0."""
    pairs = [np.zeros((2, 0), np.int64)]
    for (one, its), (two, others) in itertools.combinations(zip(tiles, found, strict=True), 2):
        shared = [
            slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(one.window, two.window, strict=True)
        ]
        if all(side.start < side.stop for side in shared):
            pairs.append(_same(_view(its, one, shared), _view(others, two, shared), one.window, two.window))
    first, second = np.concatenate(pairs, axis=1)
    links = csr_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return connected_components(links, directed=False)[1]  # numbered by first id: 0 stays 0


def _view(labels: np.ndarray, tile: Tile, shared: Sequence[slice]) -> np.ndarray:
    """What the labels of a tile's window are in an area of the image inside of it."""
    top, left = (side.start for side in tile.window)
    rows, columns = shared
    return labels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]


def _same(one: np.ndarray, two: np.ndarray, its_window: Area, other_window: Area) -> np.ndarray:
    """(2, n) ids of the pairs that are one object, from the labels of two windows where they overlap."""
    table = Contingency.of(one, two)
    first, second = _ids(one)[table.true_index], _ids(two)[table.pred_index]
    covered = 2 * table.overlap > table.true_area[table.true_index]
    covering = 2 * table.overlap > table.pred_area[table.pred_index]
    same = 2 * table.iou > 1
    same |= covered & np.isin(first, _going_on(one, its_window, other_window))
    same |= covering & np.isin(second, _going_on(two, other_window, its_window))
    return np.stack([first[same], second[same]])


def _ids(labels: np.ndarray) -> np.ndarray:
    """Ids that occur, ascending, without the background."""
    return np.unique(labels[labels > 0])


def _going_on(labels: np.ndarray, own: Area, other: Area) -> np.ndarray:
    """Ids of the own window that lie at a side of it beyond which the other window sees on.

    `labels` are those of the own window where the two overlap.
    """
    at_sides = [np.zeros(0, labels.dtype)]
    for axis in (0, 1):
        lines = np.moveaxis(labels, axis, 0)
        if other[axis].start < own[axis].start:
            at_sides.append(lines[0])
        if other[axis].stop > own[axis].stop:
            at_sides.append(lines[-1])
    return np.concatenate(at_sides)
