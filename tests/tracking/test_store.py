import json
import sqlite3

import mlflow
import pytest

from study import tracking
from study.errors import StudyError
from study.shared_view import shared_view
from study.tracking import connect, share_view


def test_connect_makes_the_experiment_once(store):
    first = connect()
    assert store.get_experiment(first).name == "pixel-embeddings"
    assert connect() == first


def test_the_environment_names_the_experiment(store, monkeypatch):
    named = store.create_experiment("mine")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert connect() == named
    other = store.create_experiment("other")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", other)
    assert connect() == other
    monkeypatch.setenv("MLFLOW_RUN_ID", store.create_run(named).info.run_id)
    assert connect() == named


def test_without_a_named_store_it_is_a_file_in_the_working_folder(store, monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert connect() == connect()
    assert mlflow.get_tracking_uri() == "sqlite:///mlflow.db"
    assert (tmp_path / "mlruns" / connect()).is_dir()


def test_a_deleted_experiment_is_named(store):
    store.delete_experiment(connect())
    with pytest.raises(StudyError, match="experiment 'pixel-embeddings' is deleted"):
        connect()


@pytest.mark.parametrize("fault", ["no database", "folder in a file", "a folder", "scheme", "artifacts"])
def test_a_store_that_does_not_work_is_told_at_once(fault, store, monkeypatch, tmp_path):
    (tmp_path / "text").write_text("no database " * 100)
    (tmp_path / "folder").mkdir()
    address = {
        "no database": f"sqlite:///{tmp_path}/text",
        "folder in a file": f"sqlite:///{tmp_path}/text/mlflow.db",
        "a folder": f"sqlite:///{tmp_path}/folder",
        "scheme": "nonsense://x",
    }.get(fault, f"sqlite:///{tmp_path}/mlflow.db")
    if fault == "artifacts":
        (tmp_path / "mlruns").write_text("a file where the folder should be")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(StudyError, match=r"the MLflow store .* does not answer \(.+\).* MLFLOW_TRACKING_URI") as error:
        connect()
    assert address in str(error.value)
    assert "\n" not in str(error.value)


def test_a_store_that_another_process_reads_is_taken(store, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as other:
        other.execute("SELECT * FROM runs")
        assert connect()


@pytest.mark.parametrize("server", ["", "http://tracking.example:8080"])
def test_a_view_is_kept_and_its_address_told(server, store, monkeypatch):
    experiment = connect()
    view = shared_view("abc", ["network.name"], [], 0)
    monkeypatch.setattr(tracking.store, "current_store", lambda: server or "sqlite:///mlflow.db")
    told = share_view(experiment, "lambda", view).splitlines()
    assert json.loads(store.get_experiment(experiment).tags["mlflow.sharedViewState.lambda"]) == view
    assert told[:-2] == ([] if server else ["mlflow ui --backend-store-uri sqlite:///mlflow.db"])
    page = f"{server or 'http://127.0.0.1:5000'}/#/experiments/{experiment}/runs?viewStateShareKey=lambda&"
    for line, word in zip(told[-2:], ("scores", "pictures and curves"), strict=True):
        assert line.startswith(f"{word}: {page}")
