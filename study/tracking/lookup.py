"""What is in the store already: finished runs, their networks and scores."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.models import get_model_info
from mlflow.pytorch import load_model
from torch import Tensor

from study.errors import StudyError, first_line
from study.files import DAMAGED
from study.settings import Settings
from study.tracking.artifacts import fetch, has_file, list_files, place_of, read_json, read_picture, read_text
from study.tracking.commit import commit_of
from study.tracking.run import (
    ENVIRONMENT,
    HOLDS_NETWORK,
    NETWORK,
    SETTINGS,
    TRAINED_IN,
    TUNED,
    Point,
    TrackedRun,
    tuned_settings,
)
from study.tracking.store import active_experiments, current_store

SCORES = "scores_test.csv"  # artifact


def finished_run(digest: str) -> str | None:
    """A finished run of that digest, in any experiment of the store, whose scores are there; None if there is none."""
    return _first_with(SCORES, f"tags.digest = '{digest}'")


class MatchingRun(NamedTuple):
    """A finished run of the same settings and data, whatever its code; see `study.runs.job.Job.digest`."""

    run_id: str
    digest: str
    commit: str  # in words
    missing: str  # the file with its scores, where that is lost; else empty


def finished_runs(settings_digest: str) -> list[MatchingRun]:
    """Finished runs of settings and data in any experiment: one of each digest, the oldest whose scores are there."""
    found: dict[str, MatchingRun] = {}  # by digest: a run that can be read, else the oldest
    for run in _search(f"tags.settings_digest = '{settings_digest}'", 1000):
        digest, run_id = run.data.tags["digest"], run.info.run_id
        if digest in found and not found[digest].missing:
            continue
        missing = "" if has_file(run_id, SCORES) else place_of(run_id, SCORES)
        if digest not in found or not missing:
            found[digest] = MatchingRun(run_id, digest, commit_of(run.data.tags), missing)
    return list(found.values())


def commits_of_unknown_code(data_digest: str) -> list[str]:
    """The commit of each finished run on some data that is from before runs recorded the code that made them."""
    found = _search(
        f"tags.data_digest = '{data_digest}' and tags.training_digest != '' and tags.settings_digest IS NULL", 1000
    )
    return [commit_of(run.data.tags) for run in found if "searched_run" not in run.data.tags]


def environments_of(run_id: str) -> tuple[str, ...]:
    """Device and libraries that the scores of a run, and its training, were computed with; empty where not recorded."""
    return environments_in(get_run(run_id).data.tags)


def environments_in(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The same, from the tags of a run."""
    own = tags.get(ENVIRONMENT, "")
    return tuple(dict.fromkeys([own, tags.get(TRAINED_IN, own)]))


def run_with_network(training_digest: str) -> str | None:
    """A finished run that keeps the network of a training, whose file is there; None if there is none."""
    condition = f"tags.training_digest = '{training_digest}' and tags.{HOLDS_NETWORK} = 'True'"
    found = _first_with(NETWORK, condition)
    return found or next((run.info.run_id for run in _search(condition, 1000) if _program_of(run.info.run_id)), None)


def finished_launch(answer_digest: str) -> str | None:
    """The parent run of a finished launch that has given the answer of that digest; None if there is none."""
    runs = _search(f"tags.answer_digest = '{answer_digest}'", 1)
    return runs[0].info.run_id if runs else None


def _first_with(file: str, condition: str) -> str | None:
    """The oldest finished run that keeps a file; what the store knows may be lost on the disk."""
    return next((run.info.run_id for run in _search(condition, 1000) if has_file(run.info.run_id, file)), None)


def _program_of(run_id: str) -> bool:
    """Whether a run has an exported program, as older ones have in place of weights."""
    try:
        get_model_info(f"runs:/{run_id}/model")
    except (MlflowException, OSError):
        return False
    return True


def _search(condition: str, count: int) -> list[Run]:
    """Finished runs in all experiments, the oldest first, `count` at most."""
    condition = f"{condition} and attributes.status = 'FINISHED'"
    oldest_first = ["attributes.start_time ASC"]
    return list(MlflowClient().search_runs(active_experiments(), condition, max_results=count, order_by=oldest_first))


def copy_run(source_id: str, target: TrackedRun) -> None:
    """Give a run the metrics, artifacts and warnings of a finished one, and say so in its tag `reused_from`."""
    client = target.client
    source = client.get_run(source_id)
    points = [
        Point(metric.step, {metric.key: metric.value}, metric.timestamp)
        for name in source.data.metrics
        if not name.startswith("system/")
        for metric in client.get_metric_history(source_id, name)
    ]
    target.log_metrics(*points)
    with tempfile.TemporaryDirectory() as folder:
        for item in list_files(source_id):
            if item.path != str(Path(NETWORK).parent):  # the copy names the run that keeps it
                fetch(source_id, item.path, folder)
        client.log_artifacts(target.run_id, folder)
    tags = source.data.tags
    holder = source_id if HOLDS_NETWORK in tags else tags.get("network_from", "")
    copied = ("warning", ENVIRONMENT, TRAINED_IN)
    kept = {name: value for name, value in tags.items() if name in copied or name.startswith(TUNED)}
    target.set_tags({"reused_from": tags.get("reused_from", source_id), "network_from": holder, **kept})


class Scores(NamedTuple):
    """What a run keeps of a split: a table with a row per image, and (M, N, 3) uint8 pictures of the first images."""

    table: pd.DataFrame
    pictures: list[np.ndarray]


def read_scores(run_id: str, split: str) -> Scores:
    """Scores of a finished run."""
    text = read_text(run_id, f"scores_{split}.csv")
    read = partial(pd.read_csv, dtype=str, keep_default_na=False, na_values=[""])  # an image may be named NA
    table = read(io.StringIO(text)) if text.strip() else pd.DataFrame()  # a split may have no images
    table = table.astype({name: float for name in table.columns if name != "image"})  # exact, unlike pandas' parser
    files = sorted(item.path for item in list_files(run_id, f"{split}_pictures"))
    pictures = [read_picture(run_id, file) for file in files]
    return Scores(table, pictures)


class FinishedRun(NamedTuple):
    """A run whose network can be used."""

    settings: Settings  # with the thresholds that a search found, if there was one
    channels: int  # of its images
    weights: dict[str, Tensor]
    training_digest: str  # under which its maps may be kept
    holder: str  # the run that keeps the network


def load_run(run_id: str) -> FinishedRun:
    """Settings and network of a finished run, or of the run that it has its network from.

    Raises
    ------
    StudyError
        If there is no such run, or it keeps no network that can be read.
    """
    tags = get_run(run_id).data.tags
    holder = _holder_of(run_id, tags)
    if HOLDS_NETWORK not in get_run(holder).data.tags:
        raise StudyError(
            f"run {run_id} keeps no network that can be used: finished trainings on images do, not the parent of an "
            "ablation, nor a training on volumes"
        )
    try:
        settings = Settings.from_stored(read_json(run_id, SETTINGS))
    except (MlflowException, *DAMAGED) as error:
        raise _lost(f"the settings of run {run_id}", place_of(run_id, SETTINGS), error) from error
    try:
        channels, weights = _network_of(holder)
    except (MlflowException, *DAMAGED) as error:
        raise _lost(f"the network that run {holder} keeps", place_of(holder, NETWORK), error) from error
    return FinishedRun(settings.with_(tuned_settings(tags)), channels, weights, tags["training_digest"], holder)


def _holder_of(run_id: str, tags: Mapping[str, str]) -> str:
    """The run that keeps the network of a run: itself, the one that it names, or another with the same training."""
    holder = tags.get("network_from", run_id)
    try:
        if holder == run_id or has_file(holder, NETWORK) or not (training := tags.get("training_digest")):
            return holder
    except MlflowException:
        training = tags.get("training_digest", "")
    if other := run_with_network(training):
        return other
    try:
        MlflowClient().get_run(holder)
    except MlflowException as error:
        raise StudyError(
            f"run {run_id} has its network from run {holder}, which has been deleted for good: train again"
        ) from error
    return holder


def _lost(what: str, place: str, error: Exception) -> StudyError:
    """The error that a file of a run cannot be read."""
    if "://" in place or Path(place).exists():
        return StudyError(f"cannot read {what}, {place}: it is damaged or lost ({first_line(error)}); train again")
    gone = next((folder for folder in reversed(Path(place).parents) if not folder.exists()), Path(place))
    return StudyError(f"cannot read {what}: {place} is missing{_where(gone, place)}; move it back, or train again")


def _where(gone: Path, place: str) -> str:
    return "" if str(gone) == place else f", since there is no folder {gone}"


def _network_of(holder: str) -> tuple[int, dict[str, Tensor]]:
    """Channels of the images, and weights, of the network that a run keeps."""
    if list_files(holder, str(Path(NETWORK).parent)):
        with tempfile.TemporaryDirectory() as folder:
            file = fetch(holder, NETWORK, folder)
            kept = torch.load(file, map_location="cpu", weights_only=True)
        return kept["channels"], kept["weights"]
    # older runs have an exported program instead
    program, signature = load_model(f"runs:/{holder}/model"), get_model_info(f"runs:/{holder}/model").signature
    weights = {name.removeprefix("network."): tensor for name, tensor in program.state_dict().items()}
    return signature.inputs.inputs[0].shape[1], weights


def get_run(run_id: str) -> Run:
    """A run by its id; a StudyError if there is none."""
    try:
        return MlflowClient().get_run(run_id)
    except MlflowException as error:
        raise StudyError(
            f"there is no run {run_id!r} in {current_store()}: copy its id from the MLflow page"
        ) from error
