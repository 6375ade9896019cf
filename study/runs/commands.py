"""Runs that stand alone: train one network, score a finished one, search its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
from torch import nn
from tqdm import tqdm

from study import allotment, process, tracking
from study.data import Dataset
from study.data.batches import check_channels
from study.data.content import in_two_splits
from study.data.sets.folder import INDEX
from study.errors import StudyError, unknown_name
from study.evaluation import in_words
from study.executors import Inline, LaunchExecutor
from study.files import given_path
from study.inference import maps_in_turn
from study.maps import ImageMaps
from study.metrics.registry import KINDS
from study.paper import origin_tags, paper_settings
from study.runs.cache import TrainingCache
from study.runs.job import Failure, Job, PlannedRun, Task, about, resolved_run
from study.runs.map_files import maps_on_disk
from study.runs.overlap import seen_before
from study.runs.pipeline import log_dataset, run_task
from study.runs.resources import contents, data_digest, network_images, opened, rebuilt_network, resolve
from study.runs.result_lookup import ResultLookup
from study.runs.scoring import log_split, score_split
from study.runs.spread_scoring import known_images, score_by
from study.runs.threshold_search import search_thresholds
from study.settings import Settings, all_names
from study.tracking import ASKED, TrackedRun
from study.tuning import check_objectives, paper_thresholds

_FOREGROUND = "clustering.foreground"


def threads_for(settings: Settings, slots: int) -> int:
    """CPU threads of each of `slots` processes."""
    return settings.training.threads or max(1, allotment.cores() // slots)


def train_one(settings: Settings, *, reuse: bool = True) -> str:
    """Train, score and log a single run in this process, and tell where to look at it; gives its id.

    Without `reuse`, no result of earlier runs is taken, and none of their checkpoints resumed.

    Raises
    ------
    StudyError
        If the input or the store is at fault, or the run fails.
    """
    dataset = opened(settings.data)
    dataset.records("train", "train on")
    named = "network.name" if settings.system == "wnet" else "system"  # more than the network makes another system
    planned = resolved_run(PlannedRun({named: settings.flat()[named]}, settings), dataset)
    doubles = in_two_splits(contents(settings.data))
    note = f"A single training. {about(dataset, planned.settings, 1)} {doubles}".strip()
    job = Job(planned, tracking.connect(), None, note, {}, data_digest(settings.data), reuse)
    tqdm.write(f"{planned.name} on {dataset.name}; store {tracking.current_store()}")
    if doubles:
        tqdm.write(doubles)
    lookup = ResultLookup([job])
    if (source := lookup.run_of(job)) is not None:
        tqdm.write(f"the same has been run before: its results are taken from run {source}")
    for sentence in lookup.skipped([] if source else [job]):
        tqdm.write(sentence)
    outcomes = run_task(Task((job,), tracking.current_store(), threads_for(settings, 1), patient=True))
    assert isinstance(outcomes, list)
    (outcome,) = outcomes
    if isinstance(outcome, Failure):
        raise StudyError(outcome.reason)
    tqdm.write(_found(outcome.table, "test", outcome.run_id))
    return outcome.run_id


def evaluate_run(
    run_id: str,
    split: str,
    changes: dict[str, str],
    allow_training_images: bool = False,
    executor: LaunchExecutor | None = None,
) -> None:
    """Score the network of a finished run on a split, with `changes` to its settings, as a run of its own.

    A folder without ``index.csv`` that is not the run's own data has test images alone, and the foreground rule is
    chosen for the data set that is scored, unless `changes` say otherwise.

    Parameters
    ----------
    run_id, split : str
    changes : dict
        Settings of data, clustering or training, by dotted name.
    allow_training_images : bool
        Score images that the network has seen all the same, with a warning on the run.
    executor : LaunchExecutor, optional
        What predicts and scores; this process without one. Scores are the same.

    Raises
    ------
    StudyError
        If there is no such run, the split has no images, a setting does not fit, or the run has used images of the
        split in training or to choose its thresholds, see `study.runs.overlap.seen_before`.
    """
    experiment = tracking.connect()
    trained, own = tracking.load_run(run_id), tracking.stored_run(run_id).tags
    settings = _changed(trained, changes, "data", "clustering", "training")
    settings = _whole_folder(settings, trained.settings, own, changes, split)
    dataset = opened(settings.data)
    records = dataset.records(split, "score")
    settings, rule = _foreground_for(dataset, settings, own, changes)
    seen = seen_before(run_id, trained, own.get("data_digest", ""), settings.data, split)
    if seen and not allow_training_images:
        raise StudyError(f"{seen}: score other images, or these all the same by --allow_training_images 1")
    if executor is None or isinstance(executor, Inline):
        score = _score_here(trained, settings, split)
    else:
        score = _score_by(executor, experiment, run_id, trained, settings, split)
    name = PlannedRun({"network.name": settings.network.name}, settings).name
    note = f"The network of run {run_id}, scored on {len(records)} {split} {settings.kind} of {dataset.name} "
    note += f"({dataset.split_note}). Foreground at test time: {rule}." + (f" **Warning**: {seen}." if seen else "")
    tags = {"evaluated_run": run_id, "split": split} | ({"warning": seen} if seen else {})
    tqdm.write(note)
    with _own_run(experiment, name, note, tags, settings) as run:
        table = score(run)
    tqdm.write(_found(table, split, run.run_id))


_Score = Callable[[TrackedRun], pd.DataFrame]  # scores a split and logs that to a run; gives the table


def _score_here(trained: tracking.FinishedRun, settings: Settings, split: str) -> _Score:
    """The images of a split are scored in this process, once they are known to fit."""
    process.use_threads(threads_for(settings, 1))
    network = _network_of(trained, settings, split)

    def score(run: TrackedRun) -> pd.DataFrame:
        pixels = [image.pixels for image in network_images(settings.data, split)]
        found = maps_on_disk(maps_in_turn(network, pixels, settings))
        return score_split(found, settings, run, split, 0)[0]

    return score


def _score_by(
    executor: LaunchExecutor,
    experiment: str,
    run_id: str,
    trained: tracking.FinishedRun,
    settings: Settings,
    split: str,
) -> _Score:
    """The images of a split are scored by workers, once both are known to fit."""
    machine = executor.machine(settings.training.device)
    if executor.elsewhere:
        tracking.check_reachable(experiment)
    images = known_images(settings, split, trained.channels)

    def score(run: TrackedRun) -> pd.DataFrame:
        scored = score_by(executor, machine, run_id, settings, split, images)
        log_split(run, split, 0, *scored)
        return scored.table

    return score


def search_run(run_id: str, objectives: Sequence[str], changes: dict[str, str]) -> None:
    """Search the thresholds of a finished run on its validation images, and score its test images, as a new run.

    Raises
    ------
    StudyError
        If there is no such run or objective, the data set has no validation images or is not the run's own, or a
        setting does not fit.
    """
    experiment = tracking.connect()
    trained, own = tracking.load_run(run_id), tracking.stored_run(run_id).tags
    objectives = objectives or [KINDS[trained.settings.kind].headline]
    check_objectives(objectives, trained.settings.kind)
    settings = _changed(trained, changes, "data.root", "clustering", "tuning", "training")
    settings = resolve(settings, _searched_data(run_id, settings, own))
    process.use_threads(threads_for(settings, 1))
    method, dataset = settings.clustering.method, opened(settings.data)
    cache = TrainingCache(trained.training_digest, data_digest(settings.data))
    name = f"search: {settings.network.name}, {method}, {' and '.join(objectives)}, seed {settings.seed}"
    note = f"Thresholds of run {run_id} for {method}, searched on {dataset.name}. {about(dataset, settings, 1)}"
    tags = {"searched_run": run_id, "network_from": trained.holder, "training_digest": trained.training_digest}
    tags |= {k: v for k, v in own.items() if k.startswith(ASKED) and k.removeprefix(ASKED) not in changes}
    with cache.lock():
        maps = {split: _maps_of(trained, settings, split, cache) for split in ("val", "test")}
        with _own_run(experiment, name, note, tags, settings, ("clustering.method",)) as run:
            images, file = network_images(settings.data, "val"), cache.search_file(settings, objectives)
            tuned = search_thresholds(maps["val"], images, settings, run, file, objectives)
            score_split(maps["val"], tuned, run, "val", 0)
            table, _ = score_split(
                maps["test"],
                tuned,
                run,
                "test",
                0,
                paper_thresholds(settings.clustering, paper_settings(settings).clustering),
            )
    changed = {k: v for k, v in tuned.flat().items() if v != settings.flat()[k]}
    tqdm.write(f"best thresholds: {', '.join(f'{k}={v:g}' for k, v in changed.items()) or 'those of the run'}")
    tqdm.write(_found(table, "test", run.run_id))


def _found(table: pd.DataFrame, split: str, run_id: str) -> str:
    """What a command ends with: the scores of a split, and where to look at the run."""
    scores = in_words(table, split) if len(table) else f"the data set has no {split} images: nothing is scored"
    return f"{scores}\n{tracking.how_to_open(run_id)}"


@contextmanager
def _own_run(
    experiment: str, name: str, note: str, tags: dict[str, str], settings: Settings, varied: Sequence[str] = ()
) -> Iterator[TrackedRun]:
    """A run that stands alone, which this process works on as long as the block lasts."""
    dataset, digest = opened(settings.data), data_digest(settings.data)
    tags = tags | {"dataset": dataset.name, "seed": str(settings.seed), **origin_tags(settings)}
    run = tracking.start_run(experiment, name, note, tags, settings, varied)
    with tracking.working_on(run):
        log_dataset(run, dataset, digest, settings.data.root)
        yield run


def _searched_data(run_id: str, settings: Settings, own: Mapping[str, str]) -> Dataset:
    """The data set of a run with the tags `own`, on whose validation images thresholds are searched."""
    dataset = opened(settings.data)
    if not dataset.splits["val"] or not settings.tuning.trials:
        raise StudyError("a search needs validation images and tuning.trials above 0: there are none")
    if (digest := data_digest(settings.data)) != own.get("data_digest"):
        raise StudyError(
            f"{settings.data.root or dataset.name} (digest {digest}) does not hold the images of run {run_id} (digest "
            f"{own.get('data_digest', 'unknown')}), on which its thresholds are searched: give their folder by "
            "--data_root, or score other images by evaluate"
        )
    return dataset


def _changed(trained: tracking.FinishedRun, changes: dict[str, str], *allowed: str) -> Settings:
    """The settings of a finished run with `changes` to some of them, or groups of them."""
    known = [name for name in all_names() if name in allowed or name.split(".")[0] in allowed]
    for name in changes:
        if name not in allowed and name.split(".")[0] not in allowed:
            if name not in all_names():
                raise unknown_name("setting", name, known)
            raise StudyError(f"{name} belongs to the trained network: only {', '.join(allowed)} can be set")
    return trained.settings.with_(changes)


def _whole_folder(
    settings: Settings, trained: Settings, own: Mapping[str, str], changes: Mapping[str, str], split: str
) -> Settings:
    """Settings with `data.all_test` for the test images of a folder without splits that is not the run's own data."""
    data = settings.data
    elsewhere = changes.keys() & {"data.name", "data.root"}
    chosen = changes.keys() & {"data.all_test", "data.split_seed"}
    if data.name != "folder" or split != "test" or not elsewhere or chosen:
        return settings
    as_trained = replace(trained.data, name=data.name, root=data.root)
    if (given_path(data.root) / INDEX).exists() or data_digest(as_trained) == own.get("data_digest"):
        return settings
    return settings.with_({"data.all_test": True})


def _foreground_for(
    dataset: Dataset, settings: Settings, own: Mapping[str, str], changes: Mapping[str, str]
) -> tuple[Settings, str]:
    """Settings with the foreground rule for a data set, and the rule in words.

    Where other data are asked for, a rule that was chosen for the run's own data set is chosen anew. A run of earlier
    versions does not say: its `truth` is taken to have been chosen so.
    """
    before = settings.clustering.foreground
    if _FOREGROUND not in changes and any(name.startswith("data.") for name in changes):
        asked = own.get(f"{ASKED}{_FOREGROUND}") or ("auto" if before == "truth" else before)
        settings = settings.with_({_FOREGROUND: asked})
    settings = resolve(settings, dataset)
    rule = settings.clustering.foreground
    changed = rule != before and before != "auto"
    return settings, f"{rule}, chosen for {dataset.name} (the run had {before})" if changed else rule


def _maps_of(trained: tracking.FinishedRun, settings: Settings, split: str, cache: TrainingCache) -> list[ImageMaps]:
    """Maps of a split by a finished run: kept on disk, or computed."""
    images = network_images(settings.data, split)
    maps = cache.load_maps(split, [image.labels.shape for image in images])
    if maps is not None:
        return maps
    network = _network_of(trained, settings, split)
    return maps_on_disk(maps_in_turn(network, [image.pixels for image in images], settings))


def _network_of(trained: tracking.FinishedRun, settings: Settings, split: str) -> nn.Module:
    """The network of a finished run, once it is known to fit the images of a split."""
    for image in network_images(settings.data, split):
        check_channels(image, trained.channels)
    return rebuilt_network(trained.weights, trained.channels, settings)
