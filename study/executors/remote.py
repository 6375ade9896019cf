"""Calls that are done in a fresh process of another machine.

A standing worker would keep what it has read once: images, the code, the state of random generators. A process of its
own has threads, a device and an end of its own, too.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any

from study.executors.base import WorkerDiedError

# of the launch, by how they begin: where the store is, and who may write to it
_FORWARDED = ("MLFLOW_TRACKING_", "MLFLOW_S3_", "MLFLOW_HTTP_", "AWS_", "AZURE_STORAGE_", "GOOGLE_")
_POLL = 0.2  # s
_GRACE = 10.0  # s from the signal to end until a process is killed


class _Call:
    """A call that is done where its pickle is read, so that a scheduler that passes it on need not know the package."""

    def __init__(self, function: Callable, *given: Any):
        self._function, self._given = function, given

    def __reduce__(self) -> tuple[Callable, tuple]:
        return self._function, self._given


def call_as_bytes(function: Callable, *given: Any) -> bytes:
    """What `pickle.loads` does the call by, and gives its result."""
    return pickle.dumps(_Call(function, *given))


def forwarded_environment() -> dict[str, str]:
    """The variables of this process that name the store and who may write to it."""
    return {name: value for name, value in os.environ.items() if name.startswith(_FORWARDED)}


def outcome_of(content: bytes) -> Any:
    """The result of a call, or raises the exception that has ended it; see `done`."""
    good, value = pickle.loads(content)
    if not good:
        raise value
    return value


def done(call: bytes) -> bytes:
    """Do a call; gives its result or its exception for `outcome_of`."""
    try:
        return pickle.dumps((True, pickle.loads(call)))
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # some have what cannot be sent
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return pickle.dumps((False, error))


_processes: dict[str, subprocess.Popen] = {}  # those that do calls at this moment, by the keys of these


def end_calls(keys: Collection[str]) -> None:
    """End the processes that do the calls of those keys, as far as they were started here."""
    for process in [_processes[key] for key in keys if key in _processes]:
        _end(process)


def in_fresh_process(
    call: bytes, environment: Mapping[str, str], threads: int, cancelled: Callable[[], bool], key: str
) -> bytes:
    """Do a call in a process of its own; gives its outcome, see `done`.

    Parameters
    ----------
    call : bytes
        See `call_as_bytes`.
    environment : dict of str
        Variables to set in it.
    threads : int
        CPU threads that it uses.
    cancelled : callable
        Whether the outcome is not wanted any more; the process is ended then, and CancelledError raised.
    key : str
        By which `end_calls` knows the call.

    Raises
    ------
    WorkerDiedError
        If the process ends without an outcome.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "outcome"
        command = [sys.executable, "-m", "study.executors.child", str(file), str(threads), str(os.getpid())]
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}  # what this process finds, that one does too
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, **environment, **path})
        assert process.stdin is not None
        _processes[key] = process
        try:
            with suppress(BrokenPipeError), process.stdin as pipe:  # it has ended already: its status tells more
                pipe.write(call)
            while process.poll() is None:
                if cancelled():
                    _end(process)
                    raise CancelledError
                time.sleep(_POLL)
        finally:
            del _processes[key]
        if not file.exists():
            raise WorkerDiedError(f"the process of the task {_ended_by(process.returncode)}")
        return file.read_bytes()


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _ended_by(status: int) -> str:
    """How a process has ended that has left nothing."""
    if status == -signal.SIGKILL:
        return "was killed (signal 9), as systems and batch systems do where memory runs out"
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}; its log tells why"
