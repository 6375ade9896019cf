import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import psutil
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from study.tracking import connect, end_abandoned, heartbeat, send_heartbeats, start_run

HERE = socket.gethostname()


@pytest.fixture
def begun(store):
    """Begin a run with tags of its own; gives its id."""
    experiment = connect()

    def begin(**tags):
        return store.create_run(experiment, tags={name: str(value) for name, value in tags.items()}).info.run_id

    return begin


@pytest.fixture(scope="module")
def dead():
    """The tag of a process that has been killed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        name = f"{HERE} {process.pid} {psutil.Process(process.pid).create_time():.0f}"
        process.kill()
    return name


def state(client, run_id):
    run = client.get_run(run_id)
    return run.info.status, run.data.tags.get("failure")


def test_a_run_of_a_dead_process_is_ended(store, begun, dead):
    runs = [begun(process=dead, heartbeat=time.time()) for _ in range(2)]
    assert end_abandoned(connect()) == 2
    for run in runs:
        assert state(store, run) == ("KILLED", "its process was killed")
        assert store.get_run(run).info.end_time is not None
    assert end_abandoned(connect()) == 0


def test_a_run_that_this_process_works_on_is_not(store, begun):
    run = begun()
    with send_heartbeats(SimpleNamespace(run_id=run)):
        assert end_abandoned(connect()) == 0
        tags = store.get_run(run).data.tags
        assert tags["process"].startswith(f"{HERE} {os.getpid()} ")
        assert abs(float(tags["heartbeat"]) - time.time()) < 60
    assert state(store, run) == ("RUNNING", None)


def test_processes_of_another_namespace_are_not_looked_up(store, begun):
    """Two containers with one host name do not see each other's processes."""
    name = f"{HERE} 999999 1000000000"
    fresh, old = (begun(process=f"{name} pid:[7]", heartbeat=time.time() - s) for s in (10, 360))
    gone = begun(process=f"{name} {heartbeat._namespace()}", heartbeat=time.time() - 10)
    assert end_abandoned(connect()) == 2
    assert [state(store, run)[0] for run in (fresh, old, gone)] == ["RUNNING", "KILLED", "KILLED"]


def test_the_id_of_a_dead_process_may_be_in_use_again(store, begun):
    other = begun(process=f"{HERE} {os.getpid()} 1000000000", heartbeat=time.time())
    assert end_abandoned(connect()) == 1
    assert state(store, other)[0] == "KILLED"


@pytest.mark.parametrize(("seconds", "status"), [(0, "RUNNING"), (240, "RUNNING"), (360, "KILLED"), (10**6, "KILLED")])
def test_on_another_machine_the_heartbeat_tells(seconds, status, store, begun):
    # a process of this id and start is not here either
    run = begun(process=f"no-{HERE} 1 1000000000", heartbeat=time.time() - seconds)
    assert end_abandoned(connect()) == (status == "KILLED")
    assert state(store, run)[0] == status


def test_what_has_ended_and_what_is_not_ours_is_left_alone(store, begun, dead):
    finished = begun(process=dead, heartbeat=0)
    store.set_terminated(finished, "FINISHED")
    foreign = begun()
    elsewhere = store.create_run(store.create_experiment("another"), tags={"process": dead, "heartbeat": "0"})
    assert end_abandoned(connect()) == 0
    assert [state(store, run) for run in (finished, foreign)] == [("FINISHED", None), ("RUNNING", None)]
    assert state(store, elsewhere.info.run_id)[0] == "RUNNING"


def test_a_run_whose_process_dies_before_its_first_heartbeat_is_ended_too(store, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    program = "import os; from study.tracking import connect, start_run\n"
    program += "print(start_run(connect(), 'a name', 'a note', {}).run_id, flush=True); os.kill(os.getpid(), 9)"
    process = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, check=False)
    assert process.returncode == -signal.SIGKILL
    assert end_abandoned(connect()) == 1
    assert state(store, process.stdout.strip())[0] == "KILLED"


def test_there_is_no_moment_in_which_nobody_knows_whose_a_run_is(store, monkeypatch):
    """A launch that is stopped right after a run was made finds it by its parent, the next launch by its process."""

    def stopped(*_, **__):
        raise KeyboardInterrupt

    parent = start_run(connect(), "a launch", "a note", {}).run_id
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr(MlflowClient, "log_batch", stopped)
        start_run(connect(), "a name", "a note", {}, parent_id=parent)
    (run,) = [run for run in store.search_runs([connect()]) if run.info.run_id != parent]
    assert {"process", "heartbeat"} <= run.data.tags.keys()
    assert run.data.tags["mlflow.parentRunId"] == parent


def test_the_heart_beats_as_long_as_the_block_lasts(store, monkeypatch):
    run = start_run(connect(), "a name", "a note", {})
    seconds, beats, threads = iter(range(1000, 2000)), [], threading.active_count()
    monkeypatch.setattr(heartbeat, "HEARTBEAT", 0.01)
    monkeypatch.setattr(heartbeat, "time", SimpleNamespace(time=lambda: next(seconds)))
    with send_heartbeats(run):
        for _ in range(500):
            beats.append(store.get_run(run.run_id).data.tags["heartbeat"])
            if len(set(beats)) > 3:
                break
            time.sleep(0.01)
    assert len(set(beats)) > 3
    assert beats == sorted(beats)
    assert beats[0].startswith("10")
    with pytest.raises(ZeroDivisionError), send_heartbeats(run):
        raise ZeroDivisionError
    assert threading.active_count() == threads


def test_a_store_that_does_not_answer_for_a_moment_stops_no_heart(store, monkeypatch):
    run = start_run(connect(), "a name", "a note", {})
    monkeypatch.setattr(heartbeat, "HEARTBEAT", 0.01)
    with send_heartbeats(run):
        real, refused = MlflowClient.log_batch, []

        def log_batch(self, run_id, tags):
            if len(refused) < 3:
                refused.append([tag.key for tag in tags])
                raise MlflowException("no answer")
            return real(self, run_id, tags=tags)

        monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
        store.set_tag(run.run_id, "heartbeat", "old")
        for _ in range(3000):
            found = store.get_run(run.run_id).data.tags["heartbeat"]
            if len(refused) == 3 and found != "old":
                break
            time.sleep(0.01)
    assert refused == [["heartbeat"]] * 3
    assert found != "old"
    assert store.get_run(run.run_id).data.tags["heartbeat"] != "old"


def test_heartbeats_tell_where_the_work_is_until_it_ends(store, monkeypatch):
    run = start_run(connect(), "a name", "a note", {})
    monkeypatch.setattr(heartbeat, "HEARTBEAT", 0.01)
    told = []
    with send_heartbeats(run):
        for words in ("step 1 of 9", "step 2 of 9"):
            run.progress = words
            for _ in range(500):
                if store.get_run(run.run_id).data.tags.get("progress") == words:
                    told.append(words)
                    break
                time.sleep(0.01)
    assert told == ["step 1 of 9", "step 2 of 9"]
    assert "progress" not in store.get_run(run.run_id).data.tags
