"""Checkpoints in the store, by which a training goes on from where it was on another machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from tqdm import tqdm

from study.errors import first_line
from study.files import write_atomically
from study.tracking.artifacts import delete, fetch, list_files
from study.tracking.run import TrackedRun
from study.tracking.store import active_experiments

_FOLDER = "checkpoint"
_STEP = "checkpoint_step"  # tag of the run: steps of its newest checkpoint that is whole
_KEPT = 2


def keep_checkpoint(run: TrackedRun, file: Path, step: int) -> None:
    """Keep a checkpoint after so many steps with the run that shows the training, and of older ones the newest."""
    with tempfile.TemporaryDirectory() as folder:
        named = Path(folder) / f"{step}.pt"
        shutil.copyfile(file, named)
        run.client.log_artifact(run.run_id, str(named), _FOLDER)
    run.set_tags({_STEP: step})
    for path in sorted(_paths(run.run_id), key=_step_of)[:-_KEPT]:
        delete(run.run_id, path)


def fetch_checkpoint(training_digest: str, file: Path, *, beyond: int, launch: str = "") -> int:
    """Copy the newest checkpoint of a training to a file, if it has more than so many steps.

    Parameters
    ----------
    training_digest : str
    file : Path
    beyond : int
        Steps of the checkpoint that is there already.
    launch : str
        Parent run; only checkpoints of runs below it are taken. Empty: those of any launch.

    Returns
    -------
    int
        Steps of the checkpoint in the file.
    """
    runs = [run for run in _runs(training_digest) if not launch or run.data.tags.get("launch") == launch]
    newest = max(runs, key=lambda run: int(run.data.tags[_STEP]), default=None)
    if newest is None or (step := int(newest.data.tags[_STEP])) <= beyond:
        return beyond
    with tempfile.TemporaryDirectory() as folder, write_atomically(file) as partial:
        shutil.copyfile(fetch(newest.info.run_id, f"{_FOLDER}/{step}.pt", folder), partial)
    return step


def drop_checkpoints(training_digest: str) -> None:
    """Delete the checkpoints of a training that has ended, where the store can; else it is said."""
    for run in _runs(training_digest):
        try:
            delete(run.info.run_id, _FOLDER)
        except (MlflowException, OSError, NotImplementedError) as error:
            tqdm.write(f"the checkpoints of run {run.info.run_id} stay in the store ({first_line(error)})")
        MlflowClient().delete_tag(run.info.run_id, _STEP)


def _runs(training_digest: str) -> list[Run]:
    condition = f"tags.training_digest = '{training_digest}' and tags.{_STEP} != ''"
    return list(MlflowClient().search_runs(active_experiments(), condition))


def _paths(run_id: str) -> list[str]:
    return [item.path for item in list_files(run_id, _FOLDER)]


def _step_of(path: str) -> int:
    return int(Path(path).stem)
