import os
import time

import pytest

from study.errors import StudyError
from study.executors import execute, opened_executor
from study.executors.base import WorkerDiedError

TASKS = """
import os, time

def double(number):
    return os.getpid(), 2 * number

def fail(_):
    raise ValueError("no good")

def end(_):
    os._exit(7)

def reach_the_limit(note):
    with open(note, "a") as file:
        file.write("x")
    if os.path.getsize(note) < 2:
        time.sleep(300)
    return "goes on"

def nap(seconds):
    time.sleep(seconds)
"""


@pytest.fixture
def call(tmp_path, monkeypatch, importable):
    """Calls a function of `TASKS`, (name, argument), in whichever job."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    return importable(tmp_path, "tasks_of_jobs", TASKS)


@pytest.fixture
def cluster(tmp_path):
    """A description of jobs that are processes of this machine."""
    file = tmp_path / "jobs.yaml"
    file.write_text("engine: local\ntimeout_min: 5\n")
    return str(file)


def test_a_job_for_each_task(call, cluster):
    with opened_executor("slurm", "", cluster=cluster) as executor:
        assert not executor.elsewhere
        assert [executor.slots_for(count, 0) for count in (0, 5)] == [1, 5]
        found = dict(execute(call, [("double", 1), ("double", 2), ("fail", None), ("end", None)], 2, executor))
    assert [found[i][1] for i in (0, 1)] == [2, 4]
    assert len({os.getpid(), found[0][0], found[1][0]}) == 3
    assert isinstance(found[2], ValueError)
    assert isinstance(found[3], WorkerDiedError)
    assert "has ended without a result" in str(found[3])


def test_what_a_job_runs_on(call, cluster):
    with opened_executor("slurm", "", cluster=cluster) as executor:
        assert executor.machine("cpu").device == "cpu"


def test_a_job_that_reaches_its_time_limit_goes_on(call, tmp_path):
    """It is told half a minute before the limit, which is one minute at least."""
    file = tmp_path / "jobs.yaml"
    file.write_text("engine: local\ntimeout_min: 1\n")
    with opened_executor("slurm", "", cluster=str(file)) as executor:
        ((_, outcome),) = execute(call, [("reach_the_limit", str(tmp_path / "note"))], 1, executor)
    assert outcome == "goes on"
    assert (tmp_path / "note").read_text() == "xx"


def test_jobs_are_ended_where_a_launch_is_stopped(call, cluster):
    def stopped():
        with opened_executor("slurm", "", cluster=cluster) as executor:
            executor.allow(1)
            executor.submit(call, ("nap", 300))
            time.sleep(3)
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("timeout_min: 5\n", r"--executor slurm: no jobs can be submitted \(.*srun"),
        ("engine: slrum\n", "--executor slurm: no jobs can be submitted"),
        ("engine: local\nslurm_no_such: 1\n", "--executor slurm: no jobs can be submitted"),
    ],
)
def test_jobs_that_cannot_be_submitted(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))  # no srun in it
    file = tmp_path / "jobs.yaml"
    file.write_text(content)
    with pytest.raises(StudyError, match=words), opened_executor("slurm", "", cluster=str(file)):
        pass
