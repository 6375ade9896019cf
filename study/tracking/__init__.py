"""The only package that knows MLflow."""

from study.tracking.known import FinishedRun, Scores, copy_run, finished_run, load_run, read_scores, run_with_network
from study.tracking.life import beating, end_abandoned
from study.tracking.reading import (
    StoredRun,
    children_of,
    files_in,
    imported_runs,
    launches,
    metric_curve,
    stored_picture,
    stored_run,
    stored_scores,
    stored_settings,
    stored_text,
    training_of,
)
from study.tracking.registry import MODEL_FOLDER, fetch_model, register_model
from study.tracking.run import (
    Point,
    TrackedRun,
    name_given_run,
    picture_key,
    reason_of,
    start_run,
    tuned_settings,
    working_on,
)
from study.tracking.store import connect, current_store, share_view, use_store

__all__ = [
    "MODEL_FOLDER",
    "FinishedRun",
    "Point",
    "Scores",
    "StoredRun",
    "TrackedRun",
    "beating",
    "children_of",
    "connect",
    "copy_run",
    "current_store",
    "end_abandoned",
    "fetch_model",
    "files_in",
    "finished_run",
    "imported_runs",
    "launches",
    "load_run",
    "metric_curve",
    "name_given_run",
    "picture_key",
    "read_scores",
    "reason_of",
    "register_model",
    "run_with_network",
    "share_view",
    "start_run",
    "stored_picture",
    "stored_run",
    "stored_scores",
    "stored_settings",
    "stored_text",
    "training_of",
    "tuned_settings",
    "use_store",
    "working_on",
]
