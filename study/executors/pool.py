"""A pool of spawned processes on this machine."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import active_children, get_context, parent_process
from queue import SimpleQueue
from typing import Any

from tqdm import tqdm

from study import allotment
from study.executors.base import Threaded, WorkerDiedError

MEMORY_PER_RUN = 2 * 2**30  # bytes of host memory to allow for


class Pool(Threaded):
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
        super().__init__(slots)
        self._module, self._context = module, get_context("spawn")
        self._lock = self._context.RLock()
        tqdm.set_lock(self._lock)  # one process at a time writes to the terminal
        self._free: SimpleQueue[int] = SimpleQueue()
        self._processes: dict[int, ProcessPoolExecutor] = {}
        self._guard = threading.Lock()  # no process may start while others are being ended

    def start(self) -> None:
        self._processes[0] = self._started(0)

    def _started(self, slot: int) -> ProcessPoolExecutor:
        start = (self._lock, slot, self._module)
        process = ProcessPoolExecutor(1, self._context, _start_worker, start)
        # the process inherits what is blocked: Ctrl-C must not disturb its imports, before it can ignore it by itself
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        process.submit(int)  # which starts it
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return process

    def slots_for(self, trainings: int, gpus: int) -> int:
        slots = (self.slots or 1) * gpus or self.slots or min(allotment.cores(), allotment.memory() // MEMORY_PER_RUN)
        return max(1, min(slots, trainings))

    def allow(self, slots: int) -> None:
        super().allow(slots)
        self._free = SimpleQueue()
        for slot in range(slots):
            self._free.put(slot)

    def run(self, work: Callable[[Any], Any], task: Any) -> Any:
        """Have a free process do a call, and wait for it."""
        slot = self._free.get()
        try:
            with self._guard:
                if self.ending:
                    raise CancelledError
                if slot not in self._processes:
                    self._processes[slot] = self._started(slot)
                future = self._processes[slot].submit(work, task)
            return future.result()
        except BrokenProcessPool as error:
            self._processes.pop(slot).shutdown()
            raise WorkerDiedError(
                f"the worker process died ({error}): with fewer --slots more memory is left to each"
            ) from error
        finally:
            self._free.put(slot)

    def end(self) -> None:
        with self._guard:
            self.ending = True
        if self.threads is not None:
            self.threads.shutdown(wait=False, cancel_futures=True)
        for process in active_children():  # a training would go on to its end; its checkpoint stays
            process.terminate()
        for process in active_children():
            process.join()
        if self.threads is not None:
            self.threads.shutdown()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None or self.threads is None:  # a process that had nothing to do would go on importing
            self.end()
        elif self.threads is not None:
            self.threads.shutdown()
        for process in self._processes.values():
            process.shutdown()


def _start_worker(lock: object, slot: int, module: str) -> None:
    """Give this process a GPU of its own; stop with the launching process, not before.

    It imports the module of its work without waiting for the first task.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    tqdm.set_lock(lock)
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
