"""A run in the store: everything that is logged goes through it."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow import MlflowClient
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.tracking.context.registry import resolve_tags
from torch import nn

from study.config import in_words
from study.errors import StudyError
from study.files import full_disk_in_words
from study.metrics import kind_of
from study.process import take_given_run
from study.settings import Settings
from study.tracking.commit import code_state
from study.tracking.faults import FileClient, reason_of, status_after
from study.tracking.given import point_from, source_of
from study.tracking.heartbeat import heartbeat_tags, send_heartbeats
from study.tracking.store import add_shared, few_retries

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETTINGS, NETWORK = "settings.json", "network/weights.pt"  # artifacts
HOLDS_NETWORK = "holds_network"  # tag
ASKED = "asked."  # begin of the tags with settings that were asked for as `auto`
ENVIRONMENT, TRAINED_IN = "environment", "trained_in"  # tags: device and libraries, those of the training if others
SUPERSEDED = "superseded"  # tag of a run whose worker was lost, and whose work another run of the launch does
_KEPT = "its traceback is kept"  # note of an error
TUNED = "tuned."  # begin of the tags with the settings that a search has found
_REFUSED = re.compile(r"[^\w\-./ ]", flags=re.ASCII)  # in keys of pictures, by MLflow


def tuned_settings(tags: dict[str, str]) -> dict[str, str]:
    """The settings that a search has found, by dotted name, from the tags of a run."""
    return {name.removeprefix(TUNED): value for name, value in tags.items() if name.startswith(TUNED)}


@dataclass(frozen=True)
class Point:
    """Values of metrics after a step."""

    step: int
    values: dict[str, float]
    time: int = field(default_factory=lambda: round(1000 * time.time()))  # milliseconds since 1970


class TrackedRun:
    """A run in the store; everything that is logged goes through it.

    Parameters
    ----------
    run_id : str

    Attributes
    ----------
    progress : str
        Where the work on it is, in words, which its heartbeats tell; empty: they tell nothing.
    """

    def __init__(self, run_id: str):
        self.run_id, self.progress = run_id, ""
        self.client = FileClient()

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set tags; values become text."""
        self.client.log_batch(self.run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])

    def set_note(self, text: str) -> None:
        """Set the description on the page, in Markdown."""
        self.set_tags({"mlflow.note.content": text})

    def log_metrics(self, *points: Point) -> None:
        """Log metrics of one or more steps at once; values that are not finite are left out."""
        self.client.log_batch(
            self.run_id,
            metrics=[
                Metric(name, float(value), point.time, point.step)
                for point in points
                for name, value in point.values.items()
                if np.isfinite(value)
            ],
        )

    def log_image(self, picture: np.ndarray, key: str, step: int) -> None:
        """Log a (M, N, 3) uint8 picture that the page shows with a slider over the steps, under a `picture_key`."""
        self.client.log_image(self.run_id, picture, key=key, step=step)

    def log_figure(self, figure: Figure, file: str) -> None:
        """Log a figure; the ending of `file` gives the format."""
        self.client.log_figure(self.run_id, figure, file)

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Log a table twice: `name`.json for the page's evaluation view, `name`.csv for everything else."""
        self.client.log_table(self.run_id, table, f"{name}.json")
        self.client.log_text(self.run_id, table.to_csv(index=False), f"{name}.csv")

    def log_text(self, text: str, file: str) -> None:
        """Log a text file."""
        self.client.log_text(self.run_id, text, file)

    def log_folder(self, folder: Path, under: str) -> None:
        """Log all files of a folder, below the artifact folder `under`."""
        self.client.log_artifacts(self.run_id, str(folder), under)

    def log_arrays(self, arrays: Mapping[str, np.ndarray], file: str) -> None:
        """Log arrays by name as one compressed file, which `study.tracking.stored_arrays` reads."""
        with tempfile.TemporaryDirectory() as folder:
            np.savez_compressed(Path(folder) / file, allow_pickle=False, **arrays)
            self.client.log_artifact(self.run_id, str(Path(folder) / file))

    def log_dataset(self, name: str, digest: str, source: str, profile: dict[str, int]) -> None:
        """Log which data the run reads: its digest, where it is from, and images per split."""
        entity = DatasetEntity(name, digest, "local", json.dumps({"uri": source}), profile=json.dumps(profile))
        given = [DatasetInput(entity, [InputTag("mlflow.data.context", "train, val, test")])]
        add_shared(lambda: self.client.log_inputs(self.run_id, given))  # the entry of a data set is of all its runs

    def log_scores(self, split: str, table: pd.DataFrame, pictures: Sequence[np.ndarray]) -> None:
        """Log the scores per image of a split, and pictures of its first images."""
        self.log_table(table, f"scores_{split}")
        of_images = len(table) and kind_of(table).item == "image"  # else a row is no picture
        names = [f" {_in_file_name(str(name))}" for name in table["image"]] if of_images else [""] * len(pictures)
        for i, (picture, name) in enumerate(zip(pictures, names, strict=False)):
            self.client.log_image(self.run_id, picture, f"{split}_pictures/{i}{name}.png")

    def log_picture(self, picture: np.ndarray, table: pd.DataFrame, name: str) -> None:
        """Log a (M, N, 3) uint8 picture as `name`.png, and what is in it as `name`.csv."""
        self.client.log_image(self.run_id, picture, f"{name}.png")
        self.log_text(table.to_csv(index=False), f"{name}.csv")

    def log_search(self, values: dict[str, Any], trials: pd.DataFrame, drawn: dict[str, Figure]) -> None:
        """Log a search of thresholds: what it found (dotted name -> value), its trials, and figures by name."""
        self.set_tags({f"{TUNED}{name}": value for name, value in values.items()})
        self.log_text(trials.to_csv(index=False), "search/trials.csv")
        for name, figure in drawn.items():
            self.log_figure(figure, f"search/{name}.png")

    def log_network(self, network: nn.Module, channels: int) -> None:
        """Log the weights of a network for images of that many channels, which `load_run` reads."""
        weights = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / Path(NETWORK).name
            torch.save({"channels": channels, "weights": weights}, file)
            self.client.log_artifact(self.run_id, str(file), str(Path(NETWORK).parent))
        self.set_tags({HOLDS_NETWORK: True})

    def keep_traceback(self, error: Exception) -> None:
        """Log where an error that the user cannot fix has come from, as failure.txt; see `traceback_is_kept`."""
        if isinstance(error, StudyError) or full_disk_in_words(error):
            return
        with suppress(Exception):  # where the store is away, it cannot
            self.log_text("".join(traceback.format_exception(error)), "failure.txt")
            error.add_note(_KEPT)

    def end(self, status: str, reason: str = "") -> None:
        """Mark the run FINISHED, FAILED or KILLED, with the reason as a tag."""
        if reason:
            self.set_tags({"failure": reason[:5000]})
        self.client.set_terminated(self.run_id, status)

    def own_attempts(self, experiment_id: str, digest: str, variant: str) -> str | None:
        """A finished run below this one of that digest and variant, if there is one; all others are superseded.

        Where a worker is lost, another one makes its run anew, in the same experiment. What the first one has left is
        no run of the launch.
        """
        same = f"tags.`mlflow.parentRunId` = '{self.run_id}' and tags.digest = '{digest}'"
        runs = [
            run
            for run in self.client.search_runs([experiment_id], same, order_by=["start_time ASC"])
            if run.data.tags.get("variant", "") == variant
        ]
        finished = next((run.info.run_id for run in runs if run.info.status == "FINISHED"), None)
        for run in runs:
            if run.info.run_id != finished:
                attempt = TrackedRun(run.info.run_id)
                attempt.set_tags({SUPERSEDED: "another attempt of this launch"})
                if run.info.status == "RUNNING":
                    attempt.end("KILLED", "its worker was lost")
        return finished

    def end_children(self, status: str, reason: str) -> None:
        """End the runs below this one that their worker has not ended."""
        experiment_id = self.client.get_run(self.run_id).info.experiment_id
        running = f"tags.`mlflow.parentRunId` = '{self.run_id}' and attributes.status = 'RUNNING'"
        for run in self.client.search_runs([experiment_id], running):
            TrackedRun(run.info.run_id).end(status, reason)


def picture_key(image: str) -> str:
    """Key of the pictures of a validation image; its first part makes a section of the page, and puts it first.

    Where the name has characters that MLflow refuses, a digest keeps it apart from names that differ in these alone.
    """
    key = _REFUSED.sub("_", image)
    digest = "" if key == image else f" {hashlib.sha256(image.encode(errors='surrogateescape')).hexdigest()[:8]}"
    return f"images/val {key}{digest}"


def _in_file_name(image: str) -> str:
    """The name of an image as a part of the name of a file."""
    return _REFUSED.sub("_", image).replace("/", "_")


def start_run(
    experiment_id: str,
    name: str,
    note: str,
    tags: dict[str, Any],
    settings: Settings | None = None,
    varied: Iterable[str] = (),
    parent_id: str | None = None,
) -> TrackedRun:
    """A run of its own, or one below another.

    A run without parent is the one that `mlflow run` has made for this launch, where it has made one in the
    experiment. One in another experiment gives its params and its source to the new run, and tells where that is.

    Parameters
    ----------
    experiment_id : str
    name, note : str
        Name and description on the MLflow page.
    tags : dict
    settings : Settings, optional
        Logged whole as `settings.json`; none for an ablation's parent.
    varied : iterable of str
        Dotted names of the settings that are params, beside the seed. The page writes all params of a run above its
        pictures, so that with many there is no picture to be seen.
    parent_id : str, optional
    """
    own = {"mlflow.runName": name, "mlflow.note.content": note, **code_state(), **heartbeat_tags(), **tags}
    given_id = take_given_run()  # a worker inherits that of its launch, and must not use it
    if parent_id is not None:
        own["mlflow.parentRunId"], given_id = parent_id, None
    given = None if given_id is None else MlflowClient().get_run(given_id)
    params = {}
    if given is not None and given.info.experiment_id == experiment_id:
        run = TrackedRun(given.info.run_id)
        run.set_tags(own)
    else:
        tags = resolve_tags() | ({} if given is None else source_of(given))
        # with all tags from the first moment: a process may be killed in the next
        tags |= {name: str(value) for name, value in own.items()}
        run = TrackedRun(MlflowClient().create_run(experiment_id, run_name=name, tags=tags).info.run_id)
        if given is not None:
            params = given.data.params
            point_from(given, run.run_id, name, experiment_id)
    with _ended_by_faults(run, run.end):
        if settings is not None:
            flat = settings.flat()
            params = params | {name: in_words(flat[name]) for name in (*varied, "seed")}
            run.client.log_dict(run.run_id, flat, SETTINGS)
        run.client.log_batch(run.run_id, params=[Param(name, value) for name, value in params.items()])
    return run


def traceback_is_kept(error: Exception) -> bool:
    """Whether failure.txt of a run tells where an error has come from."""
    return _KEPT in getattr(error, "__notes__", ())


@contextmanager
def working_on(run: TrackedRun) -> Iterator[None]:
    """Work on a run in this process, with system metrics where there is a GPU.

    Those of a CPU are of the whole machine, which other runs share, and the page shows them above all scores.

    The run ends as FINISHED, or, where an exception leaves the block, with the reason as a tag as FAILED, or as KILLED
    if it was stopped from outside.
    """
    mlflow.start_run(run_id=run.run_id, nested=True, log_system_metrics=torch.cuda.is_available())
    with _ended_by_faults(run, mlflow.end_run):
        with send_heartbeats(run):
            yield
        if "failure" in run.client.get_run(run.run_id).data.tags:  # it was taken for dead, as after a long sleep
            run.client.delete_tag(run.run_id, "failure")
    mlflow.end_run()


@contextmanager
def _ended_by_faults(run: TrackedRun, end: Callable[[str], None]) -> Iterator[None]:
    """End a run with its reason where an exception leaves the block, and the store takes it."""
    try:
        yield
    except BaseException as error:
        with few_retries():  # what is at fault may be the store
            with suppress(Exception):
                run.set_tags({"failure": reason_of(error)[:5000]})
            with suppress(Exception):
                end(status_after(error))
        raise
