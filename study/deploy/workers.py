"""`predict` over workers: files in groups, and images that are large beside them in tiles."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

import numpy as np
from tqdm import tqdm

from study import allotment, process
from study.code_digest import code_digest
from study.data.files.microscopy import Part
from study.deploy import segmenter
from study.deploy.assignment import Found, Job, TooLargeError, Wanted, predict_by
from study.deploy.crew import Crew, Setup, Surroundings, look
from study.deploy.package import save_package
from study.deploy.predict import work_on
from study.deploy.segmenter import ImageOutput, Segmenter
from study.deploy.spread import SpreadSegmenter
from study.executors import LaunchExecutor, WorkerDiedError
from study.executors.machine import agreed
from study.files import cannot_write

TILES = ".tiles"  # in the folder of labels: what is found of large images until their labels are written
_LEAST, _MOST = 16, 128  # weights of a task, see `_weight`: to start one takes a while, and progress is told by tasks
_TILES = 1000  # of an image: more than there are slots
_FEW = 8  # images
_VAST = 2**26  # px, from where an image is taken in tiles even where there is an image for each worker
_THREADS = 8  # for clustering and writing, at most, as where all is done in one process


def predict_on_workers(
    model: Segmenter,
    images: Path,
    out: Path,
    executor: LaunchExecutor,
    *,
    device: str,
    format: str = "png",
    overlay: bool = False,
    table: bool = False,
    overwrite: bool = False,
    part: Part | None = None,
    also: str = "",
) -> int:
    """What `study.deploy.predict.predict` does, over the workers of an executor; labels and tables are the same.

    Workers see both folders under the same paths. The model is put into that of the labels while the call lasts, so
    that they need no store. Where there are fewer images than workers, and fewer than 8, large ones
    are taken in tiles by all workers; those of 67 million pixels or more always are.

    Parameters
    ----------
    model : Segmenter
        For the CPU of this process.
    executor : LaunchExecutor
    device : str
        Of the workers, as `training.device`.

    Raises
    ------
    StudyError
        See `predict`; or if a worker does not see the folders, has no such device, or runs other code.
    """

    def work(wanted: Wanted, bar: tqdm) -> Found:
        wanted = replace(wanted, out=out.expanduser().resolve())
        found = _work(model, wanted, bar, executor, device)
        if not found.failures:  # of calls that were stopped, too
            shutil.rmtree(wanted.out / TILES, ignore_errors=True)
        return found

    images = images.expanduser().resolve()
    part = part or Part()
    return predict_by(
        work, images, out, format=format, overlay=overlay, table=table, overwrite=overwrite, part=part, also=also
    )


def _work(model: Segmenter, wanted: Wanted, bar: tqdm, executor: LaunchExecutor, device: str) -> Found:
    if not wanted.jobs:
        return Found()
    with _shared_folder(wanted.out) as shared:
        names = frozenset(job.file.name for job in wanted.jobs)
        machine = agreed(executor.ask(look, Surroundings(wanted.jobs[0].file.parent, names, shared, device)))
        if model.settings.training.precision == "auto":  # the same for all, whose labels shall not differ
            settings = model.settings.with_({"training.precision": machine.precision})
            model = Segmenter(model.network, settings, model.channels, model.facts)
        save_package(shared, model.network.state_dict(), model.settings, model.channels, model.facts)

        def crew_for(tasks: int) -> Crew:
            slots = executor.slots_for(tasks, machine.gpus)
            threads = 0 if executor.elsewhere else max(1, allotment.cores() // slots)
            return Crew(executor, slots, Setup(shared, device, threads, code_digest()))

        weight = sum(map(_weight, wanted.jobs))
        for_files, for_tiles = crew_for(min(len(wanted.jobs), ceil(weight / _LEAST))), crew_for(_TILES)
        few = len(wanted.jobs) < min(for_tiles.slots, _FEW)
        found = _over_files(wanted, for_files, segmenter.LARGE if few else _VAST, bar)
        if found.too_large:
            spread = SpreadSegmenter(model, for_tiles, wanted.out / TILES)
            found.add(work_on(spread, replace(wanted, jobs=tuple(found.too_large)), bar, _threads()))
            spread.clean_up()
        return found


@contextmanager
def _shared_folder(out: Path) -> Iterator[Path]:
    """A folder in that of the labels, as long as the call lasts."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=".predict-", dir=out, ignore_cleanup_errors=True)
    except OSError as error:
        raise cannot_write(out, error) from error
    with folder as name:
        yield Path(name)


def _weight(job: Job) -> float:
    """What a file weighs among the others: a MiB on the disk as much as an image."""
    return 1 + job.cost / 2**20


def _over_files(wanted: Wanted, crew: Crew, largest: int, bar: tqdm) -> Found:
    """What comes of files in groups, each of which is a task."""
    found = Found()

    def task_of(jobs: Sequence[Job]) -> FileTask:
        return FileTask(crew.setup, replace(wanted, jobs=tuple(jobs)), largest)

    for group, outcome in crew.outcomes(segment_files, task_of, _grouped(wanted.jobs, crew.slots)):
        if isinstance(outcome, WorkerDiedError):
            outcome = Found(failures={job: f"{job.file} cannot be segmented: {outcome}" for job in group})
        found.add(outcome)
        bar.update(len(group) - len(outcome.too_large))
    return found


def _grouped(jobs: Sequence[Job], slots: int) -> list[list[Job]]:
    """Files in groups of nearly equal weight: one for each slot, or more of them where that is too much for a task."""
    most = min(_MOST, sum(map(_weight, jobs)) / slots)
    groups: list[list[Job]] = [[]]
    room = most
    for job in jobs:
        if groups[-1] and room < _weight(job) / 2:
            groups.append([])
            room = most + max(room, -most / 2)  # what is left over evens out, but for a file that fills a group alone
        groups[-1].append(job)
        room -= _weight(job)
    return groups


@dataclass(frozen=True)
class FileTask:
    """Files for one worker, which leaves alone what has `largest` px or more and could be taken in tiles."""

    setup: Setup
    wanted: Wanted
    largest: int


def segment_files(task: FileTask) -> Found:
    """Segment files: what a worker does."""
    model = _WithinLimit(task.setup.begin(), task.largest)
    with tqdm(disable=True) as bar:
        return work_on(model, task.wanted, bar, _threads())


def _threads() -> int:
    """Threads for clustering and writing."""
    return min(_THREADS, process.threads_in_use())


class _WithinLimit(Segmenter):
    """A model that leaves alone what is too large."""

    def __init__(self, model: Segmenter, largest: int):
        super().__init__(model.network, model.settings, model.channels, model.facts)
        self.largest = largest

    def maps(self, image: np.ndarray, foreground: np.ndarray | None = None) -> ImageOutput:
        if image[..., 0].size >= self.largest and self.may_take_tiles:
            raise TooLargeError
        return super().maps(image, foreground)
