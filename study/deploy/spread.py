"""A large image in tiles over workers, which leave what they find in files: a stopped call goes on from them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from study.deploy.crew import Crew, Setup
from study.deploy.segmenter import ImageOutput, Segmenter
from study.deploy.tiles import GatheredMaps, ImageInTiles, both_of, labels_by
from study.deploy.tiling import Area, Tile
from study.executors import WorkerDiedError
from study.files import write_atomically

_TASKS_PER_SLOT = 2  # so that one with slow tiles is not waited for by all others


class SpreadSegmenter(Segmenter):
    """A model whose large images are taken in tiles by workers; all else is done here.

    Parameters
    ----------
    model : Segmenter
    crew : Crew
    folder : Path
        For the files of tiles, which all workers see.
    """

    def __init__(self, model: Segmenter, crew: Crew, folder: Path):
        super().__init__(model.network, model.settings, model.channels, model.facts)
        self.crew, self.folder = crew, folder
        self._finished: list[Path] = []

    def maps(self, image: np.ndarray, foreground: np.ndarray | None = None) -> ImageOutput:
        if not self.takes_tiles(image):
            return super().maps(image, foreground)
        pixels, clustering = self.pixels(image), self.clustering(foreground)
        place = self.folder / self._key(pixels)
        _save(place / "pixels.npy", pixels)
        with tqdm(desc="tiles", unit="tile", disable=None, leave=False, dynamic_ncols=True) as bar:
            work = _OverWorkers(self, place, bar)
            labels = labels_by(work, image.shape[:2], clustering, **self.tiling, foreground=foreground)
        self._finished.append(place)
        return ImageOutput(image.shape[:2], labels=labels)

    def _key(self, pixels: np.ndarray) -> str:
        """Identifies all that the files of tiles depend on."""
        settled = [self.settings.flat(), self.tiling, vars(self.crew.setup.code), pixels.shape]
        digest = hashlib.sha256(json.dumps(settled, sort_keys=True).encode())
        for weights in (tensor.cpu().contiguous() for tensor in self.network.state_dict().values()):
            digest.update(weights.numpy().tobytes())
        digest.update(pixels.tobytes())
        return digest.hexdigest()[:16]

    def clean_up(self) -> None:
        """Remove the files of images whose labels are written."""
        for place in self._finished:
            shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True)
class _OverWorkers:
    """The tiles of an image are worked on by workers, which share the folder `place` with this process."""

    model: SpreadSegmenter
    place: Path
    bar: tqdm

    def gather(self, parts: Sequence[Tile]) -> GatheredMaps:
        numbered = list(enumerate(parts))
        self._do(map_tiles, numbered, _map_file)
        # the kind of the maps is that of any pixels
        metric = self.model.maps_of_pixels(np.zeros((1, 1, self.model.channels), np.float16)).metric
        rows, columns = (core.stop for core in parts[-1].core)
        return GatheredMaps(_PartsOnDisk(self.place, tuple(part.core for part in parts)), (rows, columns), metric)

    def clusters(self, image: ImageInTiles, windows: Sequence[Area]) -> Callable[[Area], np.ndarray]:
        numbered = list(enumerate(windows))
        self._do(cluster_windows, numbered, _label_file, image)
        return lambda window: np.load(_label_file(self.place, windows.index(window)))

    def _do(self, work: Callable, numbered: Sequence[tuple[int, Any]], file: Callable, *more: Any) -> None:
        """Have tiles worked on, but for those that have their file by now."""
        crew = self.model.crew
        left = [item for item in numbered if not file(self.place, item[0]).exists()]
        self.bar.total = (self.bar.total or 0) + len(numbered)
        self.bar.update(len(numbered) - len(left))
        groups = _dealt(left, _TASKS_PER_SLOT * crew.slots)
        for group, outcome in crew.outcomes(work, lambda group: (crew.setup, self.place, group, *more), groups):
            if isinstance(outcome, WorkerDiedError):
                raise outcome
            self.bar.update(len(group))


def _dealt(items: Sequence[Any], hands: int) -> list[Sequence[Any]]:
    """The items in at most so many groups of nearly equal size."""
    return [items[k::hands] for k in range(min(hands, len(items)))]


def map_tiles(task: tuple[Setup, Path, Sequence[tuple[int, Tile]]]) -> None:
    """Write the maps of the cores of some parts of an image: what a worker does."""
    setup, place, parts = task
    model, pixels = setup.begin(), np.load(place / "pixels.npy", mmap_mode="r")
    for number, part in _unfinished(place, parts, _map_file):
        _save(_map_file(place, number), both_of(model.maps_of_pixels(pixels[part.window]), part))


def cluster_windows(task: tuple[Setup, Path, Sequence[tuple[int, Area]], ImageInTiles]) -> None:
    """Write the labels of some windows of an image: what a worker does."""
    setup, place, windows, image = task
    setup.begin()
    for number, window in _unfinished(place, windows, _label_file):
        _save(_label_file(place, number), image.clusters(window))


def _unfinished(place: Path, numbered: Sequence[tuple[int, Any]], file: Callable) -> Iterator[tuple[int, Any]]:
    """Tiles without a file: a worker that was lost may have left some of them."""
    return (item for item in numbered if not file(place, item[0]).exists())


@dataclass(frozen=True)
class _PartsOnDisk:
    """Maps of an image whose parts are files: `MapsOnDisk`."""

    place: Path
    cores: tuple[Area, ...]

    def __getitem__(self, area: Area) -> np.ndarray:
        found = None
        for number, core in enumerate(self.cores):
            shared = [(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(core, area, strict=True)]
            if any(start >= stop for start, stop in shared):
                continue
            part = np.load(_map_file(self.place, number), mmap_mode="r")
            if found is None:
                found = np.empty((*(side.stop - side.start for side in area), part.shape[2]), part.dtype)
            here, there = (tuple(slice(a - s.start, b - s.start) for (a, b), s in zip(shared, sides, strict=True))
                           for sides in (area, core))  # fmt: skip
            found[here] = part[there]
        assert found is not None  # the cores fill the image
        return found


def _map_file(place: Path, number: int) -> Path:
    return place / f"maps-{number}.npy"


def _label_file(place: Path, number: int) -> Path:
    return place / f"labels-{number}.npy"


def _save(file: Path, array: np.ndarray) -> None:
    with write_atomically(file) as partial, partial.open("wb") as whole:
        np.save(whole, array)
