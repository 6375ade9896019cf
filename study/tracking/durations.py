"""How long earlier runs took."""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import Run

from study.tracking.store import active_experiments

_NEWEST = 20


def run_seconds(tag: str, value: str) -> list[float]:
    """Seconds of the newest finished runs that have trained a network and have that tag, in any experiment.

    That is from their begin to their end. One that went on from a checkpoint has trained longer than it took.
    """
    condition = f"tags.`{tag}` = '{value}' and attributes.status = 'FINISHED'"
    newest_first = ["attributes.start_time DESC"]
    found = MlflowClient().search_runs(active_experiments(), condition, max_results=_NEWEST, order_by=newest_first)
    return [_seconds(run) for run in found]


def _seconds(run: Run) -> float:
    took = ((run.info.end_time or 0) - run.info.start_time) / 1000
    return max(took, run.data.metrics.get("perf/training_seconds", 0.0))
