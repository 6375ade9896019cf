"""Launches on an MLflow server with PostgreSQL: two at once, and servers that go away."""

import re
import time

import pytest
from mlflow import MlflowClient

from tests.launches import (
    INLINE,
    ended,
    is_there,
    runs_in,
    start_of_two,
    statuses,
    wait_until,
)
from tests.servers import free_port, mlflow_server, postgres


@pytest.fixture(scope="module")
def database():
    with postgres() as address:
        yield address


def test_two_launches_at_once_on_a_fresh_store_train_nothing_twice(database, tmp_path):
    """From two working folders, as on two machines."""
    folders = [tmp_path / name for name in "ab"]
    with mlflow_server(tmp_path / "server", database, free_port()) as address:
        for folder in folders:
            folder.mkdir()
        launches = [start_of_two(folder, *INLINE, MLFLOW_TRACKING_URI=address) for folder in folders]
        assert [ended(launch) for launch in launches] == [0, 0], [(f / "told").read_text() for f in folders]
        client = MlflowClient(address)
        assert statuses(client) == {"FINISHED": 2 * (1 + 2)}
        runs = runs_in(client)
    holders = [run.data.tags["training_digest"] for run in runs if "holds_network" in run.data.tags]
    assert len(holders) == len(set(holders)) == 2
    steps = [run.data.metrics["perf/training_seconds"] for run in runs if "perf/training_seconds" in run.data.metrics]
    own = [run for run in runs if "reused_from" not in run.data.tags and "perf/training_seconds" in run.data.metrics]
    assert len(own) == 2
    assert len(steps) >= 2
    told = "".join((folder / "told").read_text() for folder in folders)
    assert re.search(r"process \d+ on \S+ \(run \w+\) trains it; the others are done first|waiting for process", told)


def test_a_server_that_comes_back_costs_nothing(database, tmp_path):
    folder, port = tmp_path / "launch", free_port()
    folder.mkdir()
    with mlflow_server(tmp_path / "server", database, port) as address:
        launch = start_of_two(folder, *INLINE, "--reuse", "0", MLFLOW_TRACKING_URI=address)
        wait_until(launch, is_there(folder, "checkpoint.pt"))
    time.sleep(20)
    with mlflow_server(tmp_path / "server", database, port) as address:
        assert ended(launch) == 0, (folder / "told").read_text()
        assert set(statuses(MlflowClient(address))) == {"FINISHED"}


def test_a_server_that_stays_away_is_told_in_a_sentence(tmp_path, empty_store):
    folder, port = tmp_path / "launch", free_port()
    folder.mkdir()
    with mlflow_server(tmp_path / "server", "sqlite:///mlflow.db", port) as address:
        launch = start_of_two(folder, *INLINE, MLFLOW_TRACKING_URI=address, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
        wait_until(launch, is_there(folder, "checkpoint.pt"))
    assert ended(launch) == 1
    told = (folder / "told").read_text()
    assert re.search(
        rf"^Error: the MLflow store {address} has gone away \(.*\): start it again, and launch", told, re.M
    )
    assert "Traceback" not in told
    with mlflow_server(tmp_path / "server", "sqlite:///mlflow.db", port) as address:
        assert ended(start_of_two(folder, *INLINE, MLFLOW_TRACKING_URI=address)) == 0
        assert set(statuses(MlflowClient(address))) == {"FINISHED", "KILLED"}


def test_no_server_at_the_start(tmp_path):
    launch = start_of_two(tmp_path, *INLINE, MLFLOW_TRACKING_URI=f"http://127.0.0.1:{free_port()}")
    assert ended(launch, 60) == 1
    told = (tmp_path / "told").read_text()
    assert re.search(r"^Error: the MLflow store http://\S+ does not answer \(.*\): start the server", told, re.M)
    assert "Traceback" not in told
