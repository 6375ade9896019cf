"""The way of one run: network -> maps -> labels -> scores in the store; nothing that is known is computed again."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from study import tracking
from study.clustering import Clustering
from study.code_digest import code_digest
from study.data import Dataset
from study.data.batches import NetworkImage
from study.data.content import IMAGES, as_csv
from study.device import choose_device
from study.errors import StudyError
from study.evaluation import evaluate, means
from study.inference import predict_maps
from study.maps import ImageMaps
from study.runs.cache import KeptTraining
from study.runs.environment import environment
from study.runs.job import Failure, Job, Result, Task
from study.runs.monitor import RunMonitor, log_pictures, panels
from study.runs.resources import contents, images_to_train, network_images, opened, rebuilt_network
from study.runs.threshold_search import search_thresholds
from study.settings import Settings
from study.tracking import Point, TrackedRun
from study.training.checkpoint import History
from study.training.loop import number_of_steps, train
from study.tuning import paper_thresholds

OBJECTIVE = ("sbd",)  # of the search that is a part of every run


def work(task: Task) -> list[Result | Failure]:
    """Work off the runs of a task: train once where nothing is known, score each.

    A fault ends a run as FAILED, with its reason as a tag (and its traceback as an artifact where it is not the user's
    to mend), and is returned, so that other runs go on.

    Raises
    ------
    StudyError
        If this process runs other code than the launch, whose files have been edited since it began.
    """
    if task.jobs[0].code != code_digest():
        raise StudyError("the source code of the study has changed since this launch began: launch again")
    torch.set_num_threads(task.threads)
    tracking.use_store(task.store)
    training = _Training(task.jobs[0])
    with training.kept.alone():
        if not task.jobs[0].reuse:
            training.kept.clear()
        training.kept.describe(task.jobs[0].training_settings_digest, tracking.commit_in_words())
        return [_outcome(job, training) for job in task.jobs]


def _outcome(job: Job, training: _Training) -> Result | Failure:
    try:
        source = training.finished_run(job)
        run = start(job)
        with tracking.working_on(run):
            if source is not None:
                tracking.copy_run(source, run)
                return _result(job, source, *tracking.read_scores(source, "test")[:2])
            try:
                result = training.score(job, run)
            except StudyError:
                raise
            except Exception:
                run.log_text(traceback.format_exc(), "failure.txt")
                raise
        training.done[job.digest] = run.run_id
        return result
    except StudyError as error:
        return Failure(job.planned, str(error))
    except Exception as error:
        return Failure(job.planned, f"{tracking.reason_of(error)}; its artifact failure.txt tells where")


def start(job: Job) -> TrackedRun:
    """The run of a job in the store."""
    settings, dataset = job.planned.settings, opened(job.planned.settings.data)
    tags = {"seed": settings.seed, "digest": job.digest, "training_digest": job.training_digest}
    tags |= {
        "settings_digest": job.settings_digest,
        tracking.ENVIRONMENT: environment(choose_device(settings.training.device)),
    }
    tags |= {f"{tracking.ASKED}{name}": value for name, value in job.planned.asked.items()}
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


def _result(job: Job, run_id: str, table: pd.DataFrame, pictures: list[np.ndarray]) -> Result:
    """The result of a job, whose scores the run `run_id` has."""
    environments = tracking.environments_of(run_id)
    return Result(job.planned.variant, job.planned.settings.seed, table, pictures, environments)


def score_split(
    maps: Sequence[ImageMaps],
    settings: Settings,
    run: TrackedRun,
    split: str,
    step: int,
    reference: Clustering | None = None,
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Cluster and score the images of a split, as `evaluate` does, and log table, pictures and means.

    Table and pictures are given back.
    """
    images = network_images(settings.data, split)
    found = evaluate(maps, images, settings.clustering, torch.get_num_threads(), reference)
    pictures = panels(images, maps, found.labels)
    run.log_scores(split, found.table, pictures)
    run.log_metrics(Point(step, {f"{split}/{name}": value for name, value in means(found.table).items()}))
    return found.table, pictures


class _Training:
    """The training of a task: found, resumed or made when a run first needs it.

    Its settings are those of the first job; the others differ from it in their clustering alone.
    """

    def __init__(self, job: Job):
        self.digest, self.settings, self.name = job.training_digest, job.planned.settings, job.planned.name
        self.kept = KeptTraining(self.digest, job.data_digest, job.code)
        self.done: dict[str, str] = {}  # digest of a result -> the run of this task that has it
        # the run that keeps the network of the training, once there is one
        self._holder = tracking.run_with_network(self.digest) if job.reuse else None
        self._failure: Exception | None = None
        self._shown_by = ""  # run that has the curves of the training
        self._finished: tuple[nn.Module, History] | None = None

    def finished_run(self, job: Job) -> str | None:
        """A finished run with the same result: of this task, or of any launch where the job takes over from others."""
        return self.done.get(job.digest) or (tracking.finished_run(job.digest) if job.reuse else None)

    def score(self, job: Job, run: TrackedRun) -> Result:
        """Score a run, with the training before it where there is none yet; log everything.

        The first run of a training to finish holds its curves and its network.
        """
        settings, last, holder = job.planned.settings, 0, self._holder
        if holder is None:
            network, history = self._trained(run)
            if self._shown_by != run.run_id:  # by a run that did not get to its end
                run.log_metrics(*(Point(*point) for point in history.points()))
            last = int(history.validations[-1]["step"])
            parameters = sum(weight.numel() for weight in network.parameters())
            run.log_metrics(Point(0, {"perf/training_seconds": history.seconds, "perf/parameters": parameters}))
        else:
            trained_in = tracking.environments_of(holder)[0]
            run.set_tags({"network_from": holder, tracking.TRAINED_IN: trained_in})
        reference, maps = None, self._maps_of("val", run)
        if settings.tuning.trials and maps:
            reference, file = paper_thresholds(settings.clustering), self.kept.search_file(settings, OBJECTIVE)
            # no other images are at hand here
            settings = search_thresholds(maps, self._images("val"), settings, run, file, OBJECTIVE)
        _, pictures = score_split(maps, settings, run, "val", last)
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
            self._holder = run.run_id
        return _result(job, run.run_id, *scored)

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
        elif self._holder is not None:
            weights, history = tracking.load_run(self._holder).weights, History()
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
