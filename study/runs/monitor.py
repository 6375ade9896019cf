"""What is shown of a training: progress on the terminal, curves and pictures in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn
from tqdm import tqdm

from study import figures
from study.data import Record
from study.data.batches import NetworkImage, resize_labels
from study.data.targets import relabel_sequential
from study.evaluation import Evaluation, evaluate, means
from study.inference import predict_maps
from study.maps import ImageMaps
from study.metrics import summary_scores
from study.process import threads_in_use
from study.settings import Settings
from study.tracking import Point, TrackedRun, keep_checkpoint, picture_key
from study.training.checkpoint import History

PICTURES = 3  # images of a split, or planes of a volume, that are drawn
PLANE_SIDE = 256  # px, at most
_DEAD = 1e-3  # a distance map that stays below it has no seed


def panels(images: Sequence[NetworkImage], maps: Sequence[ImageMaps], labels: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Pictures of the first images, or of planes of the first volume, see `study.figures.panel`."""
    shown = list(zip(images[:PICTURES], maps, labels, strict=False))
    if shown and shown[0][0].labels.ndim == 3:
        return _panels_of_planes(*shown[0])
    return [
        figures.panel(i.pixels, i.labels, m.objectness, m.embedding, resize_labels(found, i.labels.shape))
        for i, m, found in shown
    ]


def _panels_of_planes(volume: NetworkImage, maps: ImageMaps, labels: np.ndarray) -> list[np.ndarray]:
    """Pictures of planes at each quarter of a volume, of their middle at most; affinities stand for the embedding."""
    corner = [max(0, (side - PLANE_SIDE) // 2) for side in volume.labels.shape[1:]]
    window = tuple(slice(start, start + PLANE_SIDE) for start in corner)
    drawn = []
    for quarter in range(1, PICTURES + 1):
        place = (len(volume.labels) * quarter // (PICTURES + 1), *window)
        true, found = (relabel_sequential(array[place]) for array in (volume.labels, labels))
        drawn.append(figures.panel(volume.pixels[place], true, maps.objectness[place], maps.embedding[place], found))
    return drawn


def shown_means(table: pd.DataFrame, split: str) -> dict[str, float]:
    """Means of a table of scores by the names of metrics, of those scores that summaries show.

    The page of a run lists all its metrics, among which a score is hard to find where there are seventy; the table,
    which is an artifact of the run, has all others.
    """
    found = means(table)
    return {f"{split}/{score.key}": found[score.key] for score in summary_scores(found)}


def picture_names(records: Sequence[Record] | Sequence[NetworkImage], kind: str) -> list[str]:
    """Names of the pictures that `panels` makes of images or volumes."""
    if kind == "images":
        return [record.name for record in records[:PICTURES]]
    return [f"{record.name}, plane {i} of {PICTURES}" for record in records[:1] for i in range(1, PICTURES + 1)]


def log_pictures(run: TrackedRun, names: Sequence[str], pictures: Sequence[np.ndarray], step: int) -> None:
    """Log pictures of the first validation images, which the page shows with a slider over the steps."""
    for name, picture in zip(names, pictures, strict=False):
        run.log_image(figures.folded(picture), picture_key(name), step)


class RunMonitor:
    """Tells a run in the store, and the terminal, how a training goes.

    Metrics wait for the next validation, so that logging takes next to no time of the training.

    Parameters
    ----------
    run : TrackedRun
    settings : Settings
    images : sequence of NetworkImage
        Validation images.
    steps : int
        Of the whole training.
    name : str
        On the terminal.
    checkpoint : Path, optional
        File that is kept in the store each time it is written; none where only this machine goes on with the training.
    shown : bool
        Whether the terminal shows it; a launch shows all its trainings by itself.
    """

    def __init__(
        self,
        run: TrackedRun,
        settings: Settings,
        images: Sequence[NetworkImage],
        steps: int,
        name: str,
        checkpoint: Path | None = None,
        *,
        shown: bool = True,
    ):
        self.run, self.settings, self.checkpoint = run, settings, checkpoint
        self.images = images[: settings.training.validation_images]
        self.names = picture_names(self.images, settings.kind)
        self.waiting: list[Point] = []
        self.panels: list[np.ndarray] = []
        self.dead = False
        disable = None if shown else True  # None: unless it is a terminal
        self.steps = steps
        self.bar = tqdm(total=steps, desc=name, unit="step", disable=disable, leave=False, dynamic_ncols=True)

    def __enter__(self) -> RunMonitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        self.run.log_metrics(*self.waiting)

    def started(self, network: nn.Module) -> dict[str, float]:
        """Log scores and pictures of the untrained network: curves and the page's slider start at step 0."""
        scores = self.validate(network)
        self.run.log_metrics(Point(0, scores))
        log_pictures(self.run, self.names, self.panels, 0)
        return scores

    def resumed(self, history: History) -> None:
        """Log what the interrupted training had found until its checkpoint."""
        self.waiting += [Point(step, values) for step, values in history.points()]
        self.bar.update(max(values["step"] for values in (*history.curve, *history.validations)))

    def step(self, step: int, values: dict[str, float]) -> None:
        """Note the losses for the next validation, and show them on the terminal."""
        self.waiting.append(Point(step, values))
        speed = f"{values['perf/images_per_second']:.0f} images/s"
        self.run.progress = f"step {step} of {self.steps}, {speed}"
        self.bar.set_postfix_str(f"loss {values['train/loss']:.3f}, {speed}")
        self.bar.update(step - self.bar.n)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Scores of the validation images."""
        maps, found = self._evaluate(network, self.images)
        self.panels = panels(self.images, maps, found.labels)
        self.dead = (
            "distance" in self.settings.heads and bool(maps) and max(float(m.objectness.max()) for m in maps) < _DEAD
        )
        return shown_means(found.table, "val")

    def _evaluate(self, network: nn.Module, images: Sequence[NetworkImage]) -> tuple[list[ImageMaps], Evaluation]:
        maps = predict_maps(network, images, self.settings)
        return maps, evaluate(maps, images, self.settings.clustering, threads_in_use(), keep=PICTURES)

    def validated(self, step: int, values: dict[str, float]) -> None:
        """Log scores and pictures; warn of a distance head that gives nothing."""
        self.run.log_metrics(*self.waiting, Point(step, values))
        self.waiting = []
        log_pictures(self.run, self.names, self.panels, step)
        if self.dead:
            message = "the distance head is dead: its map is zero on all validation images, so that no seed is found; "
            message += "lower training.learning_rate or set network.leaky_distance_gradient=true"
            self.run.set_tags({"warning": message})
            self.bar.write(f"warning: {message}")

    def saved(self, step: int) -> None:
        """Keep the checkpoint in the store, where another machine may go on from it."""
        if self.checkpoint is not None:
            keep_checkpoint(self.run, self.checkpoint, step)
