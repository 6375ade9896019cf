"""What an executor does for a launch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

from study.executors.machine import Machine, agreed, describe


class WorkerDiedError(Exception):
    """A task has no outcome since what did it is gone; the text says what is known of why."""


class LaunchExecutor(AbstractContextManager, ABC):
    """Does the trainings of a launch, some at a time.

    Attributes
    ----------
    elsewhere : bool
        Whether they are done on other machines, so that nothing here tells their cores, their device and their speed.
    own_folders : bool
        Whether these may have working folders of their own, so that one does not find what another has begun.
    """

    elsewhere: bool = False
    own_folders: bool = False

    def start(self) -> None:
        """Start what takes long, before there is work for it."""

    def machine(self, device: str) -> Machine:
        """What the trainings are done on, where `training.device` is that.

        Raises
        ------
        StudyError
            If there is no such device, or the code there is not that of this process.
        """
        return agreed(self.ask(describe, device))

    def ask(self, question: Callable[[Any], Any], given: Any) -> list[Any]:
        """What a call gives on each machine that is there, or on one that stands for all.

        Raises
        ------
        StudyError
            If the call raises it, or no machine can be asked.
        """
        return [question(given)]

    @abstractmethod
    def slots_for(self, trainings: int, gpus: int) -> int:
        """Number of trainings at a time, of so many, on a machine with so many GPUs to be used."""

    @abstractmethod
    def allow(self, slots: int) -> None:
        """Let so many calls run at a time from now on; to be told before the first, and while none runs."""

    @abstractmethod
    def submit(self, work: Callable[[Any], Any], task: Any) -> Future:
        """Do a call when a slot is free."""

    def end(self) -> None:
        """End all that runs, and start nothing more; nothing runs any more when this comes back."""

    def __exit__(self, kind: object, *_: object) -> None:
        """End all that runs where the block is left by an exception, such as Ctrl-C."""
        if kind is not None:
            self.end()


class Threaded(LaunchExecutor):
    """An executor with a thread for each slot, which waits for the work that is done elsewhere."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.threads: ThreadPoolExecutor | None = None
        self.ending = False

    def allow(self, slots: int) -> None:
        if self.threads is not None:
            self.threads.shutdown()
        self.threads = ThreadPoolExecutor(slots)

    def submit(self, work: Callable[[Any], Any], task: Any) -> Future:
        assert self.threads is not None
        return self.threads.submit(self._run, work, task)

    def _run(self, work: Callable[[Any], Any], task: Any) -> Any:
        if self.ending:
            raise CancelledError
        return self.run(work, task)

    @abstractmethod
    def run(self, work: Callable[[Any], Any], task: Any) -> Any:
        """Have a call done, and wait for it."""
