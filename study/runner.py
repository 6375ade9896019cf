"""Executes all runs of an ablation, and puts the answer on their parent."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from multiprocessing.queues import Queue
from typing import Any

import pandas as pd
import psutil
import torch
from tqdm import tqdm

from study import figures, tracking
from study.ablation import Ablation, PlannedRun, Result, answer, found, plan, variant_name
from study.config import Settings
from study.data import Dataset
from study.data.batches import refuse_other_channels
from study.errors import StudyError, unknown_name
from study.evaluation import means
from study.networks import build_network
from study.one_run import (
    Failure,
    Job,
    choose_device,
    log_dataset,
    network_images,
    opened,
    resolve,
    score_split,
    show_progress_at,
    start,
    work,
)
from study.tracking import TrackedRun

MEMORY_OF_A_RUN = 2 * 2**30  # bytes of host memory to reckon with


@dataclass(frozen=True)
class Launch:
    """How runs are executed.

    Attributes
    ----------
    executor : str
        `inline` (one after the other in this process) or `pool` (spawned processes).
    slots : int
        Processes of the pool; 0 chooses: one on a GPU, else as many as cores and memory allow.
    """

    executor: str = "pool"
    slots: int = 0

    def slots_for(self, runs: int, device: torch.device) -> int:
        """Number of runs at a time."""
        if self.executor == "inline":
            return 1
        if self.slots:
            return min(self.slots, runs)
        if device.type == "cuda":
            return 1
        memory = psutil.virtual_memory().available // MEMORY_OF_A_RUN
        return max(1, min(runs, os.cpu_count() or 1, memory))


def ask(ablation: Ablation, base: Settings, seeds: Sequence[int], launch: Launch) -> int:
    """Run an ablation and log its answer.

    Parameters
    ----------
    ablation : Ablation
    base : Settings
        Of all runs, but for what is varied and the seed.
    seeds : sequence of int
    launch : Launch

    Returns
    -------
    int
        Number of failed runs.

    Raises
    ------
    StudyError
        If the input or the store is at fault, before any run has started.
    """
    if launch.executor not in ("inline", "pool"):
        raise unknown_name("executor", launch.executor, ("inline", "pool"))
    dataset = opened(base.data)
    if not dataset.splits["test"]:
        raise StudyError(f"data set {dataset.name} has no test image to answer from: {dataset.split_note}")
    runs = plan(ablation, resolve(base, dataset), seeds)
    dataset.splits["train"][0].load()  # a fault that all runs share is told before there is any
    device = choose_device(base.training.device)
    slots = launch.slots_for(len(runs), device)
    digest = dataset.digest()  # reads all files: an unreadable one must not leave a parent that never ends
    experiment = tracking.connect()
    caption = _caption(dataset, runs[0].settings, seeds)
    note = f"**{ablation.question}**\n\n{len(runs)} runs: {', '.join(ablation.varied)}; seeds {list(seeds)}. {caption}"
    tags = {"ablation": ablation.name, "dataset": dataset.name, "control": variant_name(ablation.control)}
    parent = tracking.start_run(experiment, f"{ablation.name} on {dataset.name}", note, tags)
    log_dataset(parent, dataset, digest, base.data.root)  # before workers do: two at once would clash over a new one
    tqdm.write(f"{ablation.question}\n{len(runs)} runs, {slots} at a time, on {device}")
    try:
        jobs = []
        for run in runs:
            own = {"ablation": ablation.name, "variant": variant_name(run.variant), **run.variant}
            about = f"{run.name}: a variant of the ablation '{ablation.name}'. {caption}"
            jobs.append(_job(run, experiment, digest, slots, about, parent.run_id, own))
        outcomes = _execute(jobs, slots, launch)
        results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
        if results:
            _log_answer(parent, ablation, results, caption, note)
    except BaseException:
        parent.end_children("KILLED", "the launch was stopped")
        parent.end("KILLED")
        raise
    parent.end_children("FAILED", "the worker process died")
    failures = [f"{o.planned.name}: {o.reason}" for o in outcomes if isinstance(o, Failure)]
    parent.end("FAILED" if failures else "FINISHED", "; ".join(failures))
    view = tracking.share_view(experiment, ablation.name, list(ablation.varied))
    tqdm.write(f"{len(results)} of {len(jobs)} runs finished; look at them with\n{view}")
    return len(failures)


def _caption(dataset: Dataset, settings: Settings, seeds: Sequence[int]) -> str:
    """What the numbers are measured on."""
    return (
        f"{dataset.name}: {len(dataset.splits['test'])} test images ({dataset.split_note}), {len(seeds)} seed(s), "
        f"foreground at test time: {settings.clustering.foreground}; intervals: 95 % bootstrap over images and seeds."
    )


def _job(
    run: PlannedRun,
    experiment_id: str,
    data_digest: str,
    slots: int,
    note: str,
    parent_id: str | None = None,
    tags: dict[str, Any] | None = None,
) -> Job:
    """The job of a run, one of `slots` at a time."""
    threads = run.settings.training.threads or max(1, (os.cpu_count() or 1) // slots)
    store = tracking.current_store()
    return Job(run, store, experiment_id, parent_id, note, tags or {}, data_digest, threads)


def train_one(settings: Settings) -> int:
    """Train, score and log a single run in this process; the number of failures (0 or 1).

    Raises
    ------
    StudyError
        If the input or the store is at fault.
    """
    dataset = opened(settings.data)
    planned = PlannedRun({"network.name": settings.network.name}, resolve(settings, dataset))
    caption = _caption(dataset, planned.settings, [settings.seed])
    job = _job(planned, tracking.connect(), dataset.digest(), 1, f"A single training. {caption}")
    tqdm.write(f"{planned.name} on {dataset.name}; store {tracking.current_store()}")
    outcome = work(job)
    if isinstance(outcome, Failure):
        raise StudyError(outcome.reason)
    _tell_scores(outcome, "test")
    return 0


def evaluate_run(run_id: str, split: str, changes: dict[str, str]) -> int:
    """Score the network of a finished run on a split, with `changes` to its settings, as a run of its own.

    Raises
    ------
    StudyError
        If there is no such run or split, or a setting does not fit.
    """
    experiment = tracking.connect()
    settings, channels, weights = tracking.load_run(run_id)
    for name in changes:
        if name.split(".")[0] not in ("data", "clustering", "training"):
            raise StudyError(f"{name} belongs to the trained network: only data, clustering and training can be set")
    settings = settings.with_(changes)
    dataset = opened(settings.data)
    if split not in dataset.splits:
        raise unknown_name("split", split, dataset.splits)
    for image in network_images(settings.data, split):
        refuse_other_channels(image, channels)
    planned = PlannedRun({"network.name": settings.network.name}, resolve(settings, dataset))
    network = build_network(channels, planned.settings)
    network.load_state_dict(weights)
    # in the memory format of the training, so that scores are the same to the last digit
    network.to(choose_device(settings.training.device), memory_format=torch.channels_last)  # type: ignore[call-overload]
    tags = {"evaluated_run": run_id, "split": split}
    job = _job(planned, experiment, dataset.digest(), 1, f"The network of run {run_id}, scored on {split}.", tags=tags)
    run = start(job)
    with tracking.working_on(run):
        outcome = Result(planned.variant, settings.seed, *score_split(network, planned.settings, run, split, 0))
    _tell_scores(outcome, split)
    return 0


def _tell_scores(result: Result, split: str) -> None:
    scores = means(result.table)
    shown = {"SBD": "sbd", "foreground Dice": "fbd", "|DiC|": "abs_dic", "mAP": "map"}
    values = ", ".join(f"{name} {scores[key]:.3f}" for name, key in shown.items() if key in scores)
    tqdm.write(f"{len(result.table)} {split} images: {values}")


def _execute(jobs: Sequence[Job], slots: int, launch: Launch) -> list[Result | Failure]:
    """Outcomes of all jobs, in their order; a line is written as each ends."""
    done: list[Job] = []

    def tell(job: Job, future: Future) -> None:
        if future.cancelled():
            return
        done.append(job)
        outcome = _outcome(job, future)
        text = f"SBD {outcome.table['sbd'].mean():.3f}" if isinstance(outcome, Result) else f"FAILED: {outcome.reason}"
        tqdm.write(f"{len(done)}/{len(jobs)}  {job.planned.name}: {text}")

    futures = []
    with _executor(slots, launch) as executor:
        for job in jobs:
            future = executor.submit(work, job)
            future.add_done_callback(partial(tell, job))
            futures.append(future)
        wait(futures)
    return [_outcome(job, future) for job, future in zip(jobs, futures, strict=True)]


def _outcome(job: Job, future: Future) -> Result | Failure:
    """What a worker returned, or why it could not."""
    try:
        return future.result()
    except Exception as error:  # the worker itself died
        return Failure(
            job.planned, f"the worker process died ({error}): with fewer --slots more memory is left to each"
        )


class _Inline(Executor):
    """Runs each call at once, in this process."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future: Future = Future()
        future.set_result(fn(*args, **kwargs))
        return future


@contextmanager
def _executor(slots: int, launch: Launch) -> Iterator[Executor]:
    """The executor of a launch; what it has not started is dropped when the block is left by an exception."""
    if launch.executor == "inline":
        yield _Inline()
        return
    context = get_context("spawn")
    places = context.Queue()
    for place in range(slots):
        places.put(place)
    lock = context.RLock()
    tqdm.set_lock(lock)  # one line of the terminal for each process
    executor = ProcessPoolExecutor(slots, context, _start_worker, (lock, places))
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker(lock: object, places: Queue) -> None:
    """Give the progress bar of this process a line of its own; leave Ctrl-C to the launching process."""
    tqdm.set_lock(lock)
    show_progress_at(places.get())
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _log_answer(parent: TrackedRun, ablation: Ablation, results: Sequence[Result], caption: str, note: str) -> None:
    """Table, figure, contact sheet and description of an ablation, on its parent."""
    table = answer(ablation, results)
    parent.log_table(table, "answer")
    hue = next(name for name in ablation.varied if name != ablation.axis)
    printed = pd.read_csv(ablation.printed) if ablation.printed else None
    parent.log_figure(figures.score_curve(table, ablation.axis, hue, caption, printed), f"{ablation.name}.png")
    first = min(result.seed for result in results)
    rows = [(variant_name(r.variant), r.panels) for r in results if r.seed == first]
    parent.log_figure(figures.contact_sheet(rows, f"{ablation.question} Seed {first}."), "contact_sheet.png")
    parent.set_note(f"{note}\n\n{found(ablation, table)}")
