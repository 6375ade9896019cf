"""Which objects of an image are merged, split or missed: no scores, but what pictures mark."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from study.metrics.contingency import Contingency


class Mistakes(NamedTuple):
    """Ids of true objects of an image, ascending; one may be both merged and split.

    Attributes
    ----------
    merged : tuple of tuples of int
        The true objects that one predicted object covers by more than half each: a tuple for every predicted object
        that does so with two or more.
    split : tuple of int
        True objects that hold two or more predicted ones by more than half of these.
    missed : tuple of int
        True objects that no predicted object covers by more than half.
    """

    merged: tuple[tuple[int, ...], ...]
    split: tuple[int, ...]
    missed: tuple[int, ...]


def mistakes(true: np.ndarray, pred: np.ndarray) -> Mistakes:
    """What the labels `pred` make of the true objects; both (M, N) int arrays, 0 = background."""
    table, ids = Contingency.of(true, pred), _ids(true)
    covers = 2 * table.overlap > table.true_area[table.true_index]  # each true object by one predicted at most
    covered, by = table.true_index[covers], table.pred_index[covers]
    merged = (np.sort(ids[covered[by == label]]) for label in np.unique(by))
    holds = 2 * table.overlap > table.pred_area[table.pred_index]
    holders, counts = np.unique(table.true_index[holds], return_counts=True)
    return Mistakes(
        tuple(tuple(group.tolist()) for group in merged if len(group) > 1),
        tuple(ids[holders[counts > 1]].tolist()),
        tuple(np.delete(ids, covered).tolist()),
    )


def matched(true: np.ndarray, pred: np.ndarray, iou: float) -> np.ndarray:
    """Ids of the predicted objects whose IoU with a true one is above `iou`, which is .5 or more."""
    table = Contingency.of(true, pred)
    return _ids(pred)[table.pred_index[table.iou > iou]]


def _ids(labels: np.ndarray) -> np.ndarray:
    ids = np.unique(labels)
    return ids[ids > 0]
