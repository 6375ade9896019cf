"""Runs as records: what of a run can be published, without its network and pictures, and a store made of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from study.tracking.artifacts import fetch, list_files
from study.tracking.lookup import SCORES, get_run
from study.tracking.reading import split_sizes, stored_scores, stored_settings
from study.tracking.run import HOLDS_NETWORK, SETTINGS, TrackedRun
from study.tracking.store import use_store

_COMMIT = "mlflow.source.git.commit"
_PARENT = "mlflow.parentRunId"
_OF_A_PROCESS = ("heartbeat", "process", "progress", "claim", "workload", HOLDS_NETWORK)  # tags: of no use later
_TO_RUNS = ("network_from", "reused_from", "launch", _PARENT)  # tags that hold ids
_ROOT = "data.root"  # a path of the machine
# artifacts that no page about launches shows, or that a record has otherwise
_NOT_COPIED = ("network", "images", "reports", "search", "val_pictures", "scores_val.csv", "scores_val.json", SETTINGS)
_PER_CALL = 1000  # metrics that a store takes at once


@dataclass(frozen=True)
class RunRecord:
    """What is kept of a run.

    Attributes
    ----------
    run_id, name, status : str
    started, ended : int
        Milliseconds since 1970.
    tags, params : dict of str
        Without those of a machine or a process.
    settings : dict
        Dotted name -> value; empty for a parent.
    images : dict
        Images per split; empty where the store does not know.
    metrics : dict
        Name -> pairs of step and value, in the order of the steps.
    texts : dict
        Path of an artifact -> its text, of the tables that say what is in a picture.
    scores : DataFrame
        A row per test image; empty for a parent.
    files : Path, optional
        Folder with its artifacts, where they are at hand.
    """

    run_id: str
    name: str
    status: str
    started: int
    ended: int
    tags: dict[str, str]
    params: dict[str, str]
    settings: dict[str, Any]
    images: dict[str, int]
    metrics: dict[str, list[list[float]]]
    texts: dict[str, str]
    scores: pd.DataFrame
    files: Path | None = None

    @property
    def parent_id(self) -> str:
        """The launch that it belongs to; empty for a parent."""
        return self.tags.get(_PARENT, "")

    @property
    def is_parent(self) -> bool:
        """Whether it is that of a launch."""
        return "control" in self.tags

    @property
    def training_id(self) -> str:
        """The run that shows its training, where that is another one; else empty."""
        return "" if "train/loss" in self.metrics else self.tags.get("network_from", "")

    def below(self, parent_id: str) -> RunRecord:
        """The same run as one of another launch."""
        return replace(self, tags=self.tags | {_PARENT: parent_id})

    def alone(self) -> RunRecord:
        """The same run as one of no launch, which shows its training and no scores."""
        tags = {name: value for name, value in self.tags.items() if name not in _TO_RUNS}
        return replace(self, tags=tags, scores=pd.DataFrame(), files=None)


def record_of(run_id: str, folder: Path) -> RunRecord:
    """The record of a run of the store in use, whose artifacts are copied into a folder of its own in `folder`.

    Raises StudyError if there is no such run, or if it is no parent and its scores cannot be read.
    """
    run = get_run(run_id)
    tags = {name: value for name, value in run.data.tags.items() if _is_kept(name)}
    client = MlflowClient()
    histories = {name: client.get_metric_history(run_id, name) for name in run.data.metrics if "system/" not in name}
    metrics = {
        name: [[point.step, point.value] for point in sorted(history, key=lambda point: (point.step, point.timestamp))]
        for name, history in histories.items()
    }
    settings = stored_settings(run_id)
    scores = stored_scores(run_id, "test").table if settings else pd.DataFrame()
    files = _copied(run_id, folder / run_id)
    return RunRecord(
        run_id,
        run.info.run_name or "",
        run.info.status,
        run.info.start_time,
        run.info.end_time or run.info.start_time,
        _without_path(tags),
        _without_path(run.data.params),
        _without_path(settings),
        split_sizes(run_id),
        metrics,
        {str(file.relative_to(files)): file.read_text() for file in sorted(files.glob("*/*.csv"))},
        scores,
        files,
    )


def _is_kept(tag: str) -> bool:
    return tag in (_COMMIT, _PARENT) or not (tag.startswith("mlflow.") or tag in _OF_A_PROCESS)


def _without_path(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose folder of images is told by its name alone."""
    return {name: Path(value).name if name == _ROOT and value else value for name, value in values.items()}


def _copied(run_id: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)  # two stores may have the same run
    for item in list_files(run_id):
        if item.path not in _NOT_COPIED:
            fetch(run_id, item.path, folder)
    return folder


def make_store(folder: Path, records: Mapping[str, Sequence[RunRecord]]) -> dict[str, str]:
    """A new store in a folder, in use from now on, with the runs of records by the name of their experiment.

    The runs of a launch begin one after the other, as they did.

    Returns
    -------
    dict
        Ids in the store -> those in the records.
    """
    use_store(f"sqlite:///{folder / 'mlflow.db'}")
    client, ids = MlflowClient(), {}
    for experiment, found in records.items():
        place = client.create_experiment(experiment, artifact_location=(folder / "files" / experiment).as_uri())
        last = 0
        for record in sorted(found, key=lambda record: (bool(record.parent_id), record.started, record.run_id)):
            last = max(last + 1, record.started)
            ids[record.run_id] = client.create_run(place, last, run_name=record.name).info.run_id
        for record in found:
            _fill(TrackedRun(ids[record.run_id]), record, ids)
    return {of_store: of_record for of_record, of_store in ids.items()}


def _fill(run: TrackedRun, record: RunRecord, ids: Mapping[str, str]) -> None:
    tags = {name: ids.get(value, "") if name in _TO_RUNS else value for name, value in record.tags.items()}
    run.set_tags({name: value for name, value in tags.items() if value})
    run.client.log_batch(run.run_id, params=[Param(name, value) for name, value in record.params.items()])
    points = [
        Metric(name, value, at, int(step))
        for name, history in record.metrics.items()
        for at, (step, value) in enumerate(history)
    ]
    for first in range(0, len(points), _PER_CALL):
        run.client.log_batch(run.run_id, metrics=points[first : first + _PER_CALL])
    if record.settings:
        run.client.log_dict(run.run_id, record.settings, SETTINGS)
    if record.images:
        run.log_dataset(record.tags.get("dataset", ""), record.tags.get("data_digest", ""), "", record.images)
    if record.files is not None:
        run.log_folder(record.files, "")
    else:
        run.log_text(record.scores.to_csv(index=False), SCORES)
        for file, text in record.texts.items():
            run.log_text(text, file)
    run.client.set_terminated(run.run_id, record.status, record.ended)
