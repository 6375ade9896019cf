"""Scores of the leaf segmentation challenge: symmetric best Dice, foreground Dice, difference in count.

Every function takes two label images (int arrays of one shape, 0 = background), or one `Contingency` in place of
both, and raises ValueError as `Contingency.of` does.
"""

from __future__ import annotations

import numpy as np

from study.metrics.contingency import Contingency
from study.metrics.registry import LEGACY, TRUE, Metric, Score


def best_dice(a: np.ndarray | Contingency, b: np.ndarray | None = None) -> float:
    """Mean over the objects of `a` of the largest Dice with an object of `b`, in [0, 1] (Scharr et al. 2016).

    An object without overlap counts 0. Both images empty: 1; one of them empty: 0 (the official script says 0 to
    both, takes the lowest label as background and counts gaps in the ids as objects).

    With a `Contingency` as `a` the mean runs over its true objects.
    """
    table = Contingency.of(a, b)
    if not table.true_area.size or not table.pred_area.size:
        return float(table.true_area.size == table.pred_area.size)
    best = np.zeros(table.true_area.size)
    np.maximum.at(best, table.true_index, table.dice)
    return float(best.mean())


def foreground_dice(true: np.ndarray | Contingency, pred: np.ndarray | None = None) -> float:
    """FBD, the Dice coefficient of the two foregrounds, in [0, 1]. Both empty: 1 (official script: 0)."""
    table = Contingency.of(true, pred)
    total = table.true_area.sum() + table.pred_area.sum()
    return float(2 * table.overlap.sum() / total) if total else 1.0


def _values(table: Contingency) -> tuple[float, ...]:
    of_true, of_pred = best_dice(table), best_dice(table.transposed)
    difference = table.pred_area.size - table.true_area.size  # distinct ids are counted, whatever their components
    scores = (min(of_true, of_pred), max(of_true, of_pred), of_true, of_pred)
    return (*scores, foreground_dice(table), difference, abs(difference))


# The legacy SBD is the reading that fits best of what the challenge's server reported until the end of 2021, and older
# papers print; it is not known for a fact.
METRIC = Metric(
    (
        Score("sbd", "SBD", "symmetric best Dice, the smaller best Dice of an image", group=TRUE, drawn=True),
        Score(
            "sbd_legacy",
            "legacy SBD",
            "the larger best Dice, as far as can be told the leaderboard's SBD until 2022",
            group=LEGACY,
        ),
        Score("best_dice_true", "best Dice of true objects", "mean over the true objects", summary=False),
        Score("best_dice_pred", "best Dice of found objects", "mean over the found objects", summary=False),
        Score("fbd", "FBD", "Dice of the foreground"),
        Score("dic", "DiC", "objects found less true ones", None, "+.2f", bounds=(None, None), summary=False),
        Score("abs_dic", "|DiC|", "size of the difference in count", False, ".2f", bounds=(0, None)),
    ),
    _values,
)
