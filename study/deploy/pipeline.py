"""Steps that go on side by side: items whose results are at work ahead of who wants them."""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypeVar


class Item(Protocol):
    """What a step takes."""

    @property
    def cost(self) -> int:
        """How much of the limit it takes up while it waits."""
        ...


_Item = TypeVar("_Item", bound=Item)
_Result = TypeVar("_Result")


def ahead(
    items: Iterable[_Item], submit: Callable[[_Item], Future[_Result]], limit: int
) -> Iterator[tuple[_Item, Future[_Result]]]:
    """Each item with its future, in their order; later ones are at work, with a `cost` of at most `limit` in all."""
    waiting: deque[tuple[_Item, Future[_Result]]] = deque()
    load = 0
    for item in items:
        while waiting and load + item.cost > limit:
            load -= waiting[0][0].cost
            yield waiting.popleft()
        waiting.append((item, submit(item)))
        load += item.cost
        if len(waiting) > 1 and waiting[0][1].done():  # rather than when the limit is reached
            load -= waiting[0][0].cost
            yield waiting.popleft()
    yield from waiting


@contextmanager
def low_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool whose waiting tasks are dropped when the block is left, as on Ctrl-C; those at work come to their end."""
    pool = ThreadPoolExecutor(count, initializer=_give_way)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _give_way() -> None:
    """Let this thread work where the network's threads leave a core idle; each of those waits for the slowest.

    Only Linux has a priority for each thread.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
