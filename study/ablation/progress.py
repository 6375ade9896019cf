"""How long a launch will take, from estimates of its trainings and from those that have ended."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Iterable, Sequence


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

    def finished(self, task: int, *, whole: bool = True) -> float:
        """Seconds left as a task ends; NaN while nothing is known. One that is not `whole` tells nothing of others."""
        now = self._clock()
        if whole:
            self._taken += now - self._started[task]
            self._ended += self._estimated[task]
        begun = len(self._started)
        if begun < len(self._estimated):
            self._started[begun] = now
        self._estimated[task], self._started[task] = 0.0, now
        if not self._ended:
            return math.nan
        factor = self._taken / self._ended
        running = (max(0.0, self._started[i] + factor * self._estimated[i] - now) for i in self._started)
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
