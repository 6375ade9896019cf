"""The contingency table of two label images, from which every metric is computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DENSE_CELLS = 2**22  # largest table that is counted densely (32 MiB); larger ones are sorted


@dataclass(frozen=True)
class Contingency:
    """Areas of the objects of two label images and of their overlaps, in pixels.

    Only pairs that overlap are stored, so memory grows with their number and not with the ids. Background is left
    out; what an object shares with it is its area minus its overlaps.

    Attributes
    ----------
    true_area, pred_area : (T,), (P,) int64 array
        Area of each object, by ascending id.
    true_index, pred_index : (L,) int64 array
        The objects of each overlapping pair, as indices into `true_area` and `pred_area`.
    overlap : (L,) int64 array
        Pixels that a pair shares, at least 1.
    """

    true_area: np.ndarray
    pred_area: np.ndarray
    true_index: np.ndarray
    pred_index: np.ndarray
    overlap: np.ndarray

    @classmethod
    def of(cls, true: np.ndarray | Contingency, pred: np.ndarray | None = None) -> Contingency:
        """The table of two label images of one shape; a table is returned as it is.

        Parameters
        ----------
        true, pred : int or bool array
            Object ids, 0 = background. Ids may have gaps and be large; an object may have several components.

        Raises
        ------
        ValueError
            If the shapes differ, or labels are negative or not of an integer type.
        """
        if isinstance(true, Contingency):
            return true
        true, pred = np.asarray(true), np.asarray(pred)
        if true.shape != pred.shape:
            raise ValueError(f"label images differ in shape: true {true.shape}, pred {pred.shape}")
        true, true_count = _small_ids(true, "true")
        pred, pred_count = _small_ids(pred, "pred")
        if true_count * pred_count > _DENSE_CELLS:
            true, true_count = _compact(true)
            pred, pred_count = _compact(pred)
        cells, counts = _count(true * pred_count + pred, true_count * pred_count)
        rows, columns = np.divmod(cells, pred_count)
        true_area, true_index = _areas(rows, counts, true_count)
        pred_area, pred_index = _areas(columns, counts, pred_count)
        both = (rows > 0) & (columns > 0)
        return cls(true_area, pred_area, true_index[both], pred_index[both], counts[both])

    @property
    def transposed(self) -> Contingency:
        """The table with true and pred exchanged."""
        return Contingency(self.pred_area, self.true_area, self.pred_index, self.true_index, self.overlap)

    @property
    def dice(self) -> np.ndarray:
        """(L,) float64, Dice coefficient of each pair, in (0, 1]."""
        return 2 * self.overlap / (self.true_area[self.true_index] + self.pred_area[self.pred_index])

    @property
    def iou(self) -> np.ndarray:
        """(L,) float64, intersection over union of each pair, in (0, 1]."""
        return self.overlap / (self.true_area[self.true_index] + self.pred_area[self.pred_index] - self.overlap)


def _small_ids(labels: np.ndarray, name: str) -> tuple[np.ndarray, int]:
    """Flat labels, checked, and a bound above them: int32, or compacted int64 where ids are too large for a table."""
    if labels.dtype.kind not in "iub":
        raise ValueError(f"{name} labels must be integers, not {labels.dtype}")
    if labels.size and labels.min() < 0:
        raise ValueError(f"{name} labels must not be negative; the smallest is {labels.min()}")
    largest = int(labels.max(initial=0))
    if largest >= _DENSE_CELLS:
        return _compact(labels)
    return labels.ravel().astype(np.int32, copy=False), largest + 1


def _compact(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Flat int64 labels, ids replaced by ranks 1, 2, ... and background kept 0, and a bound above them."""
    ids, ranks = np.unique(labels, return_inverse=True)
    shift = int(ids.size == 0 or ids[0] != 0)
    return ranks.ravel() + shift, ids.size + shift


def _count(cells: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values of `cells`, ascending and below `size`, and how often each occurs."""
    if size > _DENSE_CELLS:
        return np.unique(cells, return_counts=True)
    table = np.bincount(cells, minlength=size)
    found = np.flatnonzero(table)
    return found, table[found]


def _areas(labels: np.ndarray, counts: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Areas of the objects among `labels`, and each label's index into them (-1 for background)."""
    area = np.bincount(labels, counts, minlength=size).astype(np.int64)
    area[0] = 0
    index = np.cumsum(area > 0) - 1
    return area[area > 0], index[labels]
