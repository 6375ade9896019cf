"""Which store and experiment runs are logged to."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Experiment, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _get_latest_schema_revision
from mlflow.tracking.default_experiment import DEFAULT_EXPERIMENT_ID
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy.engine import make_url
from tqdm import tqdm

from study.errors import StudyError, first_line
from study.files import WriteError, check_writable
from study.process import quiet_libraries
from study.tracking.faults import is_gone, refusal_of_file
from study.tracking.moved import follow

DEFAULT_STORE = "sqlite:///mlflow.db"
DEFAULT_EXPERIMENT = "pixel-embeddings"


def connect() -> str:
    """Choose the store and the experiment, and make sure that both answer.

    `MLFLOW_TRACKING_URI` wins over a SQLite file in the working folder, and an experiment that `mlflow run` or the
    environment names over `DEFAULT_EXPERIMENT`. MLflow's own, `Default`, counts as none: it is what `mlflow run` takes
    where it is told nothing.

    Returns
    -------
    str
        Id of the experiment.

    Raises
    ------
    StudyError
        If the store does not answer, refuses or cannot be written, or the experiment is deleted.
    """
    store = _with_home(os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE)
    use_store(store)
    try:
        with few_retries(), store_lock():
            _prepare_file(store)
            experiment = _experiment(MlflowClient())
        if is_local_uri(experiment.artifact_location):
            _prepare_folder(experiment, Path(local_file_uri_to_path(experiment.artifact_location)))
    except Exception as error:  # each kind of store raises its own
        if isinstance(error, StudyError) and not isinstance(error, WriteError):
            raise
        raise StudyError(f"the MLflow store {store} {_what_is_wrong(error)}") from error
    if experiment.lifecycle_stage != "active":
        raise StudyError(
            f"the MLflow experiment {experiment.name!r} is deleted: restore it, or name another by "
            "MLFLOW_EXPERIMENT_NAME"
        )
    return experiment.experiment_id


def _with_home(store: str) -> str:
    """The address of a store, of a SQLite file with `~` written out."""
    start, tilde, rest = store.partition(":///~/")
    return f"{start}:///{Path.home()}/{rest}" if tilde else store


def _prepare_folder(experiment: Experiment, folder: Path) -> None:
    """Make the folder of an experiment's files, and see that files can be written into it.

    Where the experiment has runs, and the folder above that of all experiments is gone too, it has been moved, and is
    not made again.
    """
    if not folder.parent.parent.is_dir() and MlflowClient().search_runs([experiment.experiment_id], max_results=1):
        raise StudyError(
            f"the files of the MLflow experiment {experiment.name!r} were in {folder}, which is gone: move it back "
            f"there, or beside the store as {folder.parent.name}, or name another experiment by MLFLOW_EXPERIMENT_NAME"
        )
    check_writable(folder)


@contextmanager
def few_retries() -> Iterator[None]:
    """Let a server that is not there be told within seconds; later MLflow waits two minutes for one that comes back."""
    name = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
    if name in os.environ:
        yield
        return
    os.environ[name] = "2"
    try:
        yield
    finally:
        del os.environ[name]


def _what_is_wrong(error: Exception) -> str:
    """Why a store cannot be used, and what fixes that."""
    if is_gone(error) and not refusal_of_file(error):
        return f"does not answer ({first_line(error)}): start the server, or correct MLFLOW_TRACKING_URI"
    if isinstance(error, MlflowException) and error.get_http_status_code() in (401, 403):
        return (
            f"refuses you ({first_line(error)}): set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
            "MLFLOW_TRACKING_TOKEN, to those of a user who may write"
        )
    return f"cannot be used ({first_line(error)}): fix what is there, or name another store by MLFLOW_TRACKING_URI"


@contextmanager
def store_lock() -> Iterator[None]:
    """Let one process at a time do what MLflow cannot do twice at once in a SQLite file.

    That is: make its tables, an experiment of a name, and what `add_shared` adds.
    """
    file = _sqlite_file(current_store())
    if file is None:
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # whoever may write to the store must be able to lock it
    with FileLock(f"{file}.lock", mode=file.stat().st_mode & 0o666 if file.exists() else 0o644):
        yield


def add_shared(add: Callable[[], object]) -> None:
    """Add to the store what another process may add in the same moment: a tag of an experiment, a data set, an alias.

    MLflow looks whether it is there, and writes it anew if not, so that of two processes that do so at once one is
    refused; asked again, it finds what is there. Servers and databases have no lock for it, nor do other programs.
    """
    with store_lock():
        try:
            add()
        except MlflowException as error:
            if error.error_code != "BAD_REQUEST":  # which a constraint of the database gives, too
                raise
            add()


def _sqlite_file(store: str) -> Path | None:
    """The file of a SQLite store."""
    file = make_url(store).database if store.startswith("sqlite:") else None
    return Path(file) if file else None


def _prepare_file(store: str) -> None:
    """Open a SQLite store for writing, for which MLflow would try minutes long, and let several processes write to it.

    With a write-ahead log, readers and a writer do not wait for each other.
    """
    if (file := _sqlite_file(store)) is not None:
        if file.exists() and (sentence := _upgrade_of(file) or follow(file)):
            tqdm.write(sentence)
        with closing(sqlite3.connect(file, timeout=60)) as base:
            base.execute("PRAGMA journal_mode = wal")
            base.execute("BEGIN IMMEDIATE")


def _upgrade_of(file: Path) -> str:
    """A sentence on a store that MLflow will upgrade when it opens it; empty for any other."""
    with closing(sqlite3.connect(file, timeout=60)) as base:
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            return ""
        version = base.execute("SELECT version_num FROM alembic_version").fetchone()
    if version is None or version[0] == _get_latest_schema_revision():
        return ""
    return (
        f"the store {file} was made by another version of MLflow, and is now upgraded to {mlflow.__version__}: older "
        "versions will not open it any more"
    )


def _experiment(client: MlflowClient) -> Experiment:
    """The experiment that `mlflow run`, the environment or else the default names; made if it is not there."""
    chosen = os.environ.get("MLFLOW_EXPERIMENT_ID")
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        chosen = client.get_run(run_id).info.experiment_id
    if chosen:
        experiment = client.get_experiment(chosen)
        if (experiment.experiment_id, experiment.name) != (DEFAULT_EXPERIMENT_ID, Experiment.DEFAULT_EXPERIMENT_NAME):
            return experiment
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    found = client.get_experiment_by_name(name)
    try:
        return found or client.get_experiment(client.create_experiment(name))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        made_meanwhile = client.get_experiment_by_name(name)  # by another launch
        assert made_meanwhile is not None
        return made_meanwhile


def check_reachable(experiment_id: str) -> None:
    """Raise a StudyError where only this machine can write to the store, or keep files in an experiment of it."""
    store, place = current_store(), MlflowClient().get_experiment(experiment_id).artifact_location
    if store.startswith("sqlite:") or is_local_uri(store):
        raise StudyError(
            f"workers on other machines cannot write to {store}: start an MLflow server that they reach, and name it "
            "by MLFLOW_TRACKING_URI"
        )
    if is_local_uri(place):
        raise StudyError(
            f"workers on other machines cannot keep files in {place}, the folder of the experiment's artifacts: start "
            "the MLflow server with --serve-artifacts --artifacts-destination, and name another experiment by "
            "MLFLOW_EXPERIMENT_NAME"
        )


def active_experiments() -> list[str]:
    """Ids of all experiments of the store that are not deleted."""
    found = MlflowClient().search_experiments(ViewType.ACTIVE_ONLY, max_results=10_000)
    return [experiment.experiment_id for experiment in found]


def use_store(store: str) -> None:
    """Let MLflow write to `store`, and say only what matters."""
    quiet_libraries()
    mlflow.set_tracking_uri(store)


def current_store() -> str:
    """Address of the store in use."""
    return mlflow.get_tracking_uri()


def set_experiment_tag(experiment_id: str, name: str, value: str) -> None:
    """Set a tag of an experiment, which other launches may set at this moment."""
    add_shared(lambda: MlflowClient().set_experiment_tag(experiment_id, name, value))


def share_view(experiment_id: str, name: str, view: dict[str, Any]) -> str:
    """Keep a view of the experiment page, see `study.tracking.page_view.shared_view`, under a name.

    Gives how to open it: a command where the store is a file, and the addresses of table and pictures.
    """
    set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{name}", json.dumps(view))
    start, server = _server()
    page = f"{server}/#/experiments/{experiment_id}/runs?viewStateShareKey={name}&workflowType=machine_learning"
    return f"{start}scores: {page}\npictures and curves: {page}&compareRunsMode=CHART"


def how_to_open(run_id: str) -> str:
    """How to open the page of a run: a command where the store is a file, and the address."""
    experiment = MlflowClient().get_run(run_id).info.experiment_id
    return f"{_server()[0]}run: {page_of_run(experiment, run_id)}"


def page_of_run(experiment_id: str, run_id: str) -> str:
    """Address of the page of a run; that of a store on this machine is there while `mlflow ui` runs."""
    return f"{_server()[1]}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def _server() -> tuple[str, str]:
    """The line with the command that starts MLflow's page, where the store is a file, and the address of the page."""
    store = current_store()
    if store.startswith("http"):
        return "", store
    return f"mlflow ui --backend-store-uri {store}\n", "http://127.0.0.1:5000"
