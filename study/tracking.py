"""The only module that knows MLflow."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import numpy as np
import pandas as pd
import torch
from git import Repo
from git.exc import GitError
from mlflow import MlflowClient
from mlflow.artifacts import load_dict
from mlflow.entities import Dataset as DatasetEntity
from mlflow.entities import DatasetInput, Experiment, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, get_model_info
from mlflow.pytorch import load_model, log_model
from mlflow.tracking.context.registry import resolve_tags
from mlflow.types import Schema, TensorSpec
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from sqlalchemy.engine import make_url
from torch import Tensor, nn

from study import __version__
from study.config import Settings
from study.errors import StudyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DEFAULT_STORE = "sqlite:///mlflow.db"
DEFAULT_EXPERIMENT = "pixel-embeddings"
_SETTINGS, _MODEL = "settings.json", "model"


def connect() -> str:
    """Choose the store and the experiment, and make sure that both answer.

    `MLFLOW_TRACKING_URI` and the experiment that `mlflow run` or the environment names win over the defaults, a SQLite
    file in the working folder.

    Returns
    -------
    str
        Id of the experiment.

    Raises
    ------
    StudyError
        If the store does not answer or cannot be written, or the experiment is deleted.
    """
    store = os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_STORE
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    use_store(store)
    try:
        _refuse_unusable_file(store)
        experiment = _experiment(MlflowClient())
        if is_local_uri(experiment.artifact_location):
            Path(local_file_uri_to_path(experiment.artifact_location)).mkdir(parents=True, exist_ok=True)
    except Exception as error:  # each kind of store raises its own
        reason = str(error).strip().splitlines()[0][:200]
        raise StudyError(
            f"the MLflow store {store} does not answer ({reason}): start the server, or mend MLFLOW_TRACKING_URI"
        ) from error
    if experiment.lifecycle_stage != "active":
        raise StudyError(
            f"the MLflow experiment {experiment.name!r} is deleted: restore it, or name another by "
            "MLFLOW_EXPERIMENT_NAME"
        )
    return experiment.experiment_id


def _refuse_unusable_file(store: str) -> None:
    """Open a SQLite store for writing, for which MLflow would try minutes long."""
    if store.startswith("sqlite:") and (file := make_url(store).database):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file, timeout=30)) as base:
            base.execute("BEGIN IMMEDIATE")


def _experiment(client: MlflowClient) -> Experiment:
    """The experiment that `mlflow run`, the environment or the default names; made if it is not there."""
    if run_id := os.environ.get("MLFLOW_RUN_ID"):
        return client.get_experiment(client.get_run(run_id).info.experiment_id)
    if experiment_id := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return client.get_experiment(experiment_id)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    return client.get_experiment_by_name(name) or client.get_experiment(client.create_experiment(name))


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
    """

    def __init__(self, run_id: str):
        self.run_id = run_id
        self.client = MlflowClient()

    def set_tags(self, tags: dict[str, Any]) -> None:
        """Set tags; values become text."""
        self.client.log_batch(self.run_id, tags=[RunTag(k, str(v)) for k, v in tags.items()])

    def set_note(self, text: str) -> None:
        """Set the description on the page, in Markdown."""
        self.client.set_tag(self.run_id, "mlflow.note.content", text)

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
        """Log a (M, N, 3) uint8 picture that the page shows with a slider over the steps."""
        allowed = re.sub(r"[^\w\-./ ]", "_", key, flags=re.ASCII)  # MLflow refuses other characters
        self.client.log_image(self.run_id, picture, key=allowed, step=step)

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

    def log_dataset(self, name: str, digest: str, source: str, profile: dict[str, int]) -> None:
        """Log which data the run reads: its digest, where it is from, and images per split."""
        entity = DatasetEntity(name, digest, "local", json.dumps({"uri": source}), profile=json.dumps(profile))
        self.client.log_inputs(
            self.run_id, [DatasetInput(entity, [InputTag("mlflow.data.context", "train, val, test")])]
        )

    def log_network(self, network: nn.Module, settings: Settings, channels: int) -> None:
        """Log the network as an exported program with its signature; weights are read back from it.

        The program takes standardised images (B, C, M, N), M and N multiples of 2 to the depth, and gives
        (B, 1 + E, M, N): distance map and embedding.
        """
        side = 4 * 2**settings.network.depth  # smaller examples freeze the size in the program
        images = np.zeros((2, channels, side, side), np.float32)
        kind = np.dtype("float32")
        signature = ModelSignature(
            inputs=Schema([TensorSpec(kind, (-1, channels, -1, -1))]),
            outputs=Schema([TensorSpec(kind, (-1, 1 + settings.network.embedding_dim, -1, -1))]),
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch.export, on its own internals
            log_model(
                _Stacked(network).cpu().eval(),
                name=_MODEL,
                signature=signature,
                input_example=(images,),
                pip_requirements=[f"torch=={torch.__version__.split('+')[0]}"],
                serialization_format="pt2",
            )

    def end(self, status: str, reason: str = "") -> None:
        """Mark the run FINISHED, FAILED or KILLED, with the reason as a tag."""
        if reason:
            self.set_tags({"failure": reason[:5000]})
        self.client.set_terminated(self.run_id, status)

    def end_children(self, status: str, reason: str) -> None:
        """End the runs below this one that their worker has not ended, because it died."""
        experiment_id = self.client.get_run(self.run_id).info.experiment_id
        running = f"tags.`mlflow.parentRunId` = '{self.run_id}' and attributes.status = 'RUNNING'"
        for run in self.client.search_runs([experiment_id], running):
            TrackedRun(run.info.run_id).end(status, reason)


class _Stacked(nn.Module):
    """A network whose distance map and embedding are one tensor, as a model server wants it."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        maps = self.network(images)
        return torch.cat([maps.distance, maps.embedding], dim=1)


def start_run(
    experiment_id: str,
    name: str,
    note: str,
    tags: dict[str, Any],
    settings: Settings | None = None,
    parent_id: str | None = None,
) -> TrackedRun:
    """A run of its own, or one below another.

    A run without parent is the one that `mlflow run` has made for this launch, where it has.

    Parameters
    ----------
    experiment_id : str
    name, note : str
        Name and description on the MLflow page.
    tags : dict
    settings : Settings, optional
        Logged as params, and whole as `settings.json`. The parent of an ablation has none: `mlflow run` has logged
        its own options as params before.
    parent_id : str, optional
    """
    own = {"mlflow.runName": name, "mlflow.note.content": note, **_code_state(), **tags}
    given = os.environ.pop("MLFLOW_RUN_ID", None)  # a worker inherits that of its launch, and must not use it
    run_id = given if parent_id is None else None
    if parent_id is not None:
        own["mlflow.parentRunId"] = parent_id
    if run_id is None:
        run_id = MlflowClient().create_run(experiment_id, run_name=name, tags=resolve_tags()).info.run_id
    run = TrackedRun(run_id)
    run.set_tags(own)
    if settings is not None:
        flat = settings.flat()
        run.client.log_batch(run_id, params=[Param(k, str(v)) for k, v in flat.items() if k != "data.root"])
        run.client.log_dict(run_id, flat, _SETTINGS)
    return run


@lru_cache(maxsize=1)
def _code_state() -> dict[str, str]:
    """Version and commit of the study, and whether its checkout held changes that no commit has."""
    tags = {"study_version": __version__}
    try:
        with Repo(Path(__file__).parent, search_parent_directories=True) as checkout:
            tags["mlflow.source.git.commit"] = checkout.head.commit.hexsha
            tags["git_uncommitted_changes"] = str(checkout.is_dirty())
    except (GitError, OSError, ValueError):
        pass  # not in a checkout, or in one without commits
    return tags


@contextmanager
def working_on(run: TrackedRun) -> Iterator[None]:
    """Work on a run in this process, with system metrics.

    The run ends as FINISHED, or as FAILED with the reason as a tag where an exception leaves the block.
    """
    with mlflow.start_run(run_id=run.run_id, nested=True, log_system_metrics=True):
        try:
            yield
        except BaseException as error:
            reason = str(error) if isinstance(error, StudyError) else f"{type(error).__name__}: {error}"
            run.set_tags({"failure": reason[:5000]})
            raise


def use_store(store: str) -> None:
    """Let MLflow write to `store`, and say only what matters."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    mlflow.set_tracking_uri(store)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def current_store() -> str:
    """Address of the store in use."""
    return mlflow.get_tracking_uri()


def share_view(experiment_id: str, ablation: str, columns: Sequence[str]) -> str:
    """Keep a view of the runs of an ablation with the scores and `columns` (dotted names) as columns of the table.

    The page's own format, which MLflow does not document: a version that reads it otherwise shows its default table.

    Returns
    -------
    str
        How to open it: a command where the store is a file, and the address.
    """
    scores = [f"metrics.`{name}`" for name in ("test/sbd", "test/sbd_legacy", "test/abs_dic", "test/map")]
    view = {
        "searchFilter": f"tags.ablation = '{ablation}'",
        "selectedColumns": [*scores, *(f"params.`{name}`" for name in columns), "params.`seed`"],
        "orderByKey": scores[0],  # sorted by a metric, children stand in the table like their parent
        "orderByAsc": False,
    }
    MlflowClient().set_experiment_tag(experiment_id, f"mlflow.sharedViewState.{ablation}", json.dumps(view))
    page = f"#/experiments/{experiment_id}/runs?viewStateShareKey={ablation}&workflowType=machine_learning"
    store = current_store()
    if store.startswith("http"):
        return f"{store}/{page}"
    return f"mlflow ui --backend-store-uri {store}\nhttp://127.0.0.1:5000/{page}"


def load_run(run_id: str) -> tuple[Settings, int, dict[str, Tensor]]:
    """Settings, image channels and weights of a finished run.

    Raises
    ------
    StudyError
        If there is no such run, or it keeps no network.
    """
    try:
        MlflowClient().get_run(run_id)
    except MlflowException as error:
        raise StudyError(
            f"there is no run {run_id!r} in {current_store()}: copy its id from the MLflow page"
        ) from error
    try:
        program = load_model(f"runs:/{run_id}/{_MODEL}")
        signature = get_model_info(f"runs:/{run_id}/{_MODEL}").signature
        settings = Settings().with_(load_dict(f"runs:/{run_id}/{_SETTINGS}"))
    except (MlflowException, OSError) as error:
        raise StudyError(
            f"run {run_id} keeps no network: only finished runs of a single training do, not the parent of an ablation"
        ) from error
    channels = signature.inputs.inputs[0].shape[1]
    return settings, channels, {name.removeprefix("network."): w for name, w in program.state_dict().items()}
