import time
from contextlib import contextmanager

import psutil
import pytest

from study.errors import StudyError
from study.executors import execute, opened_executor
from study.executors.base import WorkerDiedError
from tests.servers import dask_scheduler

TASKS = """
import os, time

def of_worker(_):
    return os.getcwd(), os.getpid()

def meet(names):
    open(names[0], "w").close()
    while not os.path.exists(names[1]):
        time.sleep(0.01)
    return os.getcwd()

def kill_once(note):
    if os.path.exists(note):
        return "the second one"
    open(note, "w").close()
    os.kill(os.getppid(), 9)
    time.sleep(100)

def kill_always(_):
    os.kill(os.getppid(), 9)
    time.sleep(100)

def end(_):
    os._exit(7)

def nap(seconds):
    time.sleep(seconds)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("dask")


@pytest.fixture
def call(place, importable):
    """Calls a function of `TASKS`, (name, argument), on whichever worker."""
    return importable(place, "tasks_of_dask", TASKS)


@pytest.fixture(scope="module")
def scheduler(place):
    """The address of a scheduler that does not find the tasks, with two workers in folders of their own that do."""
    with dask_scheduler(place / "scheduler", [place / "a", place / "b"], place) as address:
        yield address


@contextmanager
def opened(scheduler):
    with opened_executor("dask", "", scheduler=scheduler) as executor:
        yield executor


def test_workers_in_folders_of_their_own_take_a_task_each(scheduler, call, tmp_path, place):
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    with opened(scheduler) as executor:
        found = dict(execute(call, [("meet", (first, second)), ("meet", (second, first))], 2, executor))
        assert set(found.values()) == {str(place / "a"), str(place / "b")}
        of_worker = dict(execute(call, [("of_worker", None)] * 2, 1, executor))
        assert of_worker[0][1] != of_worker[1][1]  # a process of its own


def test_what_the_workers_are(scheduler):
    with opened(scheduler) as executor:
        machine = executor.machine("cpu")
        assert (machine.device, machine.gpus) == ("cpu", 0)
        assert executor.elsewhere
        assert executor.own_folders
        assert [executor.slots_for(count, 0) for count in (0, 1, 9)] == [1, 1, 2]


def test_where_a_worker_is_killed_another_one_takes_its_task(scheduler, call, tmp_path, capsys):
    with opened(scheduler) as executor:
        ((_, outcome),) = execute(call, [("kill_once", str(tmp_path / "note"))], 1, executor)
    assert outcome == "the second one"
    assert "has left the cluster: it died, or its connection did: another one goes on" in capsys.readouterr().out


def test_a_task_that_kills_its_workers_is_given_up(scheduler, call):
    with opened(scheduler) as executor:
        ((_, outcome),) = execute(call, [("kill_always", None)], 1, executor)
    assert isinstance(outcome, WorkerDiedError)
    assert "3 workers were lost with this task" in str(outcome)


def test_a_training_that_ends_by_itself_is_told_apart(scheduler, call):
    with opened(scheduler) as executor:
        ((_, outcome),) = execute(call, [("end", None)], 1, executor)
    assert isinstance(outcome, WorkerDiedError)
    assert "the process of the task ended with status 7" in str(outcome)


def test_what_runs_is_ended_where_a_launch_is_stopped(scheduler, call):
    def stopped():
        with opened(scheduler) as executor:
            executor.allow(1)
            executor.submit(call, ("nap", 300))
            while not children():
                time.sleep(0.1)
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stopped()
    while children():
        assert time.monotonic() - started < 60
        time.sleep(0.1)


def children():
    """Processes that do a task of a worker."""
    return [p for p in psutil.process_iter(["cmdline"]) if "study.executors.child" in " ".join(p.info["cmdline"] or [])]


def test_no_scheduler(monkeypatch):
    monkeypatch.setattr("study.executors.dask._ANSWER", 0.5)
    words = r"no dask scheduler answers at tcp://127\.0\.0\.1:9 \(.*\): start one there by `dask scheduler`"
    with pytest.raises(StudyError, match=words), opened("tcp://127.0.0.1:9"):
        pass


def test_a_scheduler_that_dask_is_configured_for(scheduler, call):
    from dask import config

    with config.set({"scheduler-address": scheduler}), opened("") as executor:
        assert executor.address == scheduler
    with (
        pytest.raises(StudyError, match="--executor dask needs a scheduler: name its address by"),
        opened(""),
    ):
        pass


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scheduler": "slrum"}, "unknown scheduler 'slrum', did you mean slurm"),
        ({"scheduler": "tcp://x:1", "cluster": "c.yaml"}, "--cluster describes a cluster to start, and tcp://x:1 is"),
    ],
)
def test_options_that_do_not_fit(given, words):
    with pytest.raises(StudyError, match=words), opened_executor("dask", "", **given):
        pass


def test_a_cluster_of_this_machine_is_started(tmp_path, call):
    file = tmp_path / "cluster.yaml"
    file.write_text("jobs: 2\n")
    with opened_executor("dask", "", scheduler="local", cluster=str(file)) as executor:
        assert not executor.elsewhere
        found = dict(execute(call, [("of_worker", None)] * 3, 2, executor))
    assert len({process for _, process in found.values()}) == 3


def test_options_of_other_executors():
    for name in ("inline", "pool", "slurm"):
        with pytest.raises(StudyError, match=f"--scheduler goes with --executor dask, not with {name}"):
            opened_executor(name, "", scheduler="tcp://x:1").__enter__()
    with pytest.raises(StudyError, match="--cluster goes with --executor dask or slurm, not with pool"):
        opened_executor("pool", "", cluster="c.yaml").__enter__()
