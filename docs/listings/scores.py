"""All scores that are registered."""

from __future__ import annotations

from listings.tables import code, table
from study.metrics.registry import COST, KINDS, METRICS, Score

_DIRECTIONS = {True: "more", False: "less", None: ""}


def scores() -> str:
    """A table of all scores, in the order of their columns."""
    rows = [
        [score.label, code(score.key), score.name, _DIRECTIONS[score.higher_is_better], _range(score), kinds]
        for metric in METRICS
        for kinds in [", ".join(kind for kind in KINDS if kind in metric.kinds)]
        for score in metric.scores
        if score.group != COST  # columns of tables, but no scores
    ]
    return table(["score", "column", "what it is", "better", "range", "data"], rows)


def _range(score: Score) -> str:
    low, high = score.bounds
    if low is None:
        return ""
    return f"from {low:g}" if high is None else f"{low:g} to {high:g}"
