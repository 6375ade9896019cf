import os
import pickle
import signal
import sys
import threading
import time
from concurrent.futures import CancelledError

import psutil
import pytest

from study.errors import StudyError
from study.executors import remote
from study.executors.base import WorkerDiedError
from study.executors.remote import call_as_bytes, done, end_calls, forwarded_environment, in_fresh_process, outcome_of


def never():
    return False


def fresh(function, *given, cancelled=never, threads=1, environment=None):
    return outcome_of(in_fresh_process(call_as_bytes(function, *given), environment or {}, threads, cancelled, "key"))


def test_a_call_is_done_where_its_bytes_are_read():
    assert pickle.loads(call_as_bytes(max, 3, 5)) == 5
    assert outcome_of(done(call_as_bytes(max, 3, 5))) == 5


def test_the_exception_of_a_call_is_raised_again():
    with pytest.raises(StudyError, match="unknown colour 'blau': choose one of blue"):
        outcome_of(done(call_as_bytes(_refuse)))


def _refuse():
    raise StudyError("unknown colour 'blau': choose one of blue")


class _LockedError(Exception):
    def __init__(self, words):
        super().__init__(words)
        self.lock = threading.Lock()


def _raise_locked():
    raise _LockedError("this and that")


def test_an_exception_that_cannot_be_sent_keeps_its_words():
    with pytest.raises(RuntimeError, match="_LockedError: this and that"):
        outcome_of(done(call_as_bytes(_raise_locked)))


def test_a_process_of_its_own_with_its_threads_and_the_store_of_the_launch(monkeypatch):
    assert fresh(os.getpid) != os.getpid()
    words = "__import__('study.process', fromlist=['process']).threads_in_use()"
    assert fresh(eval, words, threads=3) == 3
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    monkeypatch.setenv("AWS_REGION", "here")
    monkeypatch.setenv("MLFLOW_RUN_ID", "of the launch")
    environment = forwarded_environment()
    assert "MLFLOW_RUN_ID" not in environment
    assert environment["AWS_REGION"] == "here"
    assert fresh(os.getenv, "MLFLOW_TRACKING_TOKEN", environment=environment) == "secret"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"__import__('os').kill(__import__('os').getpid(), {int(signal.SIGKILL)})", r"was killed \(signal 9\)"),
        (f"__import__('os').kill(__import__('os').getpid(), {int(signal.SIGTERM)})", "was ended by signal 15"),
        ("__import__('os')._exit(3)", "ended with status 3"),
    ],
)
def test_a_process_that_ends_without_an_outcome(words, told):
    with pytest.raises(WorkerDiedError, match=told):
        fresh(eval, words)


def test_a_process_whose_outcome_is_not_wanted_is_ended():
    started = time.monotonic()
    with pytest.raises(CancelledError):
        fresh(time.sleep, 100, cancelled=lambda: time.monotonic() - started > 1)
    assert time.monotonic() - started < 60
    assert not [child for child in psutil.Process().children() if "study.executors.child" in child.cmdline()]


def test_calls_are_ended_by_their_keys():
    ended = {}

    def call(key):
        try:
            in_fresh_process(call_as_bytes(time.sleep, 3), {}, 1, never, key)
            ended[key] = "by itself"
        except WorkerDiedError as error:
            ended[key] = str(error)

    threads = [threading.Thread(target=call, args=(key,)) for key in "ab"]
    for thread in threads:
        thread.start()
    while len(remote._processes) < 2:
        time.sleep(0.01)
    end_calls(["a", "of another worker"])
    assert "a" not in remote._processes or remote._processes["a"].poll() is not None
    for thread in threads:
        thread.join()
    assert ended == {"a": "the process of the task was ended by signal 15", "b": "by itself"}
    assert not remote._processes


def test_a_process_ends_with_the_one_that_has_started_it(tmp_path):
    """As where a worker is killed: nobody would take the outcome of its training."""
    script = tmp_path / "worker.py"
    script.write_text(
        "import time\n"
        "from study.executors.remote import call_as_bytes, in_fresh_process\n"
        "in_fresh_process(call_as_bytes(time.sleep, 300), {}, 1, lambda: False, 'a')\n"
    )
    worker = psutil.Popen([sys.executable, str(script)])
    try:
        for _ in range(600):
            if children := worker.children():
                break
            time.sleep(0.1)
    finally:
        worker.kill()
        worker.wait()
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
