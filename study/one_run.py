"""One run from images to logged scores: the way of `Settings` to `Result`."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from tqdm import tqdm

from study import __version__, figures, tracking
from study.ablation import PlannedRun, Result
from study.config import Data, Settings
from study.data import Dataset, open_dataset
from study.data.batches import NetworkImage, TrainingImages, network_image, refuse_other_channels, resize_labels
from study.errors import StudyError
from study.evaluation import evaluate, means
from study.inference import ImageMaps, predict_maps
from study.tracking import Point, TrackedRun
from study.training import number_of_steps, train

PICTURES = 3  # images of a split that are drawn
CHECKPOINTS = Path("checkpoints")
_bar = {"position": 0}  # line of the terminal on which this process shows its progress


def show_progress_at(position: int) -> None:
    """Give the progress bars of this process a line of their own."""
    _bar["position"] = position


@dataclass(frozen=True)
class Job:
    """A run that waits to be worked on, here or in another process.

    Attributes
    ----------
    planned : PlannedRun
    store, experiment_id : str
        Where it is logged.
    parent_id : str or None
        The run of the ablation that it belongs to.
    note : str
        Description on the MLflow page.
    tags : dict
    data_digest : str
    threads : int
        CPU threads to use.
    """

    planned: PlannedRun
    store: str
    experiment_id: str
    parent_id: str | None
    note: str
    tags: dict[str, Any]
    data_digest: str
    threads: int

    @property
    def digest(self) -> str:
        """Identifies the settings, the data and the version of the study."""
        return self.planned.settings.digest(self.data_digest, __version__)


@dataclass(frozen=True)
class Failure:
    """Why a run has no result."""

    planned: PlannedRun
    reason: str


def resolve(settings: Settings, dataset: Dataset) -> Settings:
    """Settings with `clustering.foreground=auto` replaced: the truth where a challenge gives it, else predicted."""
    if settings.clustering.foreground != "auto":
        return settings
    return settings.with_({"clustering.foreground": "truth" if dataset.foreground_given else "predicted"})


def choose_device(name: str) -> torch.device:
    """The device that `training.device` names; `auto` takes a GPU where there is one."""
    if name == "cuda" and not torch.cuda.is_available():
        raise StudyError("training.device=cuda, but torch finds no GPU here: set training.device=cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


@lru_cache(maxsize=2)
def opened(data: Data) -> Dataset:
    """The data set, listed once per process."""
    return open_dataset(data)


@lru_cache(maxsize=4)
def network_images(data: Data, split: str) -> tuple[NetworkImage, ...]:
    """All images of a split at the network's scale, read once per process."""
    return tuple(network_image(record.load(), data.image_size) for record in opened(data).splits[split])


@lru_cache(maxsize=1)
def training_images(data: Data, neighbour_distance: int, device: torch.device) -> TrainingImages:
    """Training images and targets on the device, made once per process."""
    images = (network_image(record.load(), data.image_size) for record in opened(data).splits["train"])
    return TrainingImages(images, data, neighbour_distance, device)


def refuse_unfit_sizes(settings: Settings, images: TrainingImages) -> None:
    """Raise a StudyError if whole images make no batch, or do not halve as often as the network pools."""
    divisor = 2**settings.network.depth
    shapes = images.shapes.unique(dim=0).tolist()
    if not settings.data.crop_size and (len(shapes) > 1 or any(side % divisor for side in shapes[0])):
        raise StudyError(
            f"training images must be of one size, a multiple of {divisor} px (2 to the network.depth): "
            "set data.image_size or data.crop_size"
        )


def work(job: Job) -> Result | Failure:
    """Work a job off: train, score, log.

    A fault ends the run as FAILED, with its reason as a tag (and its traceback as an artifact where it is not the
    user's to mend), and is returned, so that other runs go on.
    """
    torch.set_num_threads(job.threads)
    try:
        run = start(job)
        with tracking.working_on(run):
            try:
                return _train_and_score(job, run)
            except StudyError:
                raise
            except Exception:
                run.log_text(traceback.format_exc(), "failure.txt")
                raise
    except StudyError as error:
        return Failure(job.planned, str(error))
    except Exception as error:
        return Failure(job.planned, f"{type(error).__name__}: {error}; its artifact failure.txt tells where")


def start(job: Job) -> TrackedRun:
    """The run of a job in the store."""
    tracking.use_store(job.store)
    settings, dataset = job.planned.settings, opened(job.planned.settings.data)
    tags = {"seed": settings.seed, "digest": job.digest, "dataset": dataset.name, **job.tags}
    run = tracking.start_run(job.experiment_id, job.planned.name, job.note, tags, settings, job.parent_id)
    log_dataset(run, dataset, job.data_digest, settings.data.root)
    return run


def log_dataset(run: TrackedRun, dataset: Dataset, digest: str, root: str) -> None:
    """Log which images a run reads."""
    counts = {split: len(records) for split, records in dataset.splits.items()}
    run.log_dataset(dataset.name, digest, root or dataset.name, counts)


def _train_and_score(job: Job, run: TrackedRun) -> Result:
    settings = job.planned.settings
    device = choose_device(settings.training.device)
    images = training_images(settings.data, settings.loss.neighbour_distance, device)
    refuse_unfit_sizes(settings, images)
    for image in (*network_images(settings.data, "val"), *network_images(settings.data, "test")):
        refuse_other_channels(image, images.pixels.shape[1])
    steps = number_of_steps(settings.training, len(images))
    checkpoint = CHECKPOINTS / f"{job.digest}.pt"
    with _Monitor(run, settings, steps, job.planned.name) as monitor:
        network, history = train(images, settings, monitor, monitor.validate, checkpoint)
    run.log_metrics(Point(0, {"perf/training_seconds": history.seconds}))
    score_split(network, settings, run, "val", steps)
    # at step 0 the page shows bars, one per run, not curves of a single point
    table, panels = score_split(network, settings, run, "test", 0)
    run.log_network(network, settings, images.pixels.shape[1])
    checkpoint.unlink(missing_ok=True)
    return Result(job.planned.variant, settings.seed, table, panels)


def score_split(
    network: nn.Module, settings: Settings, run: TrackedRun, split: str, step: int
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Score the images of a split, log the scores, and give the per-image table and panels of the first images."""
    images = network_images(settings.data, split)
    started = time.perf_counter()
    maps = predict_maps(network, images, settings)
    mapped = time.perf_counter()
    table, labels = evaluate(maps, images, settings.clustering, torch.get_num_threads())
    ended = time.perf_counter()
    run.log_table(table, f"scores_{split}")
    count = max(1, len(images))
    seconds = {"maps": (mapped - started) / count, "clustering": (ended - mapped) / count}
    run.log_metrics(
        Point(0, {f"perf/{split}_{part}_seconds_per_image": value for part, value in seconds.items()}),
        Point(step, {f"{split}/{name}": value for name, value in means(table).items()}),
    )
    return table, _panels(images[:PICTURES], maps, labels)


def _panels(
    images: Sequence[NetworkImage], maps: Sequence[ImageMaps], labels: Sequence[np.ndarray]
) -> list[np.ndarray]:
    return [
        figures.panel(i.pixels, i.labels, m.distance, m.embedding, resize_labels(found, i.labels.shape))
        for i, m, found in zip(images, maps, labels, strict=False)
    ]


class _Monitor:
    """Progress on the terminal; curves and pictures in the store.

    Metrics wait for the next validation, so that logging takes next to no time of the training.
    """

    def __init__(self, run: TrackedRun, settings: Settings, steps: int, name: str):
        self.run, self.settings = run, settings
        self.images = network_images(settings.data, "val")[: settings.training.validation_images]
        self.waiting: list[Point] = []
        self.panels: list[np.ndarray] = []
        self.bar = tqdm(total=steps, desc=name, unit="step", disable=None, leave=False, dynamic_ncols=True,
                        position=_bar["position"])  # fmt: skip

    def __enter__(self) -> _Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()
        self.run.log_metrics(*self.waiting)

    def step(self, step: int, values: dict[str, float]) -> None:
        self.waiting.append(Point(step, values))
        self.bar.set_postfix_str(f"loss {values['train/loss']:.3f}, {values['perf/images_per_second']:.0f} images/s")
        self.bar.update(step - self.bar.n)

    def validate(self, network: nn.Module) -> dict[str, float]:
        """Scores of the validation images; warns of a distance head that gives nothing."""
        maps = predict_maps(network, self.images, self.settings)
        table, labels = evaluate(maps, self.images, self.settings.clustering, torch.get_num_threads())
        self.panels = _panels(self.images[:PICTURES], maps, labels)
        if maps and max(float(m.distance.max()) for m in maps) < 1e-3:
            message = "the distance head is dead: its map is zero on all validation images, so that no seed is found; "
            message += "lower training.learning_rate or set network.leaky_distance_gradient=true"
            self.run.set_tags({"warning": message})
            self.bar.write(f"warning: {message}")
        return {f"val/{name}": value for name, value in means(table).items()}

    def validated(self, step: int, values: dict[str, float]) -> None:
        self.run.log_metrics(*self.waiting, Point(step, values))
        self.waiting = []
        for image, picture in zip(self.images, self.panels, strict=False):
            self.run.log_image(picture, f"val {image.name}", step)
