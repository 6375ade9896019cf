"""Numbers of objects in images and volumes."""

from study.metrics.registry import Metric, Score

METRIC = Metric(
    (
        Score("n_true", "true objects", "", None, ".0f", bounds=(0, None), summary=False),
        Score("n_pred", "found objects", "", None, ".0f", bounds=(0, None), summary=False),
    ),
    lambda table: (table.true_area.size, table.pred_area.size),
    kinds=("images", "volumes"),
)
