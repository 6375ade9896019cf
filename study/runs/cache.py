"""What is kept of a training between launches: checkpoint, weights and maps, in a folder named after its digest."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from tqdm import tqdm

from study.code_digest import CodeDigest, code_digest
from study.errors import first_line
from study.files import DAMAGED, cannot_write, write_atomically
from study.maps import ImageMaps
from study.runs.map_files import read_maps, write_maps
from study.settings import Settings
from study.training.checkpoint import History

TRAININGS = Path("trainings")
_ABOUT = "training.json"  # which training a folder is of, whatever the code
_REMINDER = 600.0  # seconds between two lines on a lock that is waited for


class TrainingCache:
    """The folder of a training.

    Everything in it can be deleted at any time: weights of finished runs are in MLflow too, and maps are computed again
    from them.

    Parameters
    ----------
    digest : str
        Identifies the training: its settings, its data and the code that it depends on.
    data_digest : str
        Identifies the images that maps and trials are of.
    code : CodeDigest, optional
        The code that maps and trials depend on; that of this process by default.
    """

    def __init__(self, digest: str, data_digest: str = "", code: CodeDigest | None = None):
        self.folder = TRAININGS / digest
        self.checkpoint = self.folder / "checkpoint.pt"
        self.data_digest, self.code = data_digest, code or code_digest()
        self._lock, self._owner = self.folder / "lock", self.folder / "owner"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Let one process at a time, of one launch or of many, work on this training.

        The operating system releases the lock where its process dies. Whoever waits says for whom.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._lock)
            self._acquire(lock)
            self._owner.write_text(
                f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
            )
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        try:
            for partial in self.folder.glob("*.partial"):  # what a killed process was writing
                partial.unlink(missing_ok=True)
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
        with write_atomically(self.folder / _ABOUT) as partial:
            partial.write_text(json.dumps({"settings": settings_digest, "commit": commit}))

    def load(self) -> tuple[dict[str, Tensor], History] | None:
        """Weights and history of the finished training; None if there are none that can be read, which is said."""
        file = self.folder / "finished.pt"
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
            return state["network"], History(**state["history"])
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            tqdm.write(f"cannot read the trained network {file} ({first_line(error)}): it is made again")
            return None

    def save(self, network: nn.Module, history: History) -> None:
        """Save weights and history of a finished training; its checkpoint is of no use any more."""
        with write_atomically(self.folder / "finished.pt") as partial:
            torch.save({"network": network.state_dict(), "history": asdict(history)}, partial)
        self.checkpoint.unlink(missing_ok=True)

    def checkpoint_step(self) -> int:
        """Steps after which the checkpoint was written; 0 without one that can be read."""
        try:
            return int(torch.load(self.checkpoint, map_location="cpu", weights_only=True)["step"])
        except DAMAGED:  # or not there
            return 0

    def load_maps(self, split: str, shapes: Sequence[tuple[int, ...]]) -> list[ImageMaps] | None:
        """Maps of the images of a split, whose sizes are `shapes`; they stay on the disk, see `study.runs.map_files`.

        None if they are not there, do not fit, are of other images or other code, or cannot be read, which is said.
        """
        path = self._maps_file(split)
        try:
            with path.open("rb") as file:
                found = read_maps(file, self._made_of)
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            tqdm.write(f"cannot read the maps {path} ({first_line(error)}): they are made again")
            return None
        if found is None or len(found) != len(shapes):
            return None
        fits = [
            {array.shape[: len(shape)] for array in maps.named.values()} == {shape}
            for maps, shape in zip(found, shapes, strict=True)
        ]
        return found if all(fits) else None

    def save_maps(self, split: str, found: Iterable[tuple[int, ImageMaps]]) -> list[ImageMaps]:
        """Save the maps of the images of a split as they come, each with its image's index; gives them in order."""
        # a RuntimeError is of the network, which computes the maps meanwhile
        with write_atomically(self._maps_file(split), (OSError,)) as partial, partial.open("wb") as file:
            write_maps(file, found, self._made_of)
        with self._maps_file(split).open("rb") as file:
            saved = read_maps(file, self._made_of)
        assert saved is not None
        return saved

    def _maps_file(self, split: str) -> Path:
        return self.folder / f"maps_{split}.bin"

    @property
    def _made_of(self) -> str:
        return f"{self.data_digest} {self.code.maps}"

    def search_file(self, settings: Settings, objectives: Sequence[str]) -> Path:
        """The file for the trials of a search of thresholds, one for each start, budget, objectives, data and code."""
        more = (*objectives, self.data_digest, self.code.scoring)
        return self.folder / f"search_{settings.digest(*more, groups=('clustering', 'tuning'))}.log"

    def clear(self) -> None:
        """Delete everything but the lock, which others may wait for."""
        for file in self.folder.glob("*"):
            if file not in (self._lock, self._owner):
                file.unlink(missing_ok=True)


def other_checkpoints(settings_digest: str, digest: str) -> list[tuple[Path, str]]:
    """Checkpoints, each with the commit, of the training of those settings and data in other code: never resumed.

    `digest` identifies the training in the code at hand.
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
