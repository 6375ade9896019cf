"""What is kept of a training between launches: checkpoint, weights and maps, in a folder named after its digest."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from tqdm import tqdm

from study.code_digest import CodeDigest, code_digest
from study.errors import StudyError
from study.maps import ImageMaps
from study.settings import Settings
from study.training.checkpoint import History, written

TRAININGS = Path("trainings")
_ABOUT = "training.json"  # which training a folder is of, whatever the code
_REMINDER = 600.0  # seconds between two lines on a lock that is waited for


class KeptTraining:
    """The folder of a training.

    Everything in it can be deleted at any time: weights of finished runs are in MLflow too, and maps are computed again
    from them.

    Parameters
    ----------
    digest : str
        Of the training's settings, its data and the code that it depends on.
    data_digest : str
        Of the images that maps and trials are of.
    code : CodeDigest, optional
        Of the code that maps and trials depend on; that of this process by default.
    """

    def __init__(self, digest: str, data_digest: str = "", code: CodeDigest | None = None):
        self.folder = TRAININGS / digest
        self.checkpoint = self.folder / "checkpoint.pt"
        self.data_digest, self.code = data_digest, code or code_digest()
        self._lock, self._owner = self.folder / "lock", self.folder / "owner"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Of several processes, in one launch or in many, let one at a time work on this training.

        The operating system frees it where its process dies. Whoever waits says for whom.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._lock)
            self._acquire(lock)
            self._owner.write_text(
                f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            )
        except OSError as error:
            raise StudyError(f"cannot write into {self.folder}: {error}; free disk space or rights") from error
        try:
            yield
        finally:
            lock.release()

    def _acquire(self, lock: FileLock) -> None:
        try:
            lock.acquire(blocking=False)
            return
        except Timeout:
            pass
        while not lock.is_locked:
            owner = self._owner.read_text() if self._owner.exists() else "another process"
            tqdm.write(f"waiting for {owner}, which works on the same training in {self.folder.resolve()}")
            try:
                lock.acquire(timeout=_REMINDER)
            except Timeout:
                continue

    def describe(self, settings_digest: str, commit: str) -> None:
        """Note which settings and data the training is of, and the commit of its code, for `other_checkpoints`."""
        with self._written(_ABOUT) as partial:
            partial.write_text(json.dumps({"settings": settings_digest, "commit": commit}))

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
        """Maps of the images of a split, whose sizes are `shapes`.

        None if they are not there, do not fit, or are of other images or other code.
        """
        try:
            with (self.folder / f"maps_{split}.npz").open("rb") as opened, np.load(opened) as file:
                if str(file["made_of"]) != self._made_of:
                    return None
                found = [_maps_in(file, i) for i in range(len(shapes))]
        except Exception:  # missing, or damaged in one of many ways
            return None
        return found if [m.named and m.shape for m in found] == list(shapes) else None

    def keep_maps(self, split: str, maps: Sequence[ImageMaps]) -> None:
        """Keep the maps of the images of a split."""
        arrays = {f"{i}.{name}": array for i, m in enumerate(maps) for name, array in m.named.items()}
        with self._written(f"maps_{split}.npz") as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, made_of=np.array(self._made_of), **arrays)

    @property
    def _made_of(self) -> str:
        return f"{self.data_digest} {self.code.maps}"

    def search_file(self, settings: Settings, objectives: Sequence[str]) -> Path:
        """Where the trials of a search of thresholds are kept, a file for each start, budget, aim, data and code."""
        more = (*objectives, self.data_digest, self.code.scoring)
        return self.folder / f"search_{settings.digest(*more, groups=('clustering', 'tuning'))}.log"

    def clear(self) -> None:
        """Delete what is kept; the lock stays, others may wait for it."""
        for file in self.folder.glob("*"):
            if file not in (self._lock, self._owner):
                file.unlink(missing_ok=True)

    def _written(self, name: str) -> AbstractContextManager[Path]:
        return written(self.folder / name, f"into {self.folder}")


def other_checkpoints(settings_digest: str, digest: str) -> list[tuple[Path, str]]:
    """Checkpoints of the same training in other code, each with the commit: they are never resumed.

    Parameters
    ----------
    settings_digest : str
        Of the training's settings and data.
    digest : str
        Of the training in the code at hand.
    """
    found = []
    for about in sorted(TRAININGS.glob(f"*/{_ABOUT}")):
        checkpoint = about.with_name("checkpoint.pt")
        try:
            content = json.loads(about.read_text())
        except (OSError, ValueError):
            continue  # being written, or damaged: nothing can be said of it
        if content.get("settings") == settings_digest and about.parent.name != digest and checkpoint.exists():
            found.append((checkpoint, str(content.get("commit", ""))))
    return found


def _maps_in(file: Mapping[str, np.ndarray], i: int) -> ImageMaps:
    """Maps of the image `i`, see `save_maps`."""
    begin = f"{i}."
    return ImageMaps({name.removeprefix(begin): file[name] for name in file if name.startswith(begin)})
