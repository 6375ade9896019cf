import http.server
import json
import os
import shutil
import sqlite3
import threading
from contextlib import closing, contextmanager
from types import SimpleNamespace

import mlflow
import pytest
from mlflow.entities import Dataset, DatasetInput
from sqlalchemy import event
from sqlalchemy.orm import Session

from study import tracking
from study.errors import StudyError
from study.metrics import score_of
from study.tracking import connect, current_store, share_view
from study.tracking.page_view import shared_view
from study.tracking.store import _upgrade_of, add_shared


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


@pytest.fixture
def meanwhile():
    """Let another program do something just before the next row is written to the store."""
    waiting = []

    def before_flush(*_):
        if waiting:
            waiting.pop()()

    event.listen(Session, "before_flush", before_flush)
    yield waiting.append
    event.remove(Session, "before_flush", before_flush)
    assert not waiting


@pytest.mark.parametrize(
    ("add", "read"),
    [
        (
            lambda client, run: client.set_experiment_tag(run.experiment_id, "kind", "leaves"),
            lambda client, run: client.get_experiment(run.experiment_id).tags["kind"],
        ),
        (
            lambda client, run: client.log_inputs(run.run_id, [DatasetInput(Dataset("leaves", "abc", "local", "{}"))]),
            lambda client, run: client.get_run(run.run_id).inputs.dataset_inputs[0].dataset.name,
        ),
        (
            lambda client, _: client.set_registered_model_alias("leaves", "best", "1"),
            lambda client, _: client.get_model_version_by_alias("leaves", "best").name,
        ),
    ],
    ids=["tag", "data set", "alias"],
)
def test_what_another_program_adds_in_the_same_moment(add, read, store, meanwhile):
    experiment = connect()
    run, other = (store.create_run(experiment).info for _ in range(2))
    store.create_registered_model("leaves")
    store.create_model_version("leaves", "somewhere")
    meanwhile(lambda: add(store, other))
    add_shared(lambda: add(store, run))
    assert read(store, run) == "leaves"


def test_shared_tags_of_two_launches_that_end_together(store, meanwhile):
    experiment = connect()
    meanwhile(lambda: store.set_experiment_tag(experiment, "mlflow.sharedViewState.lambda", "theirs"))
    share_view(experiment, "lambda", {"mine": 1})
    assert store.get_experiment(experiment).tags["mlflow.sharedViewState.lambda"] == '{"mine": 1}'


def test_what_the_store_refuses_is_not_asked_for_twice(store):
    asked = []

    def refused():
        asked.append(1)
        store.set_experiment_tag("no such experiment", "kind", "leaves")

    with pytest.raises(mlflow.MlflowException):
        add_shared(refused)
    assert len(asked) == 1


def test_mlflows_own_experiment_counts_as_none(store, monkeypatch):
    """`mlflow run` sets it where it is told nothing."""
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    own = connect()
    assert store.get_experiment(own).name == "pixel-embeddings"
    monkeypatch.setenv("MLFLOW_RUN_ID", store.create_run("0").info.run_id)
    assert connect() == own
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert store.get_experiment(connect()).name == "mine"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "Default")
    assert connect() == "0"


def test_an_experiment_that_another_launch_makes_meanwhile(store, monkeypatch):
    made, looked_up = connect(), []
    get = mlflow.MlflowClient.get_experiment_by_name

    def not_at_first(client, name):
        looked_up.append(name)
        return get(client, name) if len(looked_up) > 1 else None

    monkeypatch.setattr(mlflow.MlflowClient, "get_experiment_by_name", not_at_first)
    assert connect() == made
    assert len(looked_up) == 2


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
    with pytest.raises(StudyError, match=r"the MLflow store .* cannot be used \(.+\): .* MLFLOW_TRACKING_URI") as error:
        connect()
    assert address in str(error.value)
    assert "\n" not in str(error.value)


@contextmanager
def answering(status, text):
    """A server that gives the same answer to all requests; gives its address."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("status", "text", "words"),
    [
        (401, "You are not authenticated.", "error code 401 != 200. Response body: 'You are not authenticated.'): set"),
        (401, '{"error_code": "UNAUTHENTICATED", "message": "no"}', "refuses you (UNAUTHENTICATED: no): set MLFLOW_TR"),
        (403, '{"error_code": "PERMISSION_DENIED", "message": "no"}', "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_T"),
        (200, "<html>Welcome</html>", "<html>Welcome</html>'): fix what is there, or name another store by MLFLOW_T"),
        (404, "gone", "cannot be used (API request to endpoint"),
    ],
)
def test_a_server_that_answers_need_not_be_started(status, text, words, monkeypatch):
    with answering(status, text) as address:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(StudyError) as error:
            connect()
    assert str(error.value).startswith(f"the MLflow store {address} ")
    assert words in str(error.value)
    assert "start the server" not in str(error.value)


@pytest.mark.usefixtures("store")
def test_a_server_that_is_not_there_is_to_be_started(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        StudyError, match=r"store http://127.0.0.1:9 does not answer \(.+\): start the server, or correct"
    ):
        connect()


@pytest.mark.usefixtures("store")
def test_an_error_without_words_is_told_by_its_kind(monkeypatch):
    def fail(_):
        raise TimeoutError

    monkeypatch.setattr(tracking.store, "_experiment", fail)
    with pytest.raises(StudyError, match=r"cannot be used \(TimeoutError\): "):
        connect()


def test_a_store_that_another_process_reads_is_taken(store, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as other:
        other.execute("SELECT * FROM runs")
        assert connect()


@pytest.mark.parametrize("server", ["", "http://tracking.example:8080"])
def test_a_view_is_kept_and_its_address_told(server, store, monkeypatch):
    experiment = connect()
    view = shared_view("abc", ["network.name"], [], 0, [score_of("sbd")])
    monkeypatch.setattr(tracking.store, "current_store", lambda: server or "sqlite:///mlflow.db")
    told = share_view(experiment, "lambda", view).splitlines()
    assert json.loads(store.get_experiment(experiment).tags["mlflow.sharedViewState.lambda"]) == view
    assert told[:-2] == ([] if server else ["mlflow ui --backend-store-uri sqlite:///mlflow.db"])
    page = f"{server or 'http://127.0.0.1:5000'}/#/experiments/{experiment}/runs?viewStateShareKey=lambda&"
    for line, word in zip(told[-2:], ("scores", "pictures and curves"), strict=True):
        assert line.startswith(f"{word}: {page}")


@pytest.mark.parametrize(
    ("store_address", "place", "words"),
    [
        ("sqlite:///mlflow.db", "mlflow-artifacts:/1", "cannot write to sqlite:///mlflow.db: start an MLflow server"),
        ("http://server:5000", "/home/me/mlruns/1", "cannot keep files in /home/me/mlruns/1, the folder of the"),
        ("http://server:5000", "file:///home/me/mlruns/1", "cannot keep files in file:///home/me/mlruns/1"),
        ("http://server:5000", "mlflow-artifacts:/1", ""),
        ("http://server:5000", "s3://bucket/1", ""),
    ],
)
def test_what_workers_on_other_machines_reach(store_address, place, words, monkeypatch):
    monkeypatch.setattr(tracking.store, "current_store", lambda: store_address)
    found = SimpleNamespace(artifact_location=place)
    monkeypatch.setattr(tracking.store, "MlflowClient", lambda: SimpleNamespace(get_experiment=lambda _: found))
    if words:
        with pytest.raises(StudyError) as error:
            tracking.check_reachable("1")
        assert f"workers on other machines {words}" in str(error.value)
    else:
        tracking.check_reachable("1")


@pytest.mark.usefixtures("store")
def test_a_server_is_waited_for_once_it_has_answered(monkeypatch):
    """Few retries are for the first answer only."""
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    seen = []
    monkeypatch.setattr(
        tracking.store, "_prepare_file", lambda _: seen.append(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"])
    )
    connect()
    assert seen == ["2"]
    assert "MLFLOW_HTTP_REQUEST_MAX_RETRIES" not in os.environ


def test_a_store_of_another_mlflow_is_upgraded_with_a_word(store, tmp_path, capsys):
    connect()
    assert "upgraded" not in capsys.readouterr().out
    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as base, base:
        base.execute("UPDATE alembic_version SET version_num = 'older'")
    assert "was made by another version of MLflow, and is now upgraded" in _upgrade_of(file)


def test_the_home_folder_in_the_address_of_a_store(empty_store, tmp_path, monkeypatch, work_in):
    work_in(tmp_path, monkeypatch)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    shutil.copy(empty_store, tmp_path / "home" / "x.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///~/x.db")
    connect()
    assert current_store() == f"sqlite:///{tmp_path}/home/x.db"
    assert not (tmp_path / "~").exists()


def test_whoever_may_write_to_a_store_may_lock_it(store, tmp_path):
    (tmp_path / "mlflow.db").chmod(0o664)
    (tmp_path / "mlflow.db.lock").unlink(missing_ok=True)
    connect()
    assert (tmp_path / "mlflow.db.lock").stat().st_mode & 0o777 == 0o664
