"""Launches on a dask cluster whose workers share neither a folder nor a store file, and in jobs of a batch system."""

import re
import shutil
import signal

import psutil
import pytest
from mlflow import MlflowClient

from tests.launches import (
    INLINE,
    all_histories,
    client_of,
    ended,
    is_there,
    parents_and_children,
    runs_in,
    start_of_two,
    statuses,
    wait_until,
)
from tests.servers import dask_scheduler, free_port, mlflow_server, wait_for


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def server(place, empty_store):
    (place / "server").mkdir()
    shutil.copy(empty_store, place / "server" / "mlflow.db")
    with mlflow_server(place / "server", "sqlite:///mlflow.db", free_port()) as address:
        yield address


@pytest.fixture(scope="module")
def scheduler(place):
    with dask_scheduler(place / "scheduler", [place / "a", place / "b"]) as address:
        yield address


@pytest.fixture(scope="module")
def expected(place, empty_store):
    """All curves and scores of the launch, done in one process."""
    folder = place / "alone"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    assert ended(start_of_two(folder, *INLINE)) == 0
    return all_histories(client_of(folder), parents_and_children(client_of(folder))[1])


def test_a_worker_is_killed_while_it_trains(place, server, scheduler, expected):
    """Nothing is lost, nothing is there twice, and another one goes on with its training, to the same digits."""
    client, folder = MlflowClient(server), place / "launch"
    folder.mkdir()
    launch = start_of_two(folder, "--executor", "dask", "--scheduler", scheduler, MLFLOW_TRACKING_URI=server)

    def trained_for_a_while():
        return [run for run in runs_in(client) if "checkpoint_step" in run.data.tags]

    wait_until(launch, lambda: client.search_experiments(filter_string="name != 'Default'"))
    wait_until(launch, trained_for_a_while)
    lost = trained_for_a_while()[0]
    process = psutil.Process(int(lost.data.tags["process"].split()[1]))
    process.parent().kill()  # the worker, and its training ends with it
    assert ended(launch) == 0

    (parent,), children = parents_and_children(client)
    assert parent.info.status == "FINISHED"
    finished = [run for run in children if "superseded" not in run.data.tags]
    assert [run.info.status for run in finished] == ["FINISHED"] * 2
    assert len({run.info.run_name for run in finished}) == 2
    (left,) = [run for run in children if "superseded" in run.data.tags]
    assert (left.info.run_id, left.info.status) == (lost.info.run_id, "KILLED")
    assert "has left the cluster" in (folder / "told").read_text()

    assert all_histories(client, finished) == expected
    (resumed,) = [r for r in finished if r.info.run_name == lost.info.run_name]
    pictures = {item.path for item in client.list_artifacts(resumed.info.run_id, "images")}
    assert pictures
    assert not [path for path in pictures if "step=0" in path or "%step%0%" in path]  # it has not begun anew
    assert not client.list_artifacts(resumed.info.run_id, "checkpoint")


def test_a_store_that_only_this_machine_has_is_refused(place, scheduler):
    folder = place / "refused"
    folder.mkdir()
    assert ended(start_of_two(folder, "--executor", "dask", "--scheduler", scheduler)) == 1
    told = (folder / "told").read_text()
    assert re.search(
        r"^Error: workers on other machines cannot write to sqlite:///mlflow\.db: start an MLflow", told, re.M
    )
    assert "Traceback" not in told
    assert statuses(client_of(folder)) == {}


def test_a_launch_that_is_stopped_ends_its_trainings(place, server, scheduler):
    client, folder = MlflowClient(server), place / "stopped"
    folder.mkdir()
    known = {experiment.experiment_id for experiment in client.search_experiments()}
    before = {run.info.run_id for run in client.search_runs(list(known))}
    options = ["--executor", "dask", "--scheduler", scheduler, "--reuse", "0"]
    launch = start_of_two(folder, *options, MLFLOW_TRACKING_URI=server)

    def new_runs():
        experiments = [experiment.experiment_id for experiment in client.search_experiments()]
        return [run for run in client.search_runs(experiments) if run.info.run_id not in before]

    wait_until(launch, lambda: [run for run in new_runs() if "mlflow.parentRunId" in run.data.tags])
    launch.send_signal(signal.SIGINT)
    assert ended(launch, 60) == 130
    assert {run.info.status for run in new_runs()} == {"KILLED"}
    wait_for(lambda: not _trainings(), "end of the trainings")


def test_a_job_that_reaches_its_time_limit_goes_on(place, empty_store, expected):
    """The batch system puts it into the queue again, and it goes on from its checkpoint, to the same digits."""
    folder = place / "jobs"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    (folder / "jobs.yaml").write_text("engine: local\ntimeout_min: 60\n")
    launch = start_of_two(folder, "--executor", "slurm", "--cluster", "jobs.yaml")
    wait_until(launch, is_there(folder, "checkpoint.pt"))
    for job in psutil.Process(launch.pid).children(recursive=True):
        if "submitit.core._submit" in job.cmdline():
            job.send_signal(signal.SIGUSR2)  # by which a job is told of its limit
    assert ended(launch) == 0
    assert "requeue" in "".join(log.read_text().lower() for log in (folder / "outputs" / "jobs").rglob("*_log.*"))
    (parent,), children = parents_and_children(client_of(folder))
    assert parent.info.status == "FINISHED"
    finished = [run for run in children if "superseded" not in run.data.tags]
    assert [run.info.status for run in finished] == ["FINISHED"] * 2
    assert all_histories(client_of(folder), finished) == expected


def _trainings():
    words = (" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"]))
    return [word for word in words if "study.executors.child" in word]
