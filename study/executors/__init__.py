"""Where trainings, and other tasks, are done: here, in processes, on a dask cluster or in jobs of a batch system.

A process takes seconds to import the work. The first one of a pool is started before the launching process imports what
that needs, so that both do it at the same time: hence torch is not imported here, nor an engine before it is chosen.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

from study.errors import StudyError, unknown_name
from study.executors.base import LaunchExecutor, WorkerDiedError
from study.executors.inline import Inline
from study.executors.machine import Machine
from study.signals import between_transactions

__all__ = [
    "EXECUTORS",
    "Inline",
    "LaunchExecutor",
    "Machine",
    "WorkerDiedError",
    "execute",
    "execute_groups",
    "opened_executor",
]

# one after the other in this process; in spawned processes; on a dask cluster; in jobs of SLURM
EXECUTORS = ("inline", "pool", "dask", "slurm")
_Item = TypeVar("_Item")
_AGAIN = 3.0  # s after a first signal, from which on a second Ctrl-C is meant as such


@contextmanager
def opened_executor(
    name: str, module: str, slots: int = 0, scheduler: str = "", cluster: str = ""
) -> Iterator[LaunchExecutor]:
    """What does the tasks of a command until the block is left: `Inline`, `Pool`, `DaskExecutor` or `SlurmExecutor`.

    Parameters
    ----------
    name : str
        One of `EXECUTORS`.
    module : str
        That of the work.
    slots : int
        Tasks at a time; 0 chooses.
    scheduler : str
        Of dask: its address, or the kind of cluster to start, see `study.executors.dask.open_client`.
    cluster : str
        YAML file that describes the cluster to start, or the jobs of SLURM.

    Raises
    ------
    StudyError
        If there is no executor of that name, an option does not go with it, or it cannot be reached.
    """
    if name not in EXECUTORS:
        raise unknown_name("executor", name, EXECUTORS)
    if scheduler and name != "dask":
        raise StudyError(f"--scheduler goes with --executor dask, not with {name}")
    if cluster and name not in ("dask", "slurm"):
        raise StudyError(f"--cluster goes with --executor dask or slurm, not with {name}")
    with _stopped_once(), _executor(name, module, slots, scheduler, cluster) as executor:
        yield executor


def _executor(name: str, module: str, slots: int, scheduler: str, cluster: str) -> LaunchExecutor:
    if name == "pool":
        from study.executors.pool import Pool

        return Pool(module, slots)
    try:
        if name == "dask":
            from study.executors.dask import DaskExecutor

            return DaskExecutor(scheduler, slots, cluster)
        if name == "slurm":
            from study.executors.slurm import SlurmExecutor

            return SlurmExecutor(slots, cluster)
    except ModuleNotFoundError as error:
        raise StudyError(
            f"--executor {name} needs the package {error.name}: install the extra `cluster`, by pip install -c "
            "requirements.lock -e '.[cluster]'"
        ) from error
    return Inline()


@contextmanager
def _stopped_once() -> Iterator[None]:
    """Let SIGTERM, which schedulers send, and SIGHUP, of a closed terminal, end the block as Ctrl-C does.

    No further signal disturbs that end, as `mlflow run` sends a second one right after the first. But whoever presses
    Ctrl-C again, some seconds later, wants the process to end at once.
    """
    if threading.current_thread() is not threading.main_thread():  # only that may set handlers
        yield
        return
    stopped = 0.0

    def stop(number: int, _: object) -> None:
        nonlocal stopped
        if not stopped:
            stopped = time.monotonic()
            raise KeyboardInterrupt
        if number == signal.SIGINT and time.monotonic() - stopped > _AGAIN:
            os._exit(128 + number)

    heard = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as `nohup` has it
        heard.append(signal.SIGHUP)
    handler = between_transactions(stop)
    before = {kind: signal.signal(kind, handler) for kind in heard}
    try:
        yield
    finally:
        for kind, earlier in before.items():
            signal.signal(kind, earlier)


def execute(
    work: Callable[[Any], Any], tasks: Sequence[Any], slots: int, executor: LaunchExecutor
) -> Iterator[tuple[int, Any | Exception]]:
    """Execute tasks; gives the index of each as it ends, with its outcome, or the error of a worker that died."""
    if tasks:
        executor.allow(slots)
    futures = {}
    for i, task in enumerate(tasks):
        future = executor.submit(work, task)
        if future.done():  # inline
            yield i, _outcome(future)
        else:
            futures[future] = i
    for future in as_completed(futures):
        yield futures[future], _outcome(future)


def execute_groups(
    work: Callable[[Any], Any],
    task_of: Callable[[Sequence[_Item]], Any],
    groups: Sequence[Sequence[_Item]],
    slots: int,
    executor: LaunchExecutor,
) -> Iterator[tuple[Sequence[_Item], Any | WorkerDiedError]]:
    """Execute a task for each group of items; gives groups as they end, with their outcomes.

    Where a worker dies, each item of its group is tried once more, in a task of its own, so that one that kills its
    worker takes no other along; its outcome is a WorkerDiedError then. Any other error ends it all.
    """
    alone: list[list[_Item]] = []
    for attempt in (groups, alone):
        tasks = [task_of(group) for group in attempt]
        for i, outcome in execute(work, tasks, min(slots, len(tasks)), executor):
            if isinstance(outcome, WorkerDiedError) and attempt is not alone:
                alone += [[item] for item in attempt[i]]
            elif isinstance(outcome, Exception) and not isinstance(outcome, WorkerDiedError):
                raise outcome
            else:
                yield attempt[i], outcome


def _outcome(future: Future) -> Any | Exception:
    try:
        return future.result()
    except Exception as error:
        return error
