"""What an interrupted training goes on from: its history and its state, in a file that is whole at any time."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from study.errors import StudyError
from study.files import DAMAGED, write_atomically
from study.training.meter import Reading

LOGGED = 50  # how often over a training its losses are read


@dataclass
class History:
    """How a training went.

    Attributes
    ----------
    seconds : float
        Time of the training steps, without validations.
    curve : list of dict
        Step, and the mean loss terms and speed since the entry before.
    validations : list of dict
        Step, seconds of training until then, and validation scores.
    """

    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    validations: list[dict[str, float]] = field(default_factory=list)

    def points(self) -> list[tuple[int, dict[str, float]]]:
        """Steps and what was found after them, by the names under which it is logged."""
        found = (*self.curve, *self.validations)
        return [(int(values["step"]), {k: v for k, v in values.items() if "/" in k}) for values in found]


class TrainingState:
    """The state of a training, and the file that keeps it.

    Parameters
    ----------
    network : Module
    optimizer : Optimizer
    path : path or None
        The checkpoint; without it nothing is saved.

    Attributes
    ----------
    step : int
        Steps until the state was last saved.
    history : History
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, path: Path | None):
        self.network, self.optimizer, self.path = network, optimizer, path
        self.step, self.history = 0, History()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds: nothing but tensors, numbers, strings, and lists and dicts of them."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": asdict(self.history),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.history = state["step"], History(**state["history"])
        torch.set_rng_state(state["random"].cpu())
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state["random_cuda"]])

    def save(self, step: int) -> None:
        """Write the checkpoint after that many steps.

        Raises
        ------
        StudyError
            If it cannot be written.
        """
        self.step = step
        if self.path is not None:
            with write_atomically(self.path) as partial:
                torch.save(self.state_dict(), partial)

    def resume(self, device: torch.device) -> bool:
        """Go on from the checkpoint; tells whether there is one.

        Raises
        ------
        StudyError
            If it cannot be read, or does not fit the network and the optimizer.
        """
        if self.path is None or not self.path.exists():
            return False
        try:
            self.load_state_dict(torch.load(self.path, map_location=device, weights_only=True))
        except torch.OutOfMemoryError:
            raise  # the checkpoint is not at fault
        except DAMAGED as error:
            raise StudyError(f"cannot read the checkpoint {self.path}: delete it to start afresh") from error
        return True

    def log_losses(self, step: int, reading: Reading, size: int, unit: str, fix: str) -> dict[str, float]:
        """Add mean losses and speed to the history; gives them by the names under which they are logged.

        A step takes `size` of a `unit` such as ``images``. Raises as `check_finite` does, with `fix`.
        """
        self.history.seconds += reading.seconds
        self.check_finite(reading.losses, step, fix)
        values = {f"train/{name}": value for name, value in reading.losses.items()}
        values[f"perf/{unit}_per_second"] = reading.steps_per_second * size
        self.history.curve.append({"step": step, **values})
        return values

    def check_finite(self, losses: dict[str, float], step: int, fix: str) -> None:
        """Raise a StudyError, with words on how to fix it, if a mean loss or a weight is no longer finite."""
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if not all(weight.isfinite().all() for weight in self.network.parameters()):
            bad.append("a weight")
        if bad:
            last = f"; the last good checkpoint is {self.path}" if self.path and self.step else ""
            raise StudyError(f"{', '.join(bad)} is not finite after {step} steps: {fix}{last}")


def checkpoint_schedule(steps: int, checkpoints: int) -> dict[int, bool]:
    """Steps after which losses are read -> whether a checkpoint is written too, which happens `checkpoints` times."""
    logged = {math.ceil(steps * i / LOGGED): False for i in range(1, LOGGED + 1)}
    return logged | {math.ceil(steps * i / checkpoints): True for i in range(1, checkpoints + 1)}
