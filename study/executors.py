"""Where runs are executed: in this process, or in a pool of spawned ones.

A process of a pool takes seconds to import its work. The first one is started before the launching process imports what
that needs, so that both do it at the same time: hence torch is not imported here.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import active_children, get_context, parent_process
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from study import allotment
from study.errors import unknown_name
from study.process import show_progress_at

if TYPE_CHECKING:
    import torch

EXECUTORS = ("inline", "pool")  # one after the other in this process; in spawned processes
MEMORY_PER_RUN = 2 * 2**30  # bytes of host memory to allow for


class Inline(Executor):
    """Runs each call at once, in this process."""

    def start(self) -> None:
        """There is nothing to start."""

    def slots_for(self, trainings: int, device: torch.device) -> int:
        """Number of trainings at a time."""
        return 1

    def allow(self, slots: int) -> None:
        """There is one slot."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class Pool(Executor):
    """Spawned processes, one per slot. One that dies takes its own task with it and no other, and is replaced.

    Parameters
    ----------
    module : str
        That of the work, which a process imports as it starts.
    slots : int
        Processes, on GPUs per GPU; 0 chooses: one per GPU, else as many as the cores and the memory allow that are
        allotted to this process.
    """

    def __init__(self, module: str, slots: int = 0):
        self._module, self._slots, self._context = module, slots, get_context("spawn")
        self._lock = self._context.RLock()
        tqdm.set_lock(self._lock)  # one line of the terminal for each process
        self._threads: ThreadPoolExecutor | None = None
        self._free: SimpleQueue[int] = SimpleQueue()
        self._processes: dict[int, ProcessPoolExecutor] = {}
        self._guard, self._ending = threading.Lock(), False  # no process may start while others are being ended

    def start(self) -> None:
        """Start the first process, before there is work for it."""
        self._processes[0] = self._started(0)

    def _started(self, slot: int) -> ProcessPoolExecutor:
        start = (self._lock, slot, self._module)
        process = ProcessPoolExecutor(1, self._context, _start_worker, start)
        # the process inherits what is blocked: Ctrl-C must not disturb its imports, before it can ignore it by itself
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        process.submit(int)  # which starts it
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process

    def slots_for(self, trainings: int, device: torch.device) -> int:
        """Number of trainings at a time."""
        if device.type == "cuda":
            import torch

            slots = (self._slots or 1) * torch.cuda.device_count()
        else:
            memory = allotment.memory() // MEMORY_PER_RUN
            slots = self._slots or min(allotment.cores(), memory)
        return max(1, min(slots, trainings))

    def allow(self, slots: int) -> None:
        """Let so many calls run at a time from now on; to be told before the first, and while none runs."""
        if self._threads is not None:
            self._threads.shutdown()
        self._threads, self._free = ThreadPoolExecutor(slots), SimpleQueue()
        for slot in range(slots):
            self._free.put(slot)

    def submit(self, fn, /, *args, **kwargs) -> Future:
        assert self._threads is not None
        return self._threads.submit(self._run, fn, *args, **kwargs)

    def _run(self, fn: Callable, *args: Any, **kwargs: Any) -> Any:
        """Have a free process run a call, and wait for it."""
        slot = self._free.get()
        try:
            with self._guard:
                if self._ending:
                    raise CancelledError
                if slot not in self._processes:
                    self._processes[slot] = self._started(slot)
                future = self._processes[slot].submit(fn, *args, **kwargs)
            return future.result()
        except BrokenProcessPool:
            self._processes.pop(slot).shutdown()
            raise
        finally:
            self._free.put(slot)

    def __exit__(self, kind: object, *_: object) -> None:
        with self._guard:
            self._ending = True
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
        # a training would go on to its end, and its checkpoint stays; a process that had nothing to do, on importing
        if kind is not None or self._threads is None:
            for process in active_children():
                process.terminate()
        if self._threads is not None:
            self._threads.shutdown()
        for process in self._processes.values():
            process.shutdown()


@contextmanager
def opened_executor(name: str, module: str, slots: int = 0) -> Iterator[Inline | Pool]:
    """What executes the work of a launch, see `EXECUTORS` and `Pool`, until the block is left.

    Raises
    ------
    StudyError
        If there is no executor of that name.
    """
    if name not in EXECUTORS:
        raise unknown_name("executor", name, EXECUTORS)
    with _stopped_once(), Inline() if name == "inline" else Pool(module, slots) as executor:
        yield executor


@contextmanager
def _stopped_once() -> Iterator[None]:
    """Let SIGTERM, which schedulers send, end the block as Ctrl-C does, and no further signal disturb that end.

    `mlflow run` sends a second one right after the first.
    """
    if threading.current_thread() is not threading.main_thread():  # only that may set handlers
        yield
        return
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            raise KeyboardInterrupt

    before = {kind: signal.signal(kind, stop) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def execute(
    work: Callable[[Any], Any], tasks: Sequence[Any], slots: int, executor: Inline | Pool
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


def _outcome(future: Future) -> Any | Exception:
    try:
        return future.result()
    except Exception as error:
        return error


def _start_worker(lock: object, slot: int, module: str) -> None:
    """Give this process a line of the terminal and a GPU of its own; stop with the launching process, not before.

    It imports the module of its work without waiting for the first task.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    tqdm.set_lock(lock)
    show_progress_at(slot)
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_device(slot % torch.cuda.device_count())
    import_module(module)


def _stop_with_parent() -> None:
    """End this process when the launching one has died: nobody would take its results."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
