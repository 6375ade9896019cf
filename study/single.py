"""Runs that stand alone: train one network, evaluate a finished one."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch
from torch import nn
from tqdm import tqdm

from study import tracking
from study.ablation import PlannedRun
from study.config import Settings
from study.data import Dataset
from study.data.batches import refuse_other_channels
from study.errors import StudyError, unknown_name
from study.evaluation import in_words
from study.inference import ImageMaps, predict_maps
from study.job import Failure, Job, Task, resolved_run
from study.kept import KeptTraining
from study.known_results import KnownResults
from study.loaded import network_images, opened, rebuilt_network, resolve
from study.one_run import log_dataset, score_split, work
from study.statistics import intervals_over
from study.thresholds import search_thresholds
from study.tuning import check_objectives, paper_thresholds


def about(dataset: Dataset, settings: Settings, seeds: int) -> str:
    """What the numbers are measured on, for captions and descriptions."""
    return (
        f"{dataset.name}: {len(dataset.splits['test'])} test images ({dataset.split_note}), {seeds} seed(s), "
        f"foreground at test time: {settings.clustering.foreground}; {intervals_over(seeds)}."
    )


def threads_for(settings: Settings, slots: int) -> int:
    """CPU threads of each of `slots` processes."""
    return settings.training.threads or max(1, (os.cpu_count() or 1) // slots)


def train_one(settings: Settings, *, reuse: bool = True) -> int:
    """Train, score and log a single run in this process; the number of failures (0 or 1).

    Without `reuse`, nothing of earlier runs is taken over or gone on with.

    Raises
    ------
    StudyError
        If the input or the store is at fault.
    """
    dataset = opened(settings.data)
    named = "network.name" if settings.system == "wnet" else "system"  # more than the network makes another system
    planned = resolved_run(PlannedRun({named: settings.flat()[named]}, settings), dataset)
    note = f"A single training. {about(dataset, planned.settings, 1)}"
    digest = dataset.digest()
    job = Job(planned, tracking.connect(), None, note, {}, digest, reuse)
    tqdm.write(f"{planned.name} on {dataset.name}; store {tracking.current_store()}")
    known = KnownResults([job])
    if (source := known.run_of(job)) is not None:
        tqdm.write(f"the same has been run before: its results are taken from run {source}")
    for sentence in known.passed_over([] if source else [job]):
        tqdm.write(sentence)
    (outcome,) = work(Task((job,), tracking.current_store(), threads_for(settings, 1)))
    if isinstance(outcome, Failure):
        raise StudyError(outcome.reason)
    tqdm.write(in_words(outcome.table, "test"))
    return 0


def evaluate_run(run_id: str, split: str, changes: dict[str, str]) -> int:
    """Score the network of a finished run on a split, with `changes` to its settings, as a run of its own.

    Raises
    ------
    StudyError
        If there is no such run or split, or a setting does not fit.
    """
    experiment = tracking.connect()
    trained = tracking.load_run(run_id)
    settings = _changed(trained, changes, "data", "clustering", "training")
    dataset = opened(settings.data)
    if split not in dataset.splits:
        raise unknown_name("split", split, dataset.splits)
    settings = resolve(settings, dataset)
    torch.set_num_threads(threads_for(settings, 1))
    network = _network_of(trained, settings, split)
    planned = PlannedRun({"network.name": settings.network.name}, settings)
    tags = {"evaluated_run": run_id, "split": split, "dataset": dataset.name, "seed": settings.seed}
    digest, note = dataset.digest(), f"The network of run {run_id}, scored on {split}."
    run = tracking.start_run(experiment, planned.name, note, tags, settings)
    log_dataset(run, dataset, digest, settings.data.root)
    with tracking.working_on(run):
        images = network_images(settings.data, split)
        table, _ = score_split(predict_maps(network, images, settings), settings, run, split, 0)
    tqdm.write(in_words(table, split))
    return 0


def search_run(run_id: str, objectives: Sequence[str], changes: dict[str, str]) -> int:
    """Search the thresholds of a finished run on its validation images, and score its test images, as a new run.

    Raises
    ------
    StudyError
        If there is no such run or objective, the data set has no validation images, or a setting does not fit.
    """
    check_objectives(objectives)
    experiment = tracking.connect()
    trained = tracking.load_run(run_id)
    settings = _changed(trained, changes, "data.root", "clustering", "tuning", "training")
    dataset = opened(settings.data)
    if not dataset.splits["val"] or not settings.tuning.trials:
        raise StudyError("a search needs validation images and tuning.trials above 0: there are none")
    settings = resolve(settings, dataset)
    torch.set_num_threads(threads_for(settings, 1))
    method, digest = settings.clustering.method, dataset.digest()
    kept = KeptTraining(trained.training_digest, digest)
    name = f"search: {settings.network.name}, {method}, {' and '.join(objectives)}, seed {settings.seed}"
    note = f"Thresholds of run {run_id} for {method}, searched on {dataset.name}. {about(dataset, settings, 1)}"
    with kept.alone():
        maps = {split: _maps_of(trained, settings, split, kept) for split in ("val", "test")}
        tags = {"searched_run": run_id, "dataset": dataset.name, "seed": settings.seed}
        tags |= {"network_from": trained.holder, "training_digest": trained.training_digest}
        run = tracking.start_run(experiment, name, note, tags, settings, ("clustering.method",))
        log_dataset(run, dataset, digest, settings.data.root)
        with tracking.working_on(run):
            images = network_images(settings.data, "val")
            file = kept.search_file(settings, objectives)
            tuned = search_thresholds(maps["val"], images, settings, run, file, objectives)
            score_split(maps["val"], tuned, run, "val", 0)
            reference = paper_thresholds(settings.clustering)
            table, _ = score_split(maps["test"], tuned, run, "test", 0, reference)
    changed = {k: v for k, v in tuned.flat().items() if v != settings.flat()[k]}
    tqdm.write(f"best thresholds: {', '.join(f'{k}={v:g}' for k, v in changed.items()) or 'those of the run'}")
    tqdm.write(in_words(table, "test"))
    return 0


def _changed(trained: tracking.FinishedRun, changes: dict[str, str], *allowed: str) -> Settings:
    """The settings of a finished run with `changes` to some of them, or groups of them."""
    for name in changes:
        if name not in allowed and name.split(".")[0] not in allowed:
            raise StudyError(f"{name} belongs to the trained network: only {', '.join(allowed)} can be set")
    return trained.settings.with_(changes)


def _maps_of(trained: tracking.FinishedRun, settings: Settings, split: str, kept: KeptTraining) -> list[ImageMaps]:
    """Maps of a split by a finished run: kept on disk, or computed."""
    images = network_images(settings.data, split)
    maps = kept.maps(split, [image.labels.shape for image in images])
    return maps if maps is not None else predict_maps(_network_of(trained, settings, split), images, settings)


def _network_of(trained: tracking.FinishedRun, settings: Settings, split: str) -> nn.Module:
    """The network of a finished run, once it is known to fit the images of a split."""
    for image in network_images(settings.data, split):
        refuse_other_channels(image, trained.channels)
    return rebuilt_network(trained.weights, trained.channels, settings)
