"""A metric in one file: the share of found objects that cover parts of several true ones."""

import numpy as np

from study.metrics import Contingency, Metric, Score, register


def merged_share(table: Contingency) -> float:
    """Share of predicted objects that overlap two true objects or more; 0 without a predicted object."""
    covered = np.bincount(table.pred_index, minlength=table.pred_area.size)
    return float((covered > 1).mean()) if covered.size else 0.0


SCORE = Score("merged", "merged", "share of found objects that cover several true ones", False, ".4f", drawn=True)
register(Metric([SCORE], lambda table: [merged_share(table)]))
