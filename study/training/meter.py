"""Mean losses and speed of a training, read from the device as seldom as they are shown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor


class Reading(NamedTuple):
    """Mean of each loss term between two readings, the time between them, and the speed."""

    losses: dict[str, float]
    seconds: float
    steps_per_second: float


class LossMeter:
    """Adds up the loss terms on their device, after `step` steps until now; only reading waits for it."""

    def __init__(self, step: int):
        self.restart(step)

    def restart(self, step: int) -> None:
        """Begin anew after that many steps, so that the time of a validation does not count."""
        self._begin, self._total, self._started = step, None, time.perf_counter()

    def add(self, terms: Mapping[str, Tensor]) -> None:
        """Add the loss terms of a step, 0-d tensors."""
        self._names = tuple(terms)
        values = torch.stack([term.detach() for term in terms.values()])
        self._total = values if self._total is None else self._total + values

    def read(self, step: int) -> Reading:
        """The means since the last start, after `step` steps."""
        assert self._total is not None
        steps = step - self._begin
        losses = dict(zip(self._names, (self._total / steps).tolist(), strict=True))
        seconds = time.perf_counter() - self._started
        return Reading(losses, seconds, steps / seconds)
