"""How long a launch will take, from estimates of its trainings and from those that have ended."""

from __future__ import annotations

import heapq
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence


class TimeLeft:
    """Wall time until tasks are done that run `slots` at a time, in their order.

    What the estimates are wrong by, the tasks that have ended show: all others are taken to be as much longer. Tasks
    without an estimate are taken to be as long as those of them that have ended.

    Parameters
    ----------
    estimated : sequence of float
        Seconds that each task will take; 0 where nothing is known of it.
    slots : int
    clock : callable
        The time in seconds.
    done : sequence of float
        Share of each task that was done before, which is not in its estimate; none by default.
    """

    def __init__(
        self,
        estimated: Sequence[float],
        slots: int,
        clock: Callable[[], float] = time.monotonic,
        done: Sequence[float] = (),
    ):
        self._done = list(done) or [0.0] * len(estimated)
        self._work = [seconds or 1.0 for seconds in estimated]
        self._timed = [seconds > 0 for seconds in estimated]
        self._clock, self._slots = clock, slots
        self._started = dict.fromkeys(range(min(slots, len(self._work))), clock())
        self._taken = {True: 0.0, False: 0.0}  # by the tasks that have ended, with an estimate or without
        self._ended = {True: 0.0, False: 0.0}  # and their work
        self._running = set(self._started)
        self._lock = threading.Lock()  # what shows it asks from a thread of its own

    def finished(self, task: int, *, whole: bool = True) -> float:
        """Seconds left as a task ends; NaN while nothing is known. One that is not `whole` tells nothing of others."""
        with self._lock:
            now = self._clock()
            if whole:
                self._taken[self._timed[task]] += now - self._started[task]
                self._ended[self._timed[task]] += self._work[task]
            self._running.discard(task)
            if (begun := len(self._started)) < len(self._work):
                self._started[begun] = now
                self._running.add(begun)
        return self.left()

    def left(self, shares: Mapping[int, float] | None = None) -> float:
        """Seconds left; NaN while nothing is known. `shares` of tasks that run are known to be done."""
        with self._lock:
            now = self._clock()
            taken = {i: now - self._started[i] for i in self._running}
            known = {i: self._since_start(i, share) for i, share in (shares or {}).items() if i in taken}
            factors = self._factors(taken, known)
            if not factors:
                return math.nan
            # nothing is known of a kind of which none has ended: an estimate is trusted, the others are left out
            waiting = [
                factors.get(kind, float(kind)) * work for kind, work in zip(self._timed, self._work, strict=True)
            ]
            running = (
                waiting[i] * (1 - known[i]) if i in known else max(0.0, waiting[i] - seconds)
                for i, seconds in taken.items()
            )
            return wall_time(waiting[len(self._started) :], self._slots, running)

    def _since_start(self, task: int, share: float) -> float:
        """The share that is done of what was left of a task as it started."""
        done = self._done[task]
        return max(0.0, share - done) / (1 - done) if done < 1 else 1.0

    def _factors(self, taken: Mapping[int, float], known: Mapping[int, float]) -> dict[bool, float]:
        """Seconds for each second of an estimate, and for each task without one, as far as tasks have shown them."""
        factors = {}
        for kind in (True, False):
            of_kind = [i for i in known if self._timed[i] == kind]
            ended = self._ended[kind] + sum(known[i] * self._work[i] for i in of_kind)
            if ended:
                factors[kind] = (self._taken[kind] + sum(taken[i] for i in of_kind)) / ended
        return factors


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
