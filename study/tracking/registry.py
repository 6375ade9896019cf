"""Registered models: a folder of files becomes a version of a model with an alias, and is fetched again."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import mlflow
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from study.errors import StudyError, first_line
from study.files import given_path
from study.tracking.requirements import CODE, requirements
from study.tracking.store import add_shared, current_store

MODEL_FOLDER = "segmenter"
FILES = Path("data") / MODEL_FOLDER  # where MLflow puts a folder of that name
_SERVED_BY = "study.deploy.serve"  # module that MLflow loads the files with, in place of a pickled object


class About(NamedTuple):
    """What the pages of MLflow tell of a model.

    Attributes
    ----------
    title : str
        Name among the models of an experiment, where each version has a row.
    family : str
        Description of all versions, in Markdown; kept where there is one already.
    note : str
        Description of the version, in Markdown.
    tags, params : mapping of str
        Of the version, and of its row.
    metrics : sequence of str
        Those of the run that its row shows, beside the data set.
    """

    title: str
    family: str
    note: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Sequence[str]


def register_model(folder: Path, run_id: str, name: str, alias: str, about: About) -> int:
    """Register the files of a folder as the next version of the model `name`; gives the version.

    With them go the code of the study and the list of the packages that it needs, so that MLflow can load and serve the
    model where the study is not installed.

    Parameters
    ----------
    folder : Path
        Named `MODEL_FOLDER`, see `study.deploy.package`.
    run_id : str
        The run that it comes from; its page links to the model.
    name : str
    alias : str
        Moved here from any version that has it.
    about : About

    Raises
    ------
    StudyError
        If the store refuses the name or the alias.
    """
    signature = ModelSignature(
        inputs=Schema([ColSpec(AnyType(), "image")]), outputs=Schema([ColSpec(AnyType(), "labels")])
    )
    client = MlflowClient()
    try:
        experiment_id = client.get_run(run_id).info.experiment_id
        title = re.sub(r"[/:%\"']", "-", about.title).replace(".", ",")  # characters that MLflow refuses
        scores = _last_points(client, run_id, about.metrics)
        logged = client.create_logged_model(experiment_id, title, run_id, dict(about.tags), dict(about.params))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's, of its own type hints
            info = Model.log(
                artifact_path=None,
                flavor=mlflow.pyfunc,
                name=title,
                model_id=logged.model_id,
                run_id=run_id,
                registered_model_name=name,
                loader_module=_SERVED_BY,
                data_path=str(folder),
                signature=signature,
                code_paths=[str(CODE)],
                pip_requirements=requirements(),
                # MLflow lets all metrics of a step be those of the model: of this one there are none
                step=1 + max((point.step for point in scores), default=0),
            )
        _link(client, run_id, logged.model_id, scores)
        version = info.registered_model_version
        assert version is not None  # as a name was given
        add_shared(lambda: client.set_registered_model_alias(name, alias, str(version)))
        client.update_model_version(name, str(version), about.note)
        if not client.get_registered_model(name).description:
            client.update_registered_model(name, about.family)
        for key, value in about.tags.items():
            client.set_model_version_tag(name, str(version), key, value)
    except MlflowException as error:
        raise StudyError(f"{current_store()} refuses to register {name!r} as {alias!r}: {error.message}") from error
    return version


def _last_points(client: MlflowClient, run_id: str, names: Sequence[str]) -> list[Metric]:
    """The last value of metrics of a run."""
    return [max(client.get_metric_history(run_id, name), key=lambda m: (m.step, m.timestamp)) for name in names]


def _link(client: MlflowClient, run_id: str, model_id: str, scores: Sequence[Metric]) -> None:
    """Let scores of a run be those of a model on the data set of the run; for the run itself they stay as they are."""
    inputs = client.get_run(run_id).inputs
    given = inputs.dataset_inputs if inputs else []
    dataset = {"dataset_name": given[0].dataset.name, "dataset_digest": given[0].dataset.digest} if given else {}
    linked = [Metric(m.key, m.value, m.timestamp, m.step, model_id, run_id=run_id, **dataset) for m in scores]
    client.log_batch(run_id, metrics=linked)


def fetch_model(uri: str) -> Path:
    """The folder with the files of a model, downloaded where it is not on this machine.

    Parameters
    ----------
    uri : str
        `models:/name@alias`, `models:/name/version`, or a folder.

    Raises
    ------
    StudyError
        If there is no such model, or it was not registered by `register_model`.
    """
    try:
        if given_path(uri).is_dir():
            model = given_path(uri)
        elif uri.startswith("models:/"):
            model = Path(download_artifacts(artifact_uri=uri))
        else:
            raise FileNotFoundError(uri)
    except (MlflowException, OSError) as error:
        if place := _place_of(uri):
            raise StudyError(
                f"the files of the model {uri!r} cannot be read: they should be in {place}; move them back, or promote "
                f"its run again ({first_line(error)})"
            ) from error
        raise StudyError(
            f"there is no model {uri!r} in {current_store()}: take a name such as models:/NAME@best from the page "
            "Models, or register a run by python -m study promote"
        ) from error
    return model / FILES if (model / FILES).is_dir() else model


def _place_of(uri: str) -> str:
    """Where the files of a model should be that the store knows; empty for all others."""
    name, at, alias = uri.removeprefix("models:/").partition("@")
    name, _, version = (name, "", "") if at else name.rpartition("/")
    client = MlflowClient()
    try:
        version = client.get_model_version_by_alias(name, alias).version if at else version
        return client.get_model_version_download_uri(name, str(version))
    except MlflowException:
        return ""
