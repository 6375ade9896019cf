"""What is kept of a training between launches: checkpoint, weights and maps, in a folder named after its digest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor, nn

from study.checkpoint import History, written
from study.config import Settings
from study.errors import StudyError
from study.inference import ImageMaps

TRAININGS = Path("trainings")


class KeptTraining:
    """The folder of a training.

    Everything in it can be deleted at any time: weights of finished runs are in MLflow too, and maps are computed again
    from them.

    Parameters
    ----------
    digest : str
        Of the training's settings, its data and the version of the study.
    """

    def __init__(self, digest: str):
        self.folder = TRAININGS / digest
        self.checkpoint = self.folder / "checkpoint.pt"
        self._lock = self.folder / "lock"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Of several processes, in one launch or in many, let one at a time work on this training.

        The operating system frees it where its process dies.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._lock)
            lock.acquire()
        except OSError as error:
            raise StudyError(f"cannot write into {self.folder}: {error}; free disk space or rights") from error
        try:
            yield
        finally:
            lock.release()

    def finished(self) -> tuple[dict[str, Tensor], History] | None:
        """Weights and history of the finished training; None if there are none that can be read."""
        try:
            state = torch.load(self.folder / "finished.pt", map_location="cpu", weights_only=True)
            return state["network"], History(**state["history"])
        except Exception:  # missing, or damaged in one of many ways
            return None

    def finish(self, network: nn.Module, history: History) -> None:
        """Keep weights and history of a finished training; its checkpoint is of no use any more."""
        with self._written("finished.pt") as partial:
            torch.save({"network": network.state_dict(), "history": asdict(history)}, partial)
        self.checkpoint.unlink(missing_ok=True)

    def maps(self, split: str, shapes: Sequence[tuple[int, int]]) -> list[ImageMaps] | None:
        """Maps of the images of a split, whose sizes are `shapes`; None if they are not there or do not fit."""
        try:
            with (self.folder / f"maps_{split}.npz").open("rb") as opened, np.load(opened) as file:
                found = [ImageMaps(file[f"distance{i}"], file[f"embedding{i}"]) for i in range(len(shapes))]
        except Exception:  # missing, or damaged in one of many ways
            return None
        return found if [m.distance.shape for m in found] == list(shapes) else None

    def keep_maps(self, split: str, maps: Sequence[ImageMaps]) -> None:
        """Keep the maps of the images of a split."""
        arrays = {f"distance{i}": m.distance for i, m in enumerate(maps)}
        arrays |= {f"embedding{i}": m.embedding for i, m in enumerate(maps)}
        with self._written(f"maps_{split}.npz") as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def search_file(self, settings: Settings, objectives: Sequence[str]) -> Path:
        """Where the trials of a search of thresholds are kept, a file for each start, budget and aim."""
        return self.folder / f"search_{settings.digest(*objectives, groups=('clustering', 'tuning'))}.log"

    def clear(self) -> None:
        """Delete what is kept; the lock stays, others may wait for it."""
        for file in self.folder.glob("*"):
            if file != self._lock:
                file.unlink(missing_ok=True)

    def _written(self, name: str) -> AbstractContextManager[Path]:
        return written(self.folder / name, f"into {self.folder}")
