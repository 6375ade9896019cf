"""Which store and experiment runs are logged to."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy.engine import make_url

from study.errors import StudyError

DEFAULT_STORE = "sqlite:///mlflow.db"
DEFAULT_EXPERIMENT = "pixel-embeddings"


def connect() -> str:
    """Choose the store and the experiment, and make sure that both answer.

    `MLFLOW_TRACKING_URI` and the experiment that `mlflow run` or the environment names win over the defaults, a SQLite
    file in the working folder.

    Returns
    -------
    str
        Id of the experiment.

    Raises
    ------
    StudyError
        If the store does not answer or cannot be written, or the experiment is deleted.
    """
    store = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    use_store(store)
    try:
        with store_lock():
            _prepare_file(store)
            experiment = _experiment(MlflowClient())
        if is_local_uri(experiment.artifact_location):
            Path(local_file_uri_to_path(experiment.artifact_location)).mkdir(parents=True, exist_ok=True)
    except Exception as error:  # each kind of store raises its own
        reason = str(error).strip().splitlines()[0][:200]
        raise StudyError(
            f"the MLflow store {store} does not answer ({reason}): start the server, or mend MLFLOW_TRACKING_URI"
        ) from error
    if experiment.lifecycle_stage != "active":
        raise StudyError(
            f"the MLflow experiment {experiment.name!r} is deleted: restore it, or name another by "
            "MLFLOW_EXPERIMENT_NAME"
        )
    return experiment.experiment_id


@contextmanager
def store_lock() -> Iterator[None]:
    """Let one process at a time do what MLflow cannot do twice at once in a SQLite file.

    That is: make its tables, an experiment of a name, and the entry of a data set.
    """
    file = _sqlite_file(current_store())
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{file}.lock"):
        yield


def _sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store."""
    file = make_url(store).database if store.startswith("sqlite:") else None
    return Path(file) if file else None


def _prepare_file(store: str) -> None:
    """Open a SQLite store for writing, for which MLflow would try minutes long, and let several processes write to it.

    With a write-ahead log, readers and a writer do not wait for each other.
    """
    if (file := _sqlite_file(store)) is not None:
        with closing(sqlite3.connect(file, timeout=60)) as base:
            base.execute("PRAGMA journal_mode = wal")
            base.execute("BEGIN IMMEDIATE")


def _experiment(client: MlflowClient) -> Experiment:
    """The experiment that `mlflow run`, the environment or the default names; made if it is not there."""
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        return client.get_experiment(client.get_run(run_id).info.experiment_id)
    if experiment_id := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return client.get_experiment(experiment_id)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    return client.get_experiment_by_name(name) or client.get_experiment(client.create_experiment(name))


def use_store(store: str) -> None:
    """Let MLflow write to `store`, and say only what matters."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(store)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def current_store() -> str:
    """Address of the store in use."""
    return mlflow.get_tracking_uri()


def share_view(experiment_id: str, name: str, view: dict[str, Any]) -> str:
    """Keep a view of the experiment page, as of `shared_view`, under a name.

    Returns
    -------
    str
        How to open it: a command where the store is a file, and the addresses of table and pictures.
    """
    MlflowClient().set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{name}", json.dumps(view))
    store = current_store()
    server = store if store.startswith("http") else "http://127.0.0.1:5000"
    page = f"{server}/#/experiments/{experiment_id}/runs?viewStateShareKey={name}&workflowType=machine_learning"
    start = "" if store == server else f"mlflow ui --backend-store-uri {store}\n"
    return f"{start}scores: {page}\npictures and curves: {page}&compareRunsMode=CHART"
