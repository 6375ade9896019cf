"""The description of the experiment: what its page says before a click."""

from __future__ import annotations

from mlflow import MlflowClient

from study.tracking.reading import StoredRun, launches
from study.tracking.store import set_experiment_tag

_NOTE, _KIND = "mlflow.note.content", "mlflow.experimentKind"  # tags of an experiment
_ABOUT = "Studies of instance segmentation by pixel embeddings: a parent run for each question, below it its runs."
_SHOWN = 20  # questions


def describe_experiment(experiment_id: str) -> None:
    """Describe an experiment by the newest answer to each of its questions, unless a user has described it."""
    tags = MlflowClient().get_experiment(experiment_id).tags
    if not tags.get(_NOTE, _ABOUT).startswith(_ABOUT):
        return
    newest: dict[str, StoredRun] = {}
    for launch in launches():
        if launch.experiment_id == experiment_id:
            newest.setdefault(launch.tags.get("ablation", launch.name), launch)
    lines = [_line(launch, tags) for launch in list(newest.values())[:_SHOWN]]
    set_experiment_tag(experiment_id, _NOTE, "\n".join([_ABOUT, "", *lines]))
    if _KIND not in tags:  # else the page takes the runs for those of chat models
        set_experiment_tag(experiment_id, _KIND, "custom_model_development")


def _line(launch: StoredRun, tags: dict[str, str]) -> str:
    """What a launch has found, with links to its page, its scores and its pictures."""
    runs, kind = f"#/experiments/{launch.experiment_id}/runs", "workflowType=machine_learning"
    line = f"- [{launch.name}]({runs}/{launch.run_id}?{kind}): {launch.note.partition(chr(10))[0]}"
    view = launch.tags.get("ablation", "")
    if f"mlflow.sharedViewState.{view}" not in tags:
        return line
    page = f"{runs}?viewStateShareKey={view}&{kind}"
    return f"{line} ([scores]({page}), [pictures and curves]({page}&compareRunsMode=CHART))"
