"""The way of one run: network -> maps -> labels -> scores in the store; nothing that is known is computed again."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from study import __version__, tracking
from study.ablation import PlannedRun, Result, perf_of
from study.checkpoint import History
from study.config import Clustering, Settings
from study.data import Dataset
from study.data.batches import NetworkImage
from study.data.content import IMAGES, as_csv
from study.errors import StudyError
from study.evaluation import evaluate, means
from study.inference import ImageMaps, predict_maps
from study.kept import KeptTraining
from study.loaded import choose_device, contents, images_to_train, network_images, opened, rebuilt_network
from study.monitor import RunMonitor, log_pictures, panels
from study.thresholds import search_thresholds
from study.tracking import Point, TrackedRun
from study.training import number_of_steps, train
from study.tuning import paper_thresholds

OBJECTIVE = ("sbd",)  # of the search that is a part of every run
PAPER_SCORES = ("sbd", "sbd_legacy")  # of these the value with the paper's thresholds stands in the table too


@dataclass(frozen=True)
class Job:
    """A run that waits to be worked on, here or in another process.

    Attributes
    ----------
    planned : PlannedRun
    experiment_id : str
        Where it is logged.
    parent_id : str or None
        The run of the ablation that it belongs to.
    note : str
        Description on the MLflow page.
    tags : dict
    data_digest : str
    """

    planned: PlannedRun
    experiment_id: str
    parent_id: str | None
    note: str
    tags: dict[str, Any]
    data_digest: str

    @property
    def digest(self) -> str:
        """Identifies the run: its settings, the data and the version of the study."""
        return self.planned.settings.digest(self.data_digest, __version__)

    @property
    def training_digest(self) -> str:
        """Identifies the training: runs that differ in their clustering alone share it.

        With `training.checkpoint=best`, validation scores choose the weights, so that the clustering counts.
        """
        groups = ("data", "network", "loss", "training")
        if self.planned.settings.training.checkpoint == "best":
            groups = (*groups, "clustering")
        return self.planned.settings.digest(self.data_digest, __version__, groups=groups)


@dataclass(frozen=True)
class Task:
    """Runs of one training: they share its network and its maps.

    Attributes
    ----------
    jobs : tuple of Job
        Of one training digest.
    store : str
    threads : int
        CPU threads to use.
    """

    jobs: tuple[Job, ...]
    store: str
    threads: int


@dataclass(frozen=True)
class Failure:
    """Why a run has no result."""

    planned: PlannedRun
    reason: str


def work(task: Task) -> list[Result | Failure]:
    """Work off the runs of a task: train once where nothing is known, score each.

    A fault ends a run as FAILED, with its reason as a tag (and its traceback as an artifact where it is not the user's
    to mend), and is returned, so that other runs go on.
    """
    torch.set_num_threads(task.threads)
    tracking.use_store(task.store)
    training = _Training(task.jobs[0])
    with training.kept.alone():
        return [_outcome(job, training) for job in task.jobs]


def _outcome(job: Job, training: _Training) -> Result | Failure:
    try:
        source = tracking.finished_run(job.digest)
        run = start(job)
        with tracking.working_on(run):
            if source is not None:
                tracking.copy_run(source, run)
                return _result(job, *tracking.read_scores(source, "test"))
            try:
                return training.score(job, run)
            except StudyError:
                raise
            except Exception:
                run.log_text(traceback.format_exc(), "failure.txt")
                raise
    except StudyError as error:
        return Failure(job.planned, str(error))
    except Exception as error:
        return Failure(job.planned, f"{tracking.reason_of(error)}; its artifact failure.txt tells where")


def start(job: Job) -> TrackedRun:
    """The run of a job in the store."""
    settings, dataset = job.planned.settings, opened(job.planned.settings.data)
    tags = {"seed": settings.seed, "digest": job.digest, "training_digest": job.training_digest}
    tags |= {"dataset": dataset.name, "system": settings.system, **job.tags}
    planned = job.planned
    run = tracking.start_run(job.experiment_id, planned.name, job.note, tags, settings, planned.variant, job.parent_id)
    log_dataset(run, dataset, job.data_digest, settings.data.root)
    return run


def log_dataset(run: TrackedRun, dataset: Dataset, digest: str, root: str) -> None:
    """Log which images a run reads; the tag `data_digest` tells runs on the same ones."""
    counts = {split: len(records) for split, records in dataset.splits.items()}
    run.log_dataset(dataset.name, digest, root or dataset.name, counts)
    run.set_tags({"data_digest": digest})


def _result(job: Job, table: pd.DataFrame, pictures: list[np.ndarray], metrics: dict[str, float]) -> Result:
    return Result(job.planned.variant, job.planned.settings.seed, table, pictures, perf_of(metrics))


def score_split(
    maps: Sequence[ImageMaps],
    settings: Settings,
    run: TrackedRun,
    split: str,
    step: int,
    reference: Clustering | None = None,
) -> tuple[pd.DataFrame, list[np.ndarray], dict[str, float]]:
    """Cluster and score the images of a split, and log table, pictures and metrics, which are given back.

    With a `reference`, the paper's thresholds, the table has further columns `{score}_paper_thresholds`.
    """
    images = network_images(settings.data, split)
    found = evaluate(maps, images, settings.clustering, torch.get_num_threads())
    if reference is not None and len(found.table):
        same = reference == settings.clustering
        other = found if same else evaluate(maps, images, reference, torch.get_num_threads())
        for score in PAPER_SCORES:
            found.table[f"{score}_paper_thresholds"] = other.table[score]
    pictures = panels(images, maps, found.labels)
    run.log_scores(split, found.table, pictures)
    perf = {}
    if split == "test":
        perf = {"perf/clustering_seconds": found.seconds, "perf/clustering_mib": found.peak_mib}
    run.log_metrics(
        Point(0, perf), Point(step, {f"{split}/{name}": value for name, value in means(found.table).items()})
    )
    return found.table, pictures, perf


class _Training:
    """The training of a task: found, resumed or made when a run first needs it.

    Its settings are those of the first job; the others differ from it in their clustering alone.
    """

    def __init__(self, job: Job):
        self.digest, self.settings, self.name = job.training_digest, job.planned.settings, job.planned.name
        self.kept = KeptTraining(self.digest)
        self._failure: Exception | None = None
        self._shown_by = ""  # run that has the curves of the training
        self._finished: tuple[nn.Module, History] | None = None

    def score(self, job: Job, run: TrackedRun) -> Result:
        """Score a run, with the training before it where there is none yet; log everything.

        The first run of a training to finish holds its curves and its network.
        """
        settings, last = job.planned.settings, 0
        holder = tracking.run_with_network(self.digest)
        if holder is None:
            network, history = self._trained(run)
            if self._shown_by != run.run_id:  # by a run that did not get to its end
                run.log_metrics(*(Point(*point) for point in history.points()))
            last = int(history.validations[-1]["step"])
            parameters = sum(weight.numel() for weight in network.parameters())
            run.log_metrics(Point(0, {"perf/training_seconds": history.seconds, "perf/parameters": parameters}))
        else:
            run.set_tags({"network_from": holder})
        reference, maps = None, self._maps_of("val", run)
        if settings.tuning.trials and maps:
            reference, file = paper_thresholds(settings.clustering), self.kept.search_file(settings, OBJECTIVE)
            # no other images are at hand here
            settings = search_thresholds(maps, self._images("val"), settings, run, file, OBJECTIVE)
        _, pictures, _ = score_split(maps, settings, run, "val", last)
        del maps  # those of the test images need the memory
        if self._shown_by != run.run_id:
            steps = number_of_steps(settings.training, len(opened(settings.data).splits["train"]))
            shown = self._images("val")[: settings.training.validation_images]
            log_pictures(run, shown, pictures, steps)
        # at step 0 the page shows bars, one per run, not curves of a single point
        scored = score_split(self._maps_of("test", run), settings, run, "test", 0, reference)
        if holder is None:
            run.log_text(as_csv(contents(settings.data)), IMAGES)
            run.log_network(network, job.planned.settings, self._channels())
        return _result(job, *scored)

    def _images(self, split: str) -> tuple[NetworkImage, ...]:
        return network_images(self.settings.data, split)

    def _channels(self) -> int:
        settings = self.settings
        split = next(split for split in ("test", "val", "train") if opened(settings.data).splits[split])
        return opened(settings.data).splits[split][0].load().image.shape[2]

    def _maps_of(self, split: str, run: TrackedRun) -> list[ImageMaps]:
        """Maps of a split: kept on disk, or computed and kept there; in memory they would fill it."""
        images = self._images(split)
        maps = self.kept.maps(split, [image.labels.shape for image in images])
        if maps is None:
            network, _ = self._trained(run)
            started = time.perf_counter()
            maps = predict_maps(network, images, self.settings)
            seconds = (time.perf_counter() - started) / max(1, len(images))
            run.log_metrics(Point(0, {f"perf/{split}_maps_seconds_per_image": seconds}))
            self.kept.keep_maps(split, maps)
        return maps

    def _trained(self, run: TrackedRun) -> tuple[nn.Module, History]:
        """Network and history: kept, in the store, or from a training that `run` shows."""
        if self._failure is not None:
            raise self._failure  # not again for each run
        if self._finished is None:
            try:
                self._finished = self._found() or self._train(run)
            except Exception as error:
                self._failure = error
                raise
        return self._finished

    def _found(self) -> tuple[nn.Module, History] | None:
        found = self.kept.finished()
        if found is not None:
            weights, history = found
        elif (holder := tracking.run_with_network(self.digest)) is not None:
            weights, history = tracking.load_run(holder).weights, History()
        else:
            return None
        return rebuilt_network(weights, self._channels(), self.settings), history

    def _train(self, run: TrackedRun) -> tuple[nn.Module, History]:
        images = images_to_train(self.settings, choose_device(self.settings.training.device))
        steps = number_of_steps(self.settings.training, len(images))
        self._shown_by = run.run_id
        with RunMonitor(run, self.settings, self._images("val"), steps, self.name) as monitor:
            network, history = train(images, self.settings, monitor, monitor.validate, self.kept.checkpoint)
        self.kept.finish(network, history)
        return network, history
