"""Average precision of detected objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from study.metrics.contingency import Contingency
from study.metrics.registry import Metric, Score

THRESHOLDS = tuple(percent / 100 for percent in range(50, 91, 5))  # .50, .55, ..., .90
_SAME = 1e-9  # an IoU this close to a threshold equals it: .6 made by float steps is .6000000000000001


def average_precision(
    true: np.ndarray | Contingency,
    pred: np.ndarray | None = None,
    thresholds: Sequence[float] | np.ndarray = THRESHOLDS,
) -> np.ndarray:
    """AP(t) = TP / (TP + FP + FN) of one image, an object being found at an IoU of at least t.

    This is the accuracy that StarDist, Cellpose and Chen et al. (2019) call average precision, without a ranking by
    confidence. TP is the largest number of disjoint pairs (true, pred) whose IoU passes; above .5 no two pairs can
    share an object, at .5 and below they are matched one to one. Both images empty: 1; one of them empty: 0.

    Parameters
    ----------
    true, pred : (M, N) int array
        Label images, 0 = background; or one `Contingency` as `true`.
    thresholds : sequence of float
        IoU thresholds in (0, 1]; an IoU within 1e-9 of one counts as equal, and passes (in Chen et al. it does not).

    Returns
    -------
    (len(thresholds),) float64 array
        In [0, 1].
    """
    limits = np.asarray(thresholds, dtype=np.float64)
    if limits.ndim != 1 or not np.all((limits > 0) & (limits <= 1)):
        raise ValueError(f"IoU thresholds must be a sequence of numbers above 0 and at most 1, not {thresholds}")
    table = Contingency.of(true, pred)
    count = table.true_area.size + table.pred_area.size
    if count == 0:
        return np.ones(limits.size)
    matched = np.array([_matched(table, limit - _SAME) for limit in limits])
    return matched / (count - matched)


def _matched(table: Contingency, limit: float) -> int:
    """Size of the largest one-to-one matching among the pairs with an IoU above `limit`."""
    passes = table.iou > limit
    if limit > 0.5 or not passes.any():  # no object lies by more than half in two others
        return int(passes.sum())
    pairs = (table.true_index[passes], table.pred_index[passes])
    graph = csr_array((np.ones(passes.sum(), bool), pairs), shape=(table.true_area.size, table.pred_area.size))
    return int((maximum_bipartite_matching(graph) >= 0).sum())


def _values(table: Contingency) -> tuple[float, ...]:
    precision = average_precision(table)
    return (*precision.tolist(), float(precision.mean()))


_SINGLE = [
    Score(f"ap_{percent}", f"AP.{percent}", f"average precision at an IoU of .{percent}", summary=False)
    for percent in (round(100 * threshold) for threshold in THRESHOLDS)
]
METRIC = Metric((*_SINGLE, Score("map", "mAP", "mean average precision over IoU of .50 to .90", drawn=True)), _values)
