"""The way of one run: network -> maps -> thresholds -> scores in the store; nothing that is there is computed again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from tqdm import tqdm

from study import process, tracking
from study.clustering import Clustering
from study.code_digest import code_digest
from study.data import Dataset
from study.data.batches import NetworkImage
from study.data.content import IMAGES, as_csv
from study.device import choose_device
from study.errors import StudyError
from study.inference import maps_in_turn
from study.maps import ImageMaps
from study.metrics.registry import KINDS, score_of
from study.paper import origin_tags, paper_settings
from study.runs.affinity_pictures import log_affinity_pictures
from study.runs.cache import TrainingCache
from study.runs.description import description
from study.runs.environment import environment
from study.runs.job import Failure, Job, Postponed, Result, Task
from study.runs.monitor import RunMonitor, log_pictures, picture_names
from study.runs.resources import channels_of, contents, data_digest, images_to_train, network_images, opened
from study.runs.scoring import score_split
from study.runs.threshold_search import search_thresholds
from study.runs.trained import TrainedNetwork
from study.runs.workload import WORKLOAD, workload
from study.settings import Settings
from study.tracking import Point, TrackedRun
from study.training.loop import number_of_steps, train
from study.tuning import paper_thresholds


@tracking.told_if_gone()
def run_task(task: Task) -> list[Result | Failure] | Postponed:
    """Make the runs of a task: train once where no network is there yet, score each.

    Where another launch does the training at this moment, and the task is not patient, nothing is done.

    A fault ends a run as FAILED, with its reason as a tag (and its traceback as an artifact where the user cannot fix
    it), and is returned, so that other runs go on.

    Raises
    ------
    StudyError
        If this process runs other code than the launch, whose files have been edited since it began; a StoreGoneError
        if the store has gone away, or its disk is full, where no other run could go on.
    """
    if task.jobs[0].code != code_digest():
        raise StudyError(
            f"the source code of the study on {socket.gethostname()} is not that of this launch: launch again"
        )
    if task.threads:
        process.use_threads(task.threads)
    tracking.use_store(task.store)
    first = task.jobs[0]
    if first.reuse and not task.patient and (owner := tracking.is_claimed(first.training_digest)):
        return Postponed(owner)
    training = _Training(first, in_store=task.checkpoints_in_store)
    with training.cache.lock():
        if not first.reuse:
            training.cache.clear()
        training.cache.describe(first.training_settings_digest, tracking.commit_in_words())
        return [_outcome(job, training) for job in task.jobs]


def _outcome(job: Job, training: _Training) -> Result | Failure:
    try:
        data = job.planned.settings.data
        if data_digest(data) != job.data_digest:
            raise StudyError(
                f"the images of {data.root or data.name} have changed since this launch began: launch again"
            )
        if job.parent_id is not None:
            own = TrackedRun(job.parent_id).own_attempts(
                job.experiment_id, job.digest, str(job.tags.get("variant", ""))
            )
            if own is not None:
                return _result(job, own, own, *tracking.read_scores(own, "test"))
        source, scores = training.finished_run(job)
        with _working_on(job) as run:
            if scores is not None:
                tracking.copy_run(source, run)
                _describe(run, job, scores[0])
                return _result(job, run.run_id, source, *scores)
            scored = _score(job, training, run)
            _describe(run, job, scored[0])
        training.finished[job.digest] = run.run_id
        return _result(job, run.run_id, run.run_id, *scored)
    except Exception as error:
        if tracking.is_gone(error):
            raise
        where = "; its artifact failure.txt tells where" if tracking.traceback_is_kept(error) else ""
        return Failure(job.planned, f"{tracking.reason_of(error)}{where}")


def _describe(run: TrackedRun, job: Job, table: pd.DataFrame) -> None:
    """Begin the description of a run with what was found."""
    if len(table):
        thresholds = tracking.tuned_settings(tracking.stored_run(run.run_id).tags)
        run.set_note(description(table, thresholds, job.note))


@contextmanager
def _working_on(job: Job) -> Iterator[TrackedRun]:
    """Start the run of a job in the store, and work on it."""
    run = _start(job)
    with tracking.working_on(run):
        try:
            settings = job.planned.settings.data
            log_dataset(run, opened(settings), job.data_digest, settings.root)
            yield run
        except Exception as error:
            run.keep_traceback(error)
            raise


def _start(job: Job) -> TrackedRun:
    """The run of a job in the store."""
    settings, dataset = job.planned.settings, opened(job.planned.settings.data)
    tags = {"seed": settings.seed, "digest": job.digest, "training_digest": job.training_digest}
    tags |= {
        "settings_digest": job.settings_digest,
        tracking.ENVIRONMENT: environment(choose_device(settings.training.device)),
    }
    tags |= {f"{tracking.ASKED}{name}": value for name, value in job.planned.asked.items()}
    tags |= {"dataset": dataset.name, **origin_tags(settings), **job.tags}
    planned = job.planned
    return tracking.start_run(job.experiment_id, planned.name, job.note, tags, settings, planned.variant, job.parent_id)


def log_dataset(run: TrackedRun, dataset: Dataset, digest: str, root: str) -> None:
    """Log which images a run reads; the tag `data_digest` tells runs on the same ones."""
    counts = {split: len(records) for split, records in dataset.splits.items()}
    run.log_dataset(dataset.name, digest, root or dataset.name, counts)
    run.set_tags({"data_digest": digest})


def _result(job: Job, run_id: str, source: str, table: pd.DataFrame, pictures: list[np.ndarray]) -> Result:
    """The result of a job, which the run `run_id` shows; its scores were made in the run `source`."""
    environments = tracking.environments_of(source)
    return Result(job.planned.variant, job.planned.settings.seed, table, pictures, environments, run_id)


def _score(job: Job, training: _Training, run: TrackedRun) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Score a run, with the training before it where there is none yet; log everything.

    The first run of a training to get to its end shows its curves and holds its network; all others name it by the tag
    `network_from`. Gives table and pictures of the test images.
    """
    trained = training.network(run)
    run.progress = "trained; searching thresholds, scoring"
    if job.parent_id is None:  # that of a launch tells it for all its runs
        tqdm.write("the network is there; searching thresholds, scoring …")
    holds_network = not trained.holder
    last_step = _log_training(job, trained, run) if holds_network else _name_holder(trained, run)
    maps = training.maps("val", trained, run)
    settings, reference = _with_thresholds(job.planned.settings, maps, training, run)
    _, pictures = score_split(maps, settings, run, "val", last_step)
    del maps  # those of the test images need the memory
    if trained.shown_by != run.run_id:  # which has shown them while it trained
        names = picture_names(training.images("val")[: settings.training.validation_images], settings.kind)
        log_pictures(run, names, pictures, training.steps)
    # at step 0 the page shows bars, one per run, not curves of a single point
    scored = score_split(training.maps("test", trained, run), settings, run, "test", 0, reference)
    if holds_network:
        run.log_text(as_csv(contents(settings.data)), IMAGES)
        run.log_network(trained.network, channels_of(settings.data))
        if training.in_store:
            tracking.drop_checkpoints(training.digest)
        log_affinity_pictures(run, trained.network, training.images("test"), job.planned.settings)
        trained.holder = run.run_id
    return scored


def _log_training(job: Job, trained: TrainedNetwork, run: TrackedRun) -> int:
    """Log curves and costs of a training to the run that will hold its network; gives its last step."""
    history = trained.history
    if trained.shown_by == run.run_id:
        where = environment(choose_device(job.planned.settings.training.device))
        run.set_tags({WORKLOAD: workload(job, where, process.threads_in_use())})
    else:  # shown by a run that did not get to its end
        run.log_metrics(*(Point(*point) for point in history.points()))
    parameters = sum(weight.numel() for weight in trained.network.parameters())
    run.log_metrics(Point(0, {"perf/training_seconds": history.seconds, "perf/parameters": parameters}))
    return int(history.validations[-1]["step"])


def _name_holder(trained: TrainedNetwork, run: TrackedRun) -> int:
    """Let the tags of a run tell which one holds its network; gives step 0, as the run shows no curves."""
    trained_in = tracking.environments_of(trained.holder)[0]
    run.set_tags({"network_from": trained.holder, tracking.TRAINED_IN: trained_in})
    return 0


def _with_thresholds(
    settings: Settings, maps: Sequence[ImageMaps], training: _Training, run: TrackedRun
) -> tuple[Settings, Clustering | None]:
    """Settings with the thresholds that are best on validation maps, and the paper's, where a search is asked for."""
    if not settings.tuning.trials or not maps:
        return settings, None
    objectives = (KINDS[settings.kind].headline,)
    file = training.cache.search_file(settings, objectives)
    # no other images are at hand here
    found = search_thresholds(maps, training.images("val"), settings, run, file, objectives)
    return found, paper_thresholds(settings.clustering, paper_settings(settings).clustering)


class _Training:
    """The training that all runs of a task share.

    Its settings are those of the first job; the others differ from it in their clustering alone.

    Attributes
    ----------
    cache : TrainingCache
    in_store : bool
        Whether checkpoints are kept in the store too.
    finished : dict of str
        Digest of a result -> the run of this task that has it.
    """

    def __init__(self, job: Job, *, in_store: bool = False):
        self.in_store, self.launch = in_store, job.parent_id or ""
        self.settings, self.digest, self.name = job.planned.settings, job.training_digest, job.planned.name
        self.reuse, self.cache = job.reuse, TrainingCache(job.training_digest, job.data_digest, job.code)
        self.finished: dict[str, str] = {}
        self._trained: TrainedNetwork | Exception | None = None

    def finished_run(self, job: Job) -> tuple[str, tracking.Scores | None]:
        """A finished run with the same result and its scores: of this task, or of any launch where results are reused.

        None in place of scores where there is no such run, they cannot be read, or its network is lost.
        """
        source = self.finished.get(job.digest)
        if source is None and job.reuse and self._holder() is not None:
            source = tracking.finished_run(job.digest)
        if source is None:
            return "", None
        try:
            return source, tracking.stored_scores(source, "test")
        except StudyError as error:
            tqdm.write(f"{error}: they are made again")
            return "", None

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return number_of_steps(self.settings.training, len(opened(self.settings.data).splits["train"]))

    def images(self, split: str) -> tuple[NetworkImage, ...]:
        """The images of a split."""
        return network_images(self.settings.data, split)

    def network(self, run: TrackedRun) -> TrainedNetwork:
        """The network of the training: in the store, on disk, or else trained now, which `run` shows.

        A training that fails is not tried again for each run.
        """
        if self._trained is None:
            try:
                found = TrainedNetwork.find(self.settings, self.cache, self._holder())
                self._trained = found or self._train(run)
            except Exception as error:
                self._trained = error
        if isinstance(self._trained, Exception):
            raise self._trained
        return self._trained

    def _holder(self) -> str | None:
        """The run in the store that keeps the network."""
        return tracking.run_with_network(self.digest) if self.reuse else None

    def _train(self, run: TrackedRun) -> TrainedNetwork:
        if self.reuse and not tracking.claim(run, self.digest, lambda: self._holder() is not None):
            found = TrainedNetwork.find(self.settings, self.cache, self._holder())
            assert found is not None
            return found
        images = images_to_train(self.settings, choose_device(self.settings.training.device))
        file = self.cache.checkpoint
        if self.in_store:
            launch = "" if self.reuse else self.launch
            if not (step := self.cache.checkpoint_step()):
                file.unlink(missing_ok=True)  # one that cannot be read
            tracking.fetch_checkpoint(self.digest, file, beyond=step, launch=launch)
        kept = file if self.in_store else None
        with RunMonitor(
            run, self.settings, self.images("val"), self.steps, self.name, kept, shown=not self.launch
        ) as monitor:
            score = score_of(KINDS[self.settings.kind].headline)
            by = (f"val/{score.key}", score.sign)
            network, history = train(images, self.settings, monitor, monitor.validate, file, by)
        self.cache.save(network, history)
        return TrainedNetwork(lambda: network, history, shown_by=run.run_id)

    def maps(self, split: str, trained: TrainedNetwork, run: TrackedRun) -> list[ImageMaps]:
        """Maps of a split: kept on disk, or computed and kept there; in memory they would fill it."""
        images = self.images(split)
        maps = self.cache.load_maps(split, [image.labels.shape for image in images])
        if maps is None:
            started = time.perf_counter()
            found = maps_in_turn(trained.network, [image.pixels for image in images], self.settings)
            maps = self.cache.save_maps(split, found)
            seconds = (time.perf_counter() - started) / max(1, len(images))
            run.log_metrics(Point(0, {f"perf/{split}_maps_seconds_per_image": seconds}))
        return maps
