"""The only package that knows MLflow."""

from study.tracking.known import FinishedRun, copy_run, finished_run, load_run, read_scores, run_with_network
from study.tracking.life import beating, end_abandoned
from study.tracking.run import Point, TrackedRun, picture_key, reason_of, start_run, working_on
from study.tracking.store import connect, current_store, share_view, use_store

__all__ = [
    "FinishedRun",
    "Point",
    "TrackedRun",
    "beating",
    "connect",
    "copy_run",
    "current_store",
    "end_abandoned",
    "finished_run",
    "load_run",
    "picture_key",
    "read_scores",
    "reason_of",
    "run_with_network",
    "share_view",
    "start_run",
    "use_store",
    "working_on",
]
