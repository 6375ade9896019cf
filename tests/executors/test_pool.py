import os
import signal
import time
from contextlib import contextmanager

import psutil
import pytest
import torch

from study import allotment, executors
from study.errors import StudyError
from study.executors import Inline, WorkerDiedError, execute, execute_groups, opened_executor, pool
from study.executors.pool import MEMORY_PER_RUN, Pool

TASKS = """
import os, time

def double(number):
    return 2 * number

def nap(seconds):
    time.sleep(seconds)
    return seconds

def die(status):
    os._exit(status)

def all_of(names):
    if "bad" in names:
        os._exit(7)
    return names

def meet(names):
    open(names[0], "w").close()
    while not os.path.exists(names[1]):
        time.sleep(0.01)
    return os.getpid()
"""


@pytest.fixture
def call(tmp_path, monkeypatch, importable):
    """Calls a function of `TASKS`, (name, argument), in whichever process."""
    monkeypatch.chdir(tmp_path)
    return importable(tmp_path, "tasks_of_a_test", TASKS)


def workers():
    """Processes of a pool that run."""
    return [p for p in psutil.Process().children() if any("spawn_main" in word for word in p.cmdline())]


def executed(work, tasks, slots, kind):
    with opened_executor(kind, work.__module__) as executor:
        executor.start()
        yield from execute(work, tasks, slots, executor)


def test_inline_works_in_this_process_one_after_the_other():
    seen = []

    def work(task):
        seen.append(task)
        if task == "bad":
            raise StudyError("a fault")
        return os.getpid()

    outcomes = executed(work, ["a", "bad", "b"], 1, "inline")
    assert next(outcomes) == (0, os.getpid())
    assert seen == ["a"]  # an outcome is given before the next task starts
    (i, error), last = outcomes
    assert (i, str(error), last) == (1, "a fault", (2, os.getpid()))


def test_inline_lets_the_keyboard_through():
    def work(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(executed(work, [1], 1, "inline"))


@contextmanager
def _signal_at_the_end():
    try:
        yield
    finally:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_once_more_ends_at_once(monkeypatch):
    ended = []
    monkeypatch.setattr(executors, "_AGAIN", 0.0)
    monkeypatch.setattr(os, "_exit", ended.append)
    with pytest.raises(KeyboardInterrupt), opened_executor("inline", ""), _signal_at_the_end():
        signal.raise_signal(signal.SIGTERM)
    assert ended == [130]


def test_signals_that_are_ignored_stay_so():
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with opened_executor("inline", ""):
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("kind", ["inline", "pool"])
def test_the_first_signal_stops_and_a_further_one_disturbs_nothing(call, kind):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt), opened_executor(kind, call.__module__), _signal_at_the_end():
        signal.raise_signal(signal.SIGTERM)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_pool_executes_again_with_other_slots(call):
    with opened_executor("pool", call.__module__) as opened:
        (first,) = execute(call, [("meet", "aa")], 1, opened)
        found = dict(execute(call, [("meet", "bc"), ("meet", "cb")], 2, opened))
        assert first[1] in found.values()  # the process is used again
        assert len(set(found.values())) == 2


def test_a_pool_of_two_processes(call):
    tasks = [("meet", "ab"), ("meet", "ba"), ("double", None), ("double", 21)]
    found = dict(executed(call, tasks, 2, "pool"))
    assert len({found.pop(0), found.pop(1), os.getpid()}) == 3
    assert isinstance(found.pop(2), TypeError)
    assert found == {3: 42}
    assert not workers()


def test_no_task(call):
    assert list(executed(call, [], 2, "pool")) == []
    assert list(executed(call, [], 1, "inline")) == []


def test_where_a_worker_dies_the_others_go_on(call):
    tasks = [("double", 1), ("die", 1), ("nap", 0.5), ("double", 2)]
    found = dict(executed(call, tasks, 2, "pool"))
    assert isinstance(found.pop(1), Exception)
    assert found == {0: 2, 2: 0.5, 3: 4}


def test_a_pool_is_stopped_where_its_outcomes_are_not_wanted_any_more(call):
    """As where Ctrl-C is pressed while an outcome is told."""

    def told():
        for _ in executed(call, [("double", 1), ("nap", 100), ("nap", 100)], 1, "pool"):
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        told()
    assert time.monotonic() - started < 60
    assert not workers()


@pytest.mark.parametrize(
    ("slots", "cores", "gibibytes", "trainings", "wanted"),
    [
        (0, 8, 64, 100, 8),  # cores bound it
        (0, 64, 7, 100, 3),  # memory
        (0, 64, 1, 100, 1),  # no memory at all
        (0, 8, 64, 5, 5),  # what there is to do
        (0, 8, 64, 0, 1),
        (3, 1, 1, 100, 3),  # the user knows better
        (3, 8, 64, 2, 2),
    ],
)
def test_slots_on_cpu(slots, cores, gibibytes, trainings, wanted, monkeypatch):
    monkeypatch.setattr(allotment, "cores", lambda: cores)
    monkeypatch.setattr(allotment, "memory", lambda: gibibytes * 2**30)
    assert MEMORY_PER_RUN == 2 * 2**30
    assert Pool("study.errors", slots).slots_for(trainings, 0) == wanted
    assert Inline().slots_for(trainings, 0) == 1


@pytest.mark.parametrize(
    ("slots", "gpus", "trainings", "wanted"), [(0, 4, 100, 4), (0, 1, 100, 1), (3, 4, 100, 12), (3, 4, 5, 5)]
)
def test_slots_on_gpus(slots, gpus, trainings, wanted, monkeypatch):
    monkeypatch.setattr(allotment, "memory", lambda: 0)
    assert Pool("study.errors", slots).slots_for(trainings, gpus) == wanted
    assert Inline().slots_for(trainings, gpus) == 1


@pytest.mark.parametrize("gpus", [0, 2])
def test_each_worker_has_a_gpu_of_its_own(gpus, monkeypatch):
    chosen, ignored = [], []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(signal, "signal", lambda *given: ignored.append(given))
    monkeypatch.setattr(pool.tqdm, "set_lock", lambda _: None)
    monkeypatch.setattr(pool, "_stop_with_parent", lambda: None)
    for slot in range(3):
        pool._start_worker(None, slot, "study.errors")
    assert chosen == ([0, 1, 0] if gpus else [])
    assert (signal.SIGINT, signal.SIG_IGN) in ignored


def test_unknown_executor():
    words = "unknown executor 'dsak', did you mean dask"
    with pytest.raises(StudyError, match=words), opened_executor("dsak", "study.errors"):
        pass


def test_items_of_a_lost_worker_are_done_alone(call):
    def task_of(group):
        return "all_of", group

    groups = [["a", "b"], ["c", "bad", "d"]]
    with opened_executor("pool", call.__module__, 2) as executor:
        found = list(execute_groups(call, task_of, groups, 2, executor))
    assert sorted(group for group, outcome in found if outcome == group) == [["a", "b"], ["c"], ["d"]]
    (lost,) = [outcome for group, outcome in found if group == ["bad"]]
    assert isinstance(lost, WorkerDiedError)


def test_any_other_error_ends_groups():
    def fail(_):
        raise StudyError("a fault")

    with pytest.raises(StudyError, match="a fault"):
        list(execute_groups(fail, list, [["a"]], 1, Inline()))
