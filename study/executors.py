"""Where runs are worked off: in this process, or in a pool of spawned ones."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context
from multiprocessing.queues import Queue
from typing import Any

import psutil
import torch
from tqdm import tqdm

from study.errors import unknown_name
from study.monitor import show_progress_at

EXECUTORS = ("inline", "pool")
MEMORY_OF_A_RUN = 2 * 2**30  # bytes of host memory to reckon with


@dataclass(frozen=True)
class Launch:
    """How runs are executed.

    Attributes
    ----------
    executor : str
        `inline` (one after the other in this process) or `pool` (spawned processes).
    slots : int
        Processes of the pool, on GPUs per GPU; 0 chooses: one per GPU, else as many as cores and memory allow.

    Raises
    ------
    StudyError
        If the executor is unknown.
    """

    executor: str = "pool"
    slots: int = 0

    def __post_init__(self):
        if self.executor not in EXECUTORS:
            raise unknown_name("executor", self.executor, EXECUTORS)

    def slots_for(self, trainings: int, device: torch.device) -> int:
        """Number of trainings at a time."""
        if self.executor == "inline":
            return 1
        if device.type == "cuda":
            slots = (self.slots or 1) * torch.cuda.device_count()
        else:
            memory = psutil.virtual_memory().available // MEMORY_OF_A_RUN
            slots = self.slots or min(os.cpu_count() or 1, memory)
        return max(1, min(slots, trainings))


def execute(
    work: Callable[[Any], Any], tasks: Sequence[Any], slots: int, launch: Launch
) -> Iterator[tuple[int, Any | Exception]]:
    """Work tasks off; gives the index of each as it ends, with its outcome, or the error of a worker that died."""
    with _executor(slots, launch) as executor:
        futures = {}
        for i, task in enumerate(tasks):
            future = executor.submit(work, task)
            if future.done():  # inline
                yield i, _outcome(future)
            else:
                futures[future] = i
        for future in as_completed(futures):
            yield futures[future], _outcome(future)


def _outcome(future: Future) -> Any | Exception:
    try:
        return future.result()
    except Exception as error:
        return error


class _Inline(Executor):
    """Runs each call at once, in this process."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def _executor(slots: int, launch: Launch) -> Iterator[Executor]:
    """The executor of a launch; what it has not started is dropped when the block is left by an exception."""
    if launch.executor == "inline":
        yield _Inline()
        return
    context = get_context("spawn")
    places = context.Queue()
    for place in range(slots):
        places.put(place)
    lock = context.RLock()
    tqdm.set_lock(lock)  # one line of the terminal for each process
    executor = ProcessPoolExecutor(slots, context, _start_worker, (lock, places))
    try:
        yield executor
    except BaseException:
        for process in active_children():  # a training would go on to its end; its checkpoint stays
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker(lock: object, places: Queue) -> None:
    """Give this process a line of the terminal and a GPU of its own; leave Ctrl-C to the launching process."""
    tqdm.set_lock(lock)
    place = places.get()
    show_progress_at(place)
    if torch.cuda.is_available():
        torch.cuda.set_device(place % torch.cuda.device_count())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
