"""How long a launch will take, from estimates of its trainings and from those that have ended."""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence


class TimeLeft:
    """Wall time until tasks are done that run `slots` at a time, in their order.

    What the estimates are wrong by, the tasks that have ended show: all others are taken to be as much longer.

    Parameters
    ----------
    estimated : sequence of float
        Seconds of each task; where all are 0, tasks are taken to be equally long.
    slots : int
    clock : callable
        The time in seconds.
    """

    def __init__(self, estimated: Sequence[float], slots: int, clock: Callable[[], float] = time.monotonic):
        self._estimated = list(estimated) if sum(estimated) else [1.0] * len(estimated)
        self._clock, self._slots = clock, slots
        self._started = dict.fromkeys(range(min(slots, len(self._estimated))), clock())
        self._taken = self._ended = 0.0  # by the tasks that have ended, and what was estimated for them
        self._running = set(self._started)
        self._lock = threading.Lock()  # what shows it asks from a thread of its own

    def finished(self, task: int, *, whole: bool = True) -> float:
        """Seconds left as a task ends; NaN while nothing is known. One that is not `whole` tells nothing of others."""
        with self._lock:
            now = self._clock()
            if whole:
                self._taken += now - self._started[task]
                self._ended += self._estimated[task]
            self._running.discard(task)
            if (begun := len(self._started)) < len(self._estimated):
                self._started[begun] = now
                self._running.add(begun)
        return self.left()

    def left(self, shares: Mapping[int, float] | None = None) -> float:
        """Seconds left; NaN while nothing is known. `shares` of tasks that run are known to be done."""
        with self._lock:
            now = self._clock()
            taken = {i: now - self._started[i] for i in self._running}
            known = {i: share for i, share in (shares or {}).items() if i in taken}
            ended = self._ended + sum(share * self._estimated[i] for i, share in known.items())
            if not ended:
                return math.nan
            factor = (self._taken + sum(taken[i] for i in known)) / ended
            running = (
                factor * self._estimated[i] * (1 - known[i])
                if i in known
                else max(0.0, factor * self._estimated[i] - seconds)
                for i, seconds in taken.items()
            )
            waiting = (factor * seconds for seconds in self._estimated[len(self._started) :])
            return wall_time(waiting, self._slots, running)


def wall_time(tasks: Iterable[float], slots: int, running: Iterable[float] = ()) -> float:
    """Time of tasks, the next of which starts as soon as a slot is free; of those that run, what is left."""
    ends = heapq.nlargest(slots, running)
    ends += [0.0] * (slots - len(ends))
    heapq.heapify(ends)
    for seconds in tasks:
        heapq.heapreplace(ends, ends[0] + seconds)
    return max(ends)


def duration(seconds: float) -> str:
    """A time in words: `17 min`, `1.6 h`; what has begun counts as a whole minute."""
    minutes = seconds / 60
    return f"{minutes / 60:.1f} h" if minutes > 90 else f"{math.ceil(minutes)} min"
