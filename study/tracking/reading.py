"""What reports read from the store: launches, their runs, curves and files."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from study.errors import StudyError, first_line
from study.files import DAMAGED
from study.tracking.artifacts import fetch, list_files, read_json, read_picture, read_text
from study.tracking.heartbeat import PROGRESS, seems_abandoned
from study.tracking.lookup import Scores, get_run, read_scores
from study.tracking.run import SETTINGS, SUPERSEDED
from study.tracking.store import active_experiments

_PARENT = "mlflow.parentRunId"


@dataclass(frozen=True)
class StoredRun:
    """A run as the store has it."""

    run_id: str
    name: str
    state: str  # FINISHED, FAILED, KILLED (even if its dead process left it at RUNNING) or RUNNING
    failure: str  # why it has not finished; empty where nothing is known
    experiment_id: str
    started: int  # milliseconds since 1970
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]  # last values

    @property
    def parent_id(self) -> str | None:
        """The launch that it belongs to."""
        return self.tags.get(_PARENT)

    @property
    def is_launch(self) -> bool:
        """Whether it is the parent run of an ablation."""
        return self.parent_id is None and "control" in self.tags

    @property
    def progress(self) -> str:
        """Where the work on it is, in words; empty where that is not told."""
        return self.tags.get(PROGRESS, "")

    @property
    def note(self) -> str:
        """Its description, in Markdown."""
        return self.tags.get("mlflow.note.content", "")

    def status_text(self) -> str:
        """How it ended, such as `FAILED (no image is left)`."""
        return f"{self.state} ({self.failure})" if self.failure else self.state


def stored_run(run_id: str) -> StoredRun:
    """A run by its id; a StudyError if there is none."""
    return _read(get_run(run_id))


def experiment_of(run: StoredRun) -> str:
    """Name of the experiment that a run is in."""
    return MlflowClient().get_experiment(run.experiment_id).name


def launches() -> list[StoredRun]:
    """The parent runs of ablations in all experiments, the newest first."""
    return _search(active_experiments(), "tags.control != ''")


def launch_with_variances(ablation: str, data_digest: str) -> StoredRun | None:
    """The newest launch on that data that has found variances, of that ablation if there is one, else of any."""
    condition = f"tags.control != '' and tags.`variance.seeds` != '' and tags.data_digest = '{data_digest}'"
    found = _search(active_experiments(), condition)
    return next((run for run in found if run.tags.get("ablation") == ablation), found[0] if found else None)


def children_of(parent: StoredRun) -> list[StoredRun]:
    """The runs of a launch, the oldest first, without those that others have superseded."""
    found = _search([parent.experiment_id], f"tags.`{_PARENT}` = '{parent.run_id}'")[::-1]
    return [run for run in found if SUPERSEDED not in run.tags]


def runs_at_work(experiment_id: str, parent_id: str) -> list[StoredRun] | None:
    """The runs below a launch that a living process works on, the oldest first; None if the store does not answer."""
    condition = f"tags.`{_PARENT}` = '{parent_id}' and attributes.status = 'RUNNING'"
    try:
        return [run for run in _search([experiment_id], condition)[::-1] if run.state == "RUNNING"]
    except MlflowException:
        return None


def training_of(run: StoredRun) -> StoredRun:
    """The run that shows the training of a run: itself, or the one that it has its network from."""
    holder = run.tags.get("network_from", "")
    return run if "train/loss" in run.metrics or not holder else stored_run(holder)


def imported_runs(data_digest: str) -> list[StoredRun]:
    """The newest finished import of each other software's labels of the test images of that data."""
    condition = f"tags.imported != '' and tags.split = 'test' and tags.data_digest = '{data_digest}'"
    newest: dict[str, StoredRun] = {}
    for run in _search(active_experiments(), f"{condition} and attributes.status = 'FINISHED'"):
        newest.setdefault(run.tags["imported"], run)
    return list(newest.values())


def _search(experiments: Sequence[str], condition: str) -> list[StoredRun]:
    client, runs, token = MlflowClient(), [], None
    while True:
        page = client.search_runs([*experiments], condition, order_by=["start_time DESC"], page_token=token)
        runs += map(_read, page)
        if not (token := page.token):
            return runs


def _read(run: Run) -> StoredRun:
    state, failure = run.info.status, run.data.tags.get("failure", "")
    if state == "RUNNING" and seems_abandoned(run):
        state, failure = "KILLED", "its process is dead"
    data = run.data
    return StoredRun(
        run.info.run_id,
        run.info.run_name or "",
        state,
        failure,
        run.info.experiment_id,
        run.info.start_time,
        data.tags,
        data.params,
        data.metrics,
    )


def stored_settings(run_id: str) -> dict:
    """The settings of a run: dotted name -> value; empty where it keeps none that can be read."""
    try:
        found = read_json(run_id, SETTINGS)
    except (MlflowException, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def split_sizes(run_id: str) -> dict[str, int]:
    """Images, or volumes, per split of the data set that a run reads; empty where the store does not know."""
    inputs = get_run(run_id).inputs
    profiles = [given.dataset.profile for given in inputs.dataset_inputs] if inputs else []
    return json.loads(profiles[0]) if profiles and profiles[0] else {}


def stored_text(run_id: str, file: str) -> str | None:
    """The text of an artifact of a run; None where it has none of that name."""
    try:
        return read_text(run_id, file)
    except (MlflowException, OSError):
        return None


def stored_scores(run_id: str, split: str) -> Scores:
    """Scores of a run, see `study.tracking.lookup.read_scores`; a StudyError if it keeps none that can be read."""
    try:
        return read_scores(run_id, split)
    except (MlflowException, OSError, ValueError, KeyError) as error:
        raise StudyError(f"run {run_id} keeps no readable scores_{split}.csv ({first_line(error)})") from error


def metric_curve(run_id: str, name: str) -> pd.DataFrame:
    """All values of a metric: columns `step` and `value`, by ascending step; the last of equal steps counts."""
    history = MlflowClient().get_metric_history(run_id, name)
    points = {metric.step: metric.value for metric in sorted(history, key=lambda m: m.timestamp)}
    return pd.DataFrame(sorted(points.items()), columns=["step", "value"])


def files_in(run_id: str, folder: str) -> list[str]:
    """Paths of the artifacts of a run directly in a folder."""
    return sorted(item.path for item in list_files(run_id, folder) if not item.is_dir)


def stored_arrays(run_id: str, file: str) -> dict[str, np.ndarray] | None:
    """The arrays of an artifact of a run by name; None where it has none of that name, or it cannot be read."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            path = fetch(run_id, file, folder)
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        except (MlflowException, *DAMAGED):
            return None


def stored_picture(run_id: str, file: str) -> np.ndarray:
    """A picture artifact: (M, N, 3) uint8 array."""
    return read_picture(run_id, file)
