"""The images of a split, scored by workers; table and pictures are those that one process gives."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import nn
from tqdm import tqdm

from study import allotment, process, tracking
from study.code_digest import CodeDigest, code_digest
from study.data import Sample
from study.data.batches import NetworkImage, check_channels, network_image
from study.data.content import content_of
from study.errors import StudyError
from study.evaluation import Evaluation, evaluate
from study.executors import LaunchExecutor, Machine, WorkerDiedError, execute_groups
from study.executors.machine import check_code
from study.inference import batches, predict_maps
from study.maps import ImageMaps
from study.runs.gallery import IMAGES, GalleryImage, extremes, shown_of
from study.runs.monitor import PICTURES, panels
from study.runs.resources import opened, rebuilt_network
from study.settings import Settings

_TASKS_PER_SLOT = 2  # so that one with slow images is not waited for by all others


class _Known(NamedTuple):
    """An image of a split, as all workers must have it."""

    index: int
    name: str
    content: str
    shape: tuple[int, ...]  # at the network's scale


@dataclass(frozen=True)
class ScoringTask:
    """Images for one worker, and the run whose network scores them."""

    run_id: str
    store: str
    settings: Settings
    split: str
    images: tuple[_Known, ...]
    threads: int  # CPU threads; 0: as many as the process has been told
    code: CodeDigest


class ScoredImage(NamedTuple):
    """Rows of the table for an image or a volume, and what is shown of it: of the first, and of extremes of a task."""

    rows: list[dict[str, Any]]
    pictures: list[np.ndarray]
    shown: list[GalleryImage]


class ScoredSplit(NamedTuple):
    """Table, pictures and images that pages look at, as `study.runs.scoring.log_split` takes them."""

    table: pd.DataFrame
    pictures: list[np.ndarray]
    shown: list[GalleryImage]


def known_images(settings: Settings, split: str, channels: int) -> list[_Known]:
    """The images of a split, read one after the other; a StudyError if one does not fit a network of `channels`."""
    found = []
    for index, record in enumerate(opened(settings.data).splits[split]):
        sample = record.load()
        image = network_image(sample, settings.data.image_size)
        check_channels(image, channels)
        found.append(_Known(index, sample.name, _content(sample), image.pixels.shape))
    return found


def _content(sample: Sample) -> str:
    return content_of(sample.image) + content_of(sample.labels)


def score_by(
    executor: LaunchExecutor, machine: Machine, run_id: str, settings: Settings, split: str, images: Sequence[_Known]
) -> ScoredSplit:
    """Score the images of a split by the network of a run, over the workers of an executor.

    Parameters
    ----------
    executor : LaunchExecutor
    machine : Machine
        What `executor` works on.
    run_id : str
        In a store that all workers reach.
    settings : Settings
    split : str
    images : sequence
        See `known_images`.

    Raises
    ------
    StudyError
        If a worker has other images or other code, or dies.
    """
    at_once = batches([image.shape for image in images], machine.device)  # as in one process: sums may depend on it
    slots = executor.slots_for(len(at_once), machine.gpus)
    threads = settings.training.threads or (0 if executor.elsewhere else max(1, allotment.cores() // slots))

    def task_of(group: Sequence[list[int]]) -> ScoringTask:
        taken = tuple(images[i] for batch in group for i in batch)
        return ScoringTask(run_id, tracking.current_store(), settings, split, taken, threads, code_digest())

    hands = min(len(at_once), _TASKS_PER_SLOT * slots)
    scored: dict[int, ScoredImage] = {}
    with tqdm(total=len(images), desc="evaluate", unit="image", disable=None, leave=False, dynamic_ncols=True) as bar:
        groups = [at_once[k::hands] for k in range(hands)]
        for _, outcome in execute_groups(score_images, task_of, groups, slots, executor):
            if isinstance(outcome, WorkerDiedError):
                raise StudyError(f"no scores, as a worker was lost twice with the same images: {outcome}")
            scored |= outcome
            bar.update(len(outcome))
    rows, pictures, shown = (
        list(itertools.chain.from_iterable(parts)) for parts in zip(*(scored[i] for i in sorted(scored)), strict=True)
    )
    table = pd.DataFrame(rows)
    own = extremes(table)  # of all tasks
    return ScoredSplit(table, pictures, [*shown[:IMAGES], *(image for image in shown[IMAGES:] if image.name in own)])


def score_images(task: ScoringTask) -> dict[int, ScoredImage]:
    """Score images by their index: what a worker does."""
    check_code(task.code, socket.gethostname())
    if task.threads:
        process.use_threads(task.threads)
    tracking.use_store(task.store)
    images = [_as_known(known, task) for known in task.images]
    maps = predict_maps(_network(task.run_id, task.settings), images, task.settings)

    def one(image: NetworkImage, of_image: ImageMaps) -> Evaluation:
        return evaluate([of_image], [image], task.settings.clustering)

    with ThreadPoolExecutor(process.threads_in_use()) as pool:
        found = list(pool.map(one, images, maps))
    own = extremes(pd.concat([of_image.table for of_image in found]))
    scored = {}
    for known, image, of_image, of_one in zip(task.images, images, maps, found, strict=True):
        pictures = panels([image], [of_image], of_one.labels) if known.index < _drawn(task) else []
        is_shown = task.split == "test" and (known.index < IMAGES or known.name in own)
        shown = shown_of([image], [of_image], of_one.labels) if is_shown else []
        scored[known.index] = ScoredImage(of_one.table.to_dict("records"), pictures, shown)
    return scored


def _drawn(task: ScoringTask) -> int:
    """Number of images that pictures are made of; a volume gives several."""
    return PICTURES if task.settings.dims == 2 else 1


def _as_known(known: _Known, task: ScoringTask) -> NetworkImage:
    """The image of that name, which must be the one that was asked for."""
    data = task.settings.data
    record = next((record for record in opened(data).splits[task.split] if record.name == known.name), None)
    sample = record.load() if record is not None else None
    if sample is None or _content(sample) != known.content:
        raise StudyError(
            f"the worker on {socket.gethostname()} does not have the image {known.name} as it is here: "
            f"{data.root or data.name} must hold the same files on all workers"
        )
    return network_image(sample, data.image_size)


@lru_cache(maxsize=1)
def _network(run_id: str, settings: Settings) -> nn.Module:
    """The network of a run, fetched once per process."""
    trained = tracking.load_run(run_id)
    return rebuilt_network(trained.weights, trained.channels, settings)
