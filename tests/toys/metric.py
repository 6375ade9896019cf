"""A metric in one file: the share of found objects that cover parts of several true ones."""

from __future__ import annotations

import numpy as np

from study.metrics.contingency import Contingency
from study.metrics.registry import Metric, Score


def merged_share(table: Contingency) -> float:
    """Share of predicted objects that overlap two true objects or more; 0 without a predicted object."""
    covered = np.bincount(table.pred_index, minlength=table.pred_area.size)
    return float((covered > 1).mean()) if covered.size else 0.0


METRIC = Metric(
    [
        Score(
            "merged",
            "merged",
            "share of found objects that cover several true ones",
            higher_is_better=False,
            form=".4f",
            drawn=True,
        )
    ],
    lambda table: [merged_share(table)],
)
