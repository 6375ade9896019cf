"""Faults of a store and of the disks below it: what they are called, and how a run ends by them."""

from __future__ import annotations

import functools
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import mlflow
from mlflow import MlflowClient
from requests import exceptions as http
from sqlalchemy.exc import OperationalError

from study.errors import StudyError, first_line
from study.files import WriteError, full_disk_in_words, reason_in_words

STOPPED = "the launch was stopped"  # reason of runs that did not get to their end, nor failed
_DISK = "free disk space or rights, and launch again to go on"
_DAMAGED = "put a copy that is whole in its place, or name another store by MLFLOW_TRACKING_URI"
_SQLITE = {  # what SQLite says of its file, and what fixes that
    "database or disk is full": _DISK,
    "disk I/O error": _DISK,
    "attempt to write a readonly database": _DISK,
    "unable to open database file": _DISK,
    "database disk image is malformed": _DAMAGED,
    "file is not a database": _DAMAGED,
    "database is locked": "end the program that holds it, and launch again to go on",
}
_Log = TypeVar("_Log", bound=Callable[..., None])


class StoreGoneError(StudyError):
    """The store has gone away while it was in use, or takes nothing any more."""


@contextmanager
def told_if_gone() -> Iterator[None]:
    """Tell in a sentence that the store has gone away while it was in use, and how to go on."""
    try:
        yield
    except Exception as error:  # SQLAlchemy raises its own
        if isinstance(error, StudyError) or not (words := gone_in_words(error)):
            raise
        raise StoreGoneError(words) from error


def gone_in_words(error: Exception) -> str:
    """A sentence on an error that is that of a store that has gone away; empty for all other errors."""
    if not is_gone(error):
        return ""
    store = mlflow.get_tracking_uri()
    if said := refusal_of_file(error):
        return f"cannot use the MLflow store {store} any more ({said}): {_SQLITE[said]}"
    return f"the MLflow store {store} has gone away ({first_line(error)}): start it again, and launch again to go on"


def is_gone(error: BaseException) -> bool:
    """Whether an error is that a store does not answer any more, or that its file can be used no more."""
    if isinstance(error, StoreGoneError) or refusal_of_file(error):
        return True
    for cause in _causes(error):
        silent = isinstance(cause, http.ConnectionError | http.Timeout)
        if silent and not isinstance(cause, http.SSLError | http.ProxyError):  # for which there was an answer
            return True
        if isinstance(cause, OperationalError) and not isinstance(cause.orig, sqlite3.Error):  # of a database server
            return True
    return False


def refusal_of_file(error: BaseException) -> str:
    """What SQLite says where its file is at fault, such as on a full disk; empty for all other errors."""
    told = [str(cause) for cause in _causes(error) if isinstance(cause, sqlite3.DatabaseError)]
    return next((words for words in told if words in _SQLITE), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def reason_of(error: BaseException) -> str:
    """Why a run failed, in a sentence."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    if isinstance(error, StudyError):
        return str(error)
    return full_disk_in_words(error) or f"{type(error).__name__}: {error}"


def status_after(error: BaseException) -> str:
    """How a run ends that an error has left: whoever stops it has not made it fail."""
    return "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"


def _told(log: _Log) -> _Log:
    """Let a method that writes a file of a run raise a WriteError where it cannot."""

    @functools.wraps(log)
    def told(client: MlflowClient, run_id: str, *given: Any, **named: Any) -> None:
        try:
            log(client, run_id, *given, **named)
        except OSError as error:
            if error.errno is None and not isinstance(error, shutil.Error):  # the answer of a server
                raise
            place = client.get_run(run_id).info.artifact_uri
            raise WriteError(
                f"cannot write the files of run {run_id} into {place}, by way of {tempfile.gettempdir()}: "
                f"{reason_in_words(error)}; free disk space or rights, then launch again to go on"
            ) from error

    return cast(_Log, told)


class FileClient(MlflowClient):
    """MLflow's client, but for a sentence where a file of a run cannot be written."""

    log_artifact = _told(MlflowClient.log_artifact)
    log_artifacts = _told(MlflowClient.log_artifacts)
    log_dict = _told(MlflowClient.log_dict)
    log_figure = _told(MlflowClient.log_figure)
    log_image = _told(MlflowClient.log_image)
    log_table = _told(MlflowClient.log_table)
    log_text = _told(MlflowClient.log_text)
