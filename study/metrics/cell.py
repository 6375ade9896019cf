"""Scores of nucleus segmentation: aggregated Jaccard index and panoptic quality.

The third score that papers print next to these, the pixel Dice, is `foreground_dice`. Every function takes two label
images (int arrays of one shape, of two or three dimensions, 0 = background), or one `Contingency` in place of both, and
raises ValueError as `Contingency.of` does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from study.metrics.contingency import Contingency
from study.metrics.registry import Metric, Score


def aggregated_jaccard(true: np.ndarray | Contingency, pred: np.ndarray | None = None) -> float:
    """AJI (Kumar et al. 2017), in [0, 1]: intersections over unions, both summed over the true objects.

    Every true object is paired with the predicted object of the highest IoU; at equal IoU with the one of the larger
    overlap, then of the lower id. Several true objects may take the same one. What no true object takes adds its
    area to the union, and so does a true object that overlaps nothing. Both images empty: 1; one of them empty: 0.
    """
    table = Contingency.of(true, pred)
    if not table.true_area.size and not table.pred_area.size:
        return 1.0
    order = np.lexsort((table.pred_index, -table.overlap, -table.iou, table.true_index))
    best = order[np.unique(table.true_index[order], return_index=True)[1]]
    shared = int(table.overlap[best].sum())
    taken = table.pred_index[best]
    untaken = table.pred_area.sum() - table.pred_area[np.unique(taken)].sum()
    union = table.true_area.sum() + table.pred_area[taken].sum() - shared + untaken
    return float(shared / union)


class PanopticQuality(NamedTuple):
    """Panoptic quality and its two factors, each in [0, 1]."""

    pq: float  # the sum of the IoU of the found objects over TP + FP / 2 + FN / 2, the product of the other two
    sq: float  # segmentation quality, the mean IoU of the found objects
    rq: float  # recognition quality, TP / (TP + FP / 2 + FN / 2)


def panoptic_quality(true: np.ndarray | Contingency, pred: np.ndarray | None = None) -> PanopticQuality:
    """PQ, SQ and RQ of one class (Kirillov et al. 2019), an object being found at an IoU above .5.

    Both images empty: all 1; no object found: all 0, also where one image is empty.
    """
    table = Contingency.of(true, pred)
    count = table.true_area.size + table.pred_area.size
    if not count:
        return PanopticQuality(1.0, 1.0, 1.0)
    iou = table.iou[table.iou > 0.5]  # no object lies by more than half in two others: one to one
    if not iou.size:
        return PanopticQuality(0.0, 0.0, 0.0)
    sq, rq = float(iou.mean()), 2 * iou.size / count
    return PanopticQuality(sq * rq, sq, rq)


METRIC = Metric(
    (
        Score("aji", "AJI", "aggregated Jaccard index", summary=False),
        Score("pq", "PQ", "panoptic quality", summary=False),
        Score("sq", "SQ", "segmentation quality", summary=False),
        Score("rq", "RQ", "recognition quality", summary=False),
    ),
    lambda table: (aggregated_jaccard(table), *panoptic_quality(table)),
)
