import errno
import shutil
import sqlite3

import numpy as np
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from sqlalchemy.exc import OperationalError

from study.errors import StudyError
from study.files import WriteError
from study.tracking import connect, reason_of, start_run, told_if_gone
from study.tracking.faults import FileClient, StoreGoneError, is_gone


@pytest.mark.usefixtures("store")
def test_a_store_that_goes_away_while_it_is_used(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    told = r"has gone away \(.+\): start it again, and launch again to go on"
    with pytest.raises(StoreGoneError, match=told), told_if_gone():
        MlflowClient("http://127.0.0.1:9").get_run("abc")
    with pytest.raises(MlflowException, match="something else"), told_if_gone():
        raise MlflowException("something else")
    with pytest.raises(StudyError, match="as it is"), told_if_gone():
        raise StudyError("as it is")


def from_sqlite(words, kind=sqlite3.OperationalError):
    """As MLflow raises it."""
    cause = kind(words)
    error = OperationalError("INSERT", {}, cause)
    error.__cause__ = cause
    found = MlflowException("60 lines")
    found.__cause__ = error
    return found


@pytest.mark.parametrize(
    ("words", "kind", "fix"),
    [
        ("database or disk is full", sqlite3.OperationalError, "free disk space or rights, and launch again"),
        ("disk I/O error", sqlite3.OperationalError, "free disk space or rights, and launch again"),
        ("database disk image is malformed", sqlite3.DatabaseError, "put a copy that is whole in its place, or name"),
        ("database is locked", sqlite3.OperationalError, "end the program that holds it"),
    ],
)
def test_a_file_that_can_be_used_no_more(words, kind, fix, store):
    with pytest.raises(StoreGoneError) as error, told_if_gone():
        raise from_sqlite(words, kind)
    assert str(error.value).startswith("cannot use the MLflow store sqlite:///")
    assert f" any more ({words}): {fix}" in str(error.value)
    assert is_gone(error.value)


@pytest.mark.usefixtures("store")
def test_faults_of_a_query_are_ours():
    with pytest.raises(MlflowException), told_if_gone():
        raise from_sqlite("no such column: x")


def test_a_database_server_that_is_gone():
    assert is_gone(OperationalError("SELECT 1", {}, Exception("server closed the connection unexpectedly")))


LOGGED = {
    "text": lambda run: run.log_text("a", "a.txt"),
    "table": lambda run: run.log_table(pd.DataFrame({"a": [1]}), "a"),
    "picture": lambda run: run.log_image(np.zeros((2, 2, 3), np.uint8), "a", 0),
    "arrays": lambda run: run.log_arrays({"a": np.zeros(2)}, "a.npz"),
    "folder": lambda run: run.log_folder(run.folder, "below"),
}


@pytest.mark.parametrize("what", LOGGED)
def test_a_full_disk_below_the_files_of_a_run(what, store, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    def none_copied(*_, **__):
        raise shutil.Error([("a", "b", "[Errno 28] No space left on device"), ("c", "d", "and so on")])

    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a").touch()
    run = start_run(connect(), "run", "", {})
    run.folder = tmp_path / "files"
    monkeypatch.setattr(LocalArtifactRepository, "log_artifact", full)
    monkeypatch.setattr(LocalArtifactRepository, "log_artifacts", none_copied)
    with pytest.raises(WriteError) as error:
        LOGGED[what](run)
    place = store.get_run(run.run_id).info.artifact_uri
    assert f"cannot write the files of run {run.run_id} into {place}, by way of " in str(error.value)
    assert str(error.value).endswith(": No space left on device; free disk space or rights, then launch again to go on")


def test_the_answer_of_a_server_is_no_full_disk(store, monkeypatch):
    def refuse(*_):
        raise requests.HTTPError("413 Request Entity Too Large")

    monkeypatch.setattr(LocalArtifactRepository, "log_artifact", refuse)
    run_id = store.create_run(connect()).info.run_id
    with pytest.raises(requests.HTTPError):
        FileClient().log_text(run_id, "a", "a.txt")


def test_why_a_run_failed():
    assert reason_of(StudyError("fix this")) == "fix this"
    assert reason_of(ValueError("odd")) == "ValueError: odd"
    full = OSError(errno.ENOSPC, "No space left on device", "/data/a.png")
    assert reason_of(full) == (
        "the disk is full, at /data/a.png (No space left on device): free space on it, then start again"
    )
