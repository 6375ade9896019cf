"""The work is done in this process, one training after the other."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from study.executors.base import LaunchExecutor


class Inline(LaunchExecutor):
    """Does each call at once, in this process."""

    def slots_for(self, trainings: int, gpus: int) -> int:
        return 1

    def allow(self, slots: int) -> None:
        """There is one slot."""

    def submit(self, work: Callable[[Any], Any], task: Any) -> Future:
        future: Future = Future()
        try:
            future.set_result(work(task))
        except Exception as error:
            future.set_exception(error)
        return future
