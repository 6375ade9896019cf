"""What a training goes on from where it was cut off: its history and its state, in a file that is whole at any time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from study.errors import StudyError

READS = 50  # how often over a training its losses are read


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
        The checkpoint; without it nothing is kept.

    Attributes
    ----------
    step : int
        Steps until the state was last kept.
    history : History
    """

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, path: Path | None):
        self.network, self.optimizer, self.path = network, optimizer, path
        self.step, self.history = 0, History()

    def content(self) -> dict[str, Any]:
        """What a checkpoint holds: nothing but tensors, numbers, words, and lists and dicts of them."""
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "history": asdict(self.history),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all(),
        }

    def take(self, content: dict[str, Any]) -> None:
        """Take up what a checkpoint holds."""
        self.network.load_state_dict(content["network"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.step, self.history = content["step"], History(**content["history"])
        torch.set_rng_state(content["random"].cpu())
        torch.cuda.set_rng_state_all([state.cpu() for state in content["random_cuda"]])

    def keep(self, step: int) -> None:
        """Write the checkpoint after that many steps.

        Raises
        ------
        StudyError
            If it cannot be written.
        """
        self.step = step
        if self.path is None:
            return
        content = self.content()
        with written(self.path, f"the checkpoint {self.path}") as partial:
            partial.parent.mkdir(parents=True, exist_ok=True)
            torch.save(content, partial)

    def resume(self, device: torch.device) -> bool:
        """Take up the checkpoint; whether there is one.

        Raises
        ------
        StudyError
            If it cannot be read, or is of another training.
        """
        if self.path is None or not self.path.exists():
            return False
        try:
            self.take(torch.load(self.path, map_location=device, weights_only=True))
        except Exception as error:  # torch raises many kinds for a damaged file
            raise StudyError(f"cannot read the checkpoint {self.path}: delete it to start afresh") from error
        return True

    def refuse_non_finite(self, averages: dict[str, float], step: int, mend: str) -> None:
        """Raise a StudyError, with words on how to mend it, if a mean loss or a weight is no longer finite."""
        bad = [name for name, value in averages.items() if not math.isfinite(value)]
        if not all(weight.isfinite().all() for weight in self.network.parameters()):
            bad.append("a weight")
        if bad:
            kept = f"; the last good checkpoint is {self.path}" if self.path and self.step else ""
            raise StudyError(f"{', '.join(bad)} is not finite after {step} steps: {mend}{kept}")


def pauses(steps: int, keeps: int) -> dict[int, bool]:
    """Steps after which losses are read -> whether the state is kept too, which it is `keeps` times."""
    reads = {math.ceil(steps * i / READS): False for i in range(1, READS + 1)}
    return reads | {math.ceil(steps * i / keeps): True for i in range(1, keeps + 1)}


@contextmanager
def written(path: Path, what: str) -> Iterator[Path]:
    """A file to write that gets its name when it is whole, so that a kill leaves the old one or the new one.

    Raises
    ------
    StudyError
        That `what` cannot be written.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch raises the latter on a full disk
        raise StudyError(f"cannot write {what}: {error}; free disk space or rights") from error
