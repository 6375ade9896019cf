"""Runs that stand alone: train one network, evaluate a finished one."""

from __future__ import annotations

import os

import pandas as pd
import torch
from tqdm import tqdm

from study import tracking
from study.ablation import PlannedRun
from study.config import Settings
from study.data import Dataset
from study.data.batches import refuse_other_channels
from study.errors import StudyError, unknown_name
from study.evaluation import means
from study.inference import predict_maps
from study.loaded import choose_device, network_images, opened, resolve
from study.networks import build_network
from study.one_run import Failure, Job, Task, log_dataset, score_split, work


def about(dataset: Dataset, settings: Settings, seeds: int) -> str:
    """What the numbers are measured on, for captions and descriptions."""
    return (
        f"{dataset.name}: {len(dataset.splits['test'])} test images ({dataset.split_note}), {seeds} seed(s), "
        f"foreground at test time: {settings.clustering.foreground}; intervals: 95 % bootstrap over images and seeds."
    )


def threads_for(settings: Settings, slots: int) -> int:
    """CPU threads of each of `slots` processes."""
    return settings.training.threads or max(1, (os.cpu_count() or 1) // slots)


def train_one(settings: Settings) -> int:
    """Train, score and log a single run in this process; the number of failures (0 or 1).

    Raises
    ------
    StudyError
        If the input or the store is at fault.
    """
    dataset = opened(settings.data)
    planned = PlannedRun({"network.name": settings.network.name}, resolve(settings, dataset))
    note = f"A single training. {about(dataset, planned.settings, 1)}"
    digest = dataset.digest()
    job = Job(planned, tracking.connect(), None, note, {}, digest)
    tqdm.write(f"{planned.name} on {dataset.name}; store {tracking.current_store()}")
    if (known := tracking.finished_run(job.digest)) is not None:
        tqdm.write(f"the same has been run before: its results are taken from run {known}")
    (outcome,) = work(Task((job,), tracking.current_store(), threads_for(settings, 1)))
    if isinstance(outcome, Failure):
        raise StudyError(outcome.reason)
    _tell_scores(outcome.table, "test")
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
    for name in changes:
        if name.split(".")[0] not in ("data", "clustering", "training"):
            raise StudyError(f"{name} belongs to the trained network: only data, clustering and training can be set")
    settings = trained.settings.with_(changes)
    dataset = opened(settings.data)
    if split not in dataset.splits:
        raise unknown_name("split", split, dataset.splits)
    settings = resolve(settings, dataset)
    images = network_images(settings.data, split, settings.loss.neighbour_distance)
    for image in images:
        refuse_other_channels(image, trained.channels)
    network = build_network(trained.channels, settings)
    network.load_state_dict(trained.weights)
    # in the memory format of the training, so that scores are the same to the last digit
    network.to(choose_device(settings.training.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.set_num_threads(threads_for(settings, 1))
    planned = PlannedRun({"network.name": settings.network.name}, settings)
    tags = {"evaluated_run": run_id, "split": split, "dataset": dataset.name, "seed": settings.seed}
    digest, note = dataset.digest(), f"The network of run {run_id}, scored on {split}."
    run = tracking.start_run(experiment, planned.name, note, tags, settings)
    log_dataset(run, dataset, digest, settings.data.root)
    with tracking.working_on(run):
        table, _, _ = score_split(predict_maps(network, images, settings), settings, run, split, 0)
    _tell_scores(table, split)
    return 0


def _tell_scores(table: pd.DataFrame, split: str) -> None:
    scores = means(table)
    shown = {"SBD": "sbd", "foreground Dice": "fbd", "|DiC|": "abs_dic", "mAP": "map"}
    values = ", ".join(f"{name} {scores[key]:.3f}" for name, key in shown.items() if key in scores)
    tqdm.write(f"{len(table)} {split} images: {values}")
