"""Signals that end the work in a process: handled between two transactions of the store, never amid one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

Handler = Callable[[int, FrameType | None], object]


def between_transactions(handler: Handler) -> Handler:
    """A handler of signals that waits for the end of a transaction with the store's database.

    An exception that a handler raises amid a transaction can leave it open. Its process then keeps the database
    locked for as long as it lives: other processes cannot write, nor can it write by itself that its run has ended.

    Parameters
    ----------
    handler : callable
        Called with the number of the signal and the frame that it has interrupted, in the main thread; may raise. Of
        several signals in one transaction it gets the first.
    """
    waiting: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        transaction = _transaction(frame)
        if transaction is None:
            handler(number, frame)
            return
        waiting.append(number)
        if len(waiting) > 1:
            return
        before = sys.getprofile()

        def at_return(current: FrameType, event: str, _: Any) -> None:
            if current is transaction and event == "return":
                sys.setprofile(before)
                first = waiting[0]
                waiting.clear()
                handler(first, current.f_back)

        sys.setprofile(at_return)  # the one way to hear of the end of a call that has begun

    return handle


def _transaction(frame: FrameType | None) -> FrameType | None:
    """The outermost call, of those that a frame is in, by which MLflow uses its database; a server has none here."""
    found = None
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(("sqlalchemy.", "mlflow.store.db.")) or module.endswith(".sqlalchemy_store"):
            found = frame
        frame = frame.f_back
    return found
