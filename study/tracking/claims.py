"""Claims on trainings: of all launches that share a store, one at a time does a training.

A store has no locks. A process claims a training by a tag of its run. It says that it wants it; where it sees nobody
who has it, or wants it and has a smaller id, it says that it has it, looks once more, and begins where nobody else says
so and the training is not done yet. Of two that say so at once, the later look of the two sees the other one, and the
one with the larger id gives way. A claim lasts as long as its run is marked RUNNING and gives heartbeats.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from mlflow import MlflowClient
from mlflow.entities import Run
from tqdm import tqdm

from study.tracking.heartbeat import DEAD_AFTER, heartbeat_of, is_ended_here, process_of
from study.tracking.run import TrackedRun
from study.tracking.store import active_experiments

_CLAIM = "claim"  # tag
_WANTED, _HELD = "wanted", "held"
_LOOK_AGAIN = 5.0  # s between two looks at a claim that is waited for
_REMINDER = 600.0  # s between two lines on it


class _Others:
    """The claims of other runs on a training, without those whose process is dead.

    Whether the process of another machine is dead is told by its heartbeats alone: none for `DEAD_AFTER` seconds of the
    clock of this machine.
    """

    def __init__(self, training_digest: str, own: str = "", clock: Callable[[], float] = time.monotonic):
        self._digest, self._own, self._clock = training_digest, own, clock
        self._seen: dict[str, tuple[str, float]] = {}  # run -> its last heartbeat, and when it was first seen

    def find(self) -> list[Run]:
        condition = f"tags.training_digest = '{self._digest}' and tags.{_CLAIM} != '' and attributes.status = 'RUNNING'"
        runs = MlflowClient().search_runs(active_experiments(), condition)
        return [run for run in runs if run.info.run_id != self._own and self._is_alive(run)]

    def _is_alive(self, run: Run) -> bool:
        if is_ended_here(run):
            return False
        beat, now = heartbeat_of(run), self._clock()
        if self._seen.get(run.info.run_id, ("", 0.0))[0] != beat:
            self._seen[run.info.run_id] = beat, now
        return now - self._seen[run.info.run_id][1] < DEAD_AFTER


def is_claimed(training_digest: str) -> str:
    """Who does a training at this moment, in words; empty if nobody does."""
    held = [run for run in _Others(training_digest).find() if _is_held(run)]
    return _owner(held[0]) if held else ""


def claim(run: TrackedRun, training_digest: str, is_done: Callable[[], bool]) -> bool:
    """Claim a training for a run; waits, and says for whom, while another one has it.

    Parameters
    ----------
    run : TrackedRun
        It has the tag `training_digest`, is marked RUNNING, and gives heartbeats.
    training_digest : str
    is_done : callable
        Whether the training is in the store.

    Returns
    -------
    bool
        False where the training was done meanwhile.
    """
    others, told, own = _Others(training_digest, run.run_id), -_REMINDER, ""
    while True:
        if is_done():
            if own:
                run.client.delete_tag(run.run_id, _CLAIM)
            return False
        if own != _HELD:
            own = _say(run, _WANTED)
            before = [other for other in others.find() if _is_held(other) or other.info.run_id < run.run_id]
            if not before:
                own = _say(run, _HELD)
        if own == _HELD:
            before = [other for other in others.find() if _is_held(other)]
            if not before:
                if not is_done():  # asked last: whoever had it until now may have ended with it
                    return True
                continue
            if any(other.info.run_id < run.run_id for other in before):
                own = _say(run, _WANTED)
        if time.monotonic() - told >= _REMINDER:
            told = time.monotonic()
            tqdm.write(f"waiting for {_owner(before[0])}, which does the same training")
        time.sleep(_LOOK_AGAIN * random.uniform(0.5, 1.0))  # of the process: no result depends on it


def _say(run: TrackedRun, claim: str) -> str:
    run.set_tags({_CLAIM: claim})
    return claim


def _is_held(run: Run) -> bool:
    return run.data.tags[_CLAIM] == _HELD


def _owner(run: Run) -> str:
    return f"{process_of(run)} (run {run.info.run_id})"
