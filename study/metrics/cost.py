"""What a run costs, as it stands next to its scores; runs log it as metrics ``perf/…``."""

from study.metrics.registry import COST, Metric, Score

METRIC = Metric(
    (
        Score("parameters", "parameters", "", None, ",.0f", COST, (0, None), summary=False),
        Score("training_seconds", "training, s", "", None, ".0f", COST, (0, None), summary=False),
    )
)
