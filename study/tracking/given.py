"""The run that `mlflow run` makes for the program that it starts, and ends when that has ended."""

from __future__ import annotations

from contextlib import suppress

from mlflow import MlflowClient
from mlflow.entities import Run, RunTag
from mlflow.exceptions import MlflowException

from study.data.files.names import printable
from study.errors import StudyError
from study.process import take_given_run
from study.tracking.store import connect

_OF_PROJECT = ("mlflow.project.", "mlflow.source.", "mlflow.git")  # begins of the tags that `mlflow run` sets


def name_given_run(name: str, note: str) -> None:
    """Name and describe it, where there is one, and take it."""
    if (given := take_given_run()) is not None:
        _describe(given, printable(name), printable(note))


def tell_given_run(fault: str) -> None:
    """Let it say why the program fails, where there is one that nothing else has taken, and the store answers."""
    if (given := take_given_run()) is None:
        return
    with suppress(StudyError, MlflowException):
        connect()
        tags = {"failure": printable(fault)[:5000], "mlflow.note.content": printable(fault)}
        MlflowClient().log_batch(given, tags=[RunTag(name, value) for name, value in tags.items()])


def source_of(given: Run) -> dict[str, str]:
    """Its tags that say which project and entry point was started."""
    return {name: value for name, value in given.data.tags.items() if name.startswith(_OF_PROJECT)}


def point_from(given: Run, run_id: str, name: str, experiment_id: str) -> None:
    """Let its page say where the runs of the program are: from the run `name` on, in another experiment."""
    experiment = MlflowClient().get_experiment(experiment_id).name
    runs, kind = f"#/experiments/{experiment_id}/runs", "?workflowType=machine_learning"  # else pages of chat models
    note = (
        f"The runs of this launch are in the experiment [{experiment}]({runs}{kind}), the first one "
        f"is [{name}]({runs}/{run_id}{kind}) ({run_id})."
    )
    _describe(given.info.run_id, f"{name} (mlflow run)", note)


def _describe(run_id: str, name: str, note: str) -> None:
    MlflowClient().log_batch(run_id, tags=[RunTag("mlflow.runName", name), RunTag("mlflow.note.content", note)])
