"""What a launch does at this moment, on its terminal: as the store tells it, wherever the trainings are done."""

from __future__ import annotations

import math
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

from tqdm import tqdm

from study import tracking
from study.ablation.progress import TimeLeft, duration

_EVERY = 5.0  # s between two looks into the store
_LINE_EVERY = 600.0  # s between two lines where there is no terminal
_SHOWN = 8  # runs that have a line of their own
_STEP = re.compile(r"step (\d+) of (\d+)")


class LiveView(AbstractContextManager):
    """Tells how many runs are done, which ones are at work, at which step and speed, and about the time left.

    On a terminal these are lines that change, a line for each run that is at work. Elsewhere, such as in the log of a
    batch system, a line tells it every ten minutes.

    Parameters
    ----------
    total : int
        Runs of the launch.
    at_work : callable
        Gives the runs of the launch that are at work, as the store has them; None while it does not answer.
    terminal : bool, optional
        Whether lines can change; by default whether standard error is a terminal.
    """

    def __init__(
        self, total: int, at_work: Callable[[], Sequence[tracking.StoredRun] | None], terminal: bool | None = None
    ) -> None:
        self.done, self.total, self._at_work = 0, total, at_work
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._time_left, self._task_of = TimeLeft((), 1), dict[str, int]()
        self._lines: list[tqdm] = []
        self._end, self._told = threading.Event(), time.monotonic()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def follow(self, time_left: TimeLeft, task_of: Mapping[str, int]) -> None:
        """Take the time left from that, whose tasks are known by the digests of their trainings."""
        self._time_left, self._task_of = time_left, dict(task_of)

    def __enter__(self) -> LiveView:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(_EVERY)  # a store that is away must not hold the launch
        for line in self._lines:
            line.close()

    def _watch(self) -> None:
        while not self._end.wait(_EVERY):
            runs = self._at_work()
            if runs is None or self._end.is_set():
                continue
            words = self.words(runs)
            if self._terminal:
                self._show(words)
            elif time.monotonic() - self._told >= _LINE_EVERY:
                self._told = time.monotonic()
                tqdm.write("; ".join(words))

    def words(self, runs: Sequence[tracking.StoredRun]) -> list[str]:
        """A line on the launch, and one for each of the runs that are at work."""
        shares = {}
        for run in runs:
            task, found = self._task_of.get(run.tags.get("training_digest", "")), _STEP.match(run.progress)
            if task is not None and found:
                shares[task] = int(found[1]) / int(found[2])
        left = self._time_left.left(shares)
        time_left = "" if math.isnan(left) or not left else f", about {duration(left)} left"
        head = f"{self.done} of {self.total} runs done, {len(runs)} at work{time_left}"
        shown = [f"{run.name}: {run.progress or 'at work'}" for run in runs[:_SHOWN]]
        more = [f"and {len(runs) - _SHOWN} more"] if len(runs) > _SHOWN else []
        return [head, *shown, *more]

    def _show(self, words: Sequence[str]) -> None:
        while len(self._lines) < len(words):
            self._lines.append(tqdm(bar_format="{desc}", leave=False, dynamic_ncols=True))
        width = shutil.get_terminal_size().columns - 1
        for line, text in zip(self._lines, [*words, *[""] * (len(self._lines) - len(words))], strict=True):
            line.set_description_str(text[:width])  # one that goes on in the next row would be left there
