"""What an interrupted training goes on from: its history and its state, in a file that is whole at any time."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from study.errors import StudyError
from study.files import DAMAGED, write_atomically
from study.training.meter import Reading

BEST_BY = ("val/sbd", 1)
LOGGED = 50  # how often over a training its losses are read
SAVE_EVERY = 600.0  # s between two checkpoints, where validations are rarer: jobs of batch systems have time limits


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
    untrained : dict
        Validation scores before the first step.
    """

    seconds: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    validations: list[dict[str, float]] = field(default_factory=list)
    untrained: dict[str, float] = field(default_factory=dict)

    def points(self) -> list[tuple[int, dict[str, float]]]:
        """Steps and what was found after them, by the names under which it is logged."""
        start = [(0, self.untrained)] if self.untrained else []
        found = (*self.curve, *self.validations)
        return start + [(int(values["step"]), {k: v for k, v in values.items() if "/" in k}) for values in found]


class TrainingState:
    """The state of a training, and the file that keeps it.

    Parameters
    ----------
    network : Module
    optimizer : Optimizer
    path : path or None
        The checkpoint; without it nothing is saved.
    keep_best : bool
        Keep the best weights on validation images too.
    best_by : (str, int)
        Name of the score by which they are the best, and 1 where more of it is better, -1 where less is.

    Attributes
    ----------
    step : int
        Steps until the state was last saved.
    history : History
    best : dict of Tensor
        The best weights.
    """

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        path: Path | None,
        *,
        keep_best: bool = False,
        best_by: tuple[str, int] = BEST_BY,
    ):
        self.network, self.optimizer, self.path = network, optimizer, path
        self.keep_best, self.best_by = keep_best, best_by
        self.step, self.history = 0, History()
        self._saved = time.monotonic()
        self.best: dict[str, Tensor] = {}
        self.best_score = -math.inf

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds: nothing but tensors, numbers, strings, and lists and dicts of them."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": asdict(self.history),
            "best": self.best,
            "best_score": self.best_score,
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint holds."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.history = state["step"], History(**state["history"])
        self.best, self.best_score = state["best"], state["best_score"]
        torch.set_rng_state(state["random"].cpu())
        torch.cuda.set_rng_state_all([generator.cpu() for generator in state["random_cuda"]])

    def is_due(self) -> bool:
        """Whether the last checkpoint is so old that it is time for another one."""
        return self.path is not None and time.monotonic() - self._saved > SAVE_EVERY

    def save(self, step: int) -> None:
        """Write the checkpoint after that many steps; a StudyError if it cannot be written."""
        self.step, self._saved = step, time.monotonic()
        if self.path is not None:
            with write_atomically(self.path) as partial:
                torch.save(self.state_dict(), partial)

    def resume(self, device: torch.device) -> bool:
        """Go on from the checkpoint; gives whether there is one.

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

    def log_losses(self, step: int, reading: Reading, batch_size: int) -> dict[str, float]:
        """Add mean losses and speed to the history; gives them by the names under which they are logged.

        Raises
        ------
        StudyError
            If a mean loss or a weight is no longer finite.
        """
        self.history.seconds += reading.seconds
        self.check_finite(reading.losses, step)
        values = {f"train/{name}": value for name, value in reading.losses.items()}
        values["perf/images_per_second"] = reading.steps_per_second * batch_size
        self.history.curve.append({"step": step, **values})
        return values

    def check_finite(self, losses: dict[str, float], step: int) -> None:
        """Raise a StudyError, with words on how to fix it, if a mean loss or a weight is no longer finite."""
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if not all(weight.isfinite().all() for weight in self.network.parameters()):
            bad.append("a weight")
        if bad:
            last = f"; the last good checkpoint is {self.path}" if self.path and self.step else ""
            raise StudyError(
                f"{', '.join(bad)} is not finite after {step} steps: lower training.learning_rate or set "
                f"training.gradient_clip{last}"
            )

    def validated(self, step: int, scores: dict[str, float]) -> None:
        """Add the scores of a validation to the history, and save the state."""
        self.history.validations.append({"step": step, "seconds": self.history.seconds, **scores})
        name, sign = self.best_by
        score = sign * scores.get(name, 0.0)
        # the later of equals; the last without validation images
        if self.keep_best and score >= self.best_score:
            self.best_score = score
            self.best = copy.deepcopy(self.network.state_dict())
        self.save(step)


def checkpoint_schedule(steps: int, checkpoints: int) -> dict[int, bool]:
    """Steps after which losses are read -> whether a checkpoint is written too, which happens `checkpoints` times."""
    logged = {math.ceil(steps * i / LOGGED): False for i in range(1, LOGGED + 1)}
    return logged | {math.ceil(steps * i / checkpoints): True for i in range(1, checkpoints + 1)}
