"""Which of the runs marked RUNNING are worked on: a killed process cannot end its run."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

import psutil
from mlflow import MlflowClient
from mlflow.entities import Run, RunTag
from mlflow.exceptions import MlflowException

HEARTBEAT = 10.0  # seconds
DEAD_AFTER = 300.0  # seconds without a heartbeat, for runs of other machines
# tags: seconds since 1970; machine, process id, its start in seconds since 1970, and the namespace of its id
_BEAT, _PROCESS = "heartbeat", "process"
PROGRESS = "progress"  # tag: where the work on a run is, in words, while it goes on


class _Worked(Protocol):
    run_id: str
    progress: str  # where the work on it is, in words; empty where that is not told


def heartbeat_tags() -> dict[str, str]:
    """Tags of a run that this process works on: which process it is, and when it last gave a heartbeat."""
    process = psutil.Process()
    name = f"{socket.gethostname()} {process.pid} {process.create_time():.0f} {_namespace()}"
    return {_PROCESS: name, _BEAT: f"{time.time():.0f}"}


@contextmanager
def send_heartbeats(run: _Worked) -> Iterator[None]:
    """Show that this process works on a run, and where it is, as long as the block lasts."""
    client, end, told = MlflowClient(), threading.Event(), False
    client.log_batch(run.run_id, tags=[RunTag(name, value) for name, value in heartbeat_tags().items()])

    def beat() -> None:
        nonlocal told
        while not end.wait(HEARTBEAT):
            tags = {_BEAT: f"{time.time():.0f}"} | ({PROGRESS: run.progress} if run.progress else {})
            try:
                client.log_batch(run.run_id, tags=[RunTag(name, value) for name, value in tags.items()])
            except MlflowException:
                continue  # a store that does not answer for a moment
            told = told or PROGRESS in tags

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        if told:
            with suppress(MlflowException):
                client.delete_tag(run.run_id, PROGRESS)


def end_abandoned(experiment_id: str) -> int:
    """Mark the runs of an experiment whose process is dead as KILLED; gives their number.

    On this machine a process is looked up; elsewhere a run is dead without a heartbeat for `DEAD_AFTER` seconds.
    """
    client, ended = MlflowClient(), 0
    for run in client.search_runs([experiment_id], "attributes.status = 'RUNNING'", max_results=1000):
        if seems_abandoned(run):
            client.log_batch(run.info.run_id, tags=[RunTag("failure", "its process was killed")])
            client.set_terminated(run.info.run_id, "KILLED")
            ended += 1
    return ended


def heartbeat_of(run: Run) -> str:
    """The last heartbeat of a run; another one shows that it is worked on, whatever the clocks of two machines say."""
    return run.data.tags.get(_BEAT, "")


def process_of(run: Run) -> str:
    """Which process works on a run, in words."""
    words = run.data.tags.get(_PROCESS, "").split(" ")
    return f"process {words[1]} on {words[0]}" if len(words) > 1 else "another process"


def is_ended_here(run: Run) -> bool:
    """Whether the process of a run was one of this machine, and is dead."""
    return _is_of_here(run) and not _alive(run)


def seems_abandoned(run: Run) -> bool:
    """Whether a run marked RUNNING has given heartbeats, and its process is dead."""
    return _BEAT in run.data.tags and not _alive(run)


def _is_of_here(run: Run) -> bool:
    """Whether the process of a run can be looked up: two containers with one host name do not see each other's."""
    machine, _, _, *namespace = run.data.tags.get(_PROCESS, "  ").split(" ")
    return machine == socket.gethostname() and (not namespace or namespace[0] == _namespace())


def _namespace() -> str:
    """The namespace of the ids of processes; empty where there is none."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _alive(run: Run) -> bool:
    _, pid, started, *_ = run.data.tags.get(_PROCESS, "  ").split(" ")
    if not _is_of_here(run):
        return time.time() - float(run.data.tags[_BEAT]) < DEAD_AFTER
    try:  # an id alone is used again; a clock that is set moves all starts a little
        return abs(psutil.Process(int(pid)).create_time() - float(started)) < 2
    except (psutil.NoSuchProcess, ValueError):
        return False
