"""From a finished run to a registered model."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tqdm import tqdm

from study import tracking
from study.deploy.card import about_model, shown_metrics
from study.deploy.package import load_package, save_package
from study.deploy.program import PROGRAM, save_program
from study.deploy.segmenter import Segmenter
from study.errors import StudyError
from study.files import given_path
from study.metrics import headline
from study.runs.resources import rebuilt_network
from study.tracking import StoredRun


def promote(run_id: str, ablation: str, name: str, alias: str) -> None:
    """Register a run, or the best one of an ablation.

    Parameters
    ----------
    run_id : str
        A finished run; empty for the best one of an ablation.
    ablation : str
        Of its newest launch that run is taken which has the best headline score on validation data; test scores play
        no part.
    name : str
        Of the model; empty for `pixel-embedding-` and the name of the data set.
    alias : str

    Raises
    ------
    StudyError
        If not just one of `run_id` and `ablation` is given, or there is no such run, or it has no network.
    """
    if bool(run_id) == bool(ablation):
        raise StudyError("give either --run_id or --ablation: a run, or the ablation whose best run is taken")
    tracking.connect()
    run = tracking.stored_run(run_id) if run_id else best_run(ablation)
    trained = tracking.load_run(run.run_id)
    tracking.name_given_run(f"promote: {run.name}", f"Run {run.run_id} becomes a model.")
    name = name or re.sub(r"[^\w-]+", "-", f"pixel-embedding-{trained.settings.data.name}")
    facts = {key: run.tags[key] for key in ("dataset", "data_digest", "system", "study_version") if key in run.tags}
    facts |= {"run_id": run.run_id, "training_digest": trained.training_digest}
    facts |= {name: f"{run.metrics[name]:.4f}" for name in shown_metrics(run)}
    uri = f"models:/{name}@{alias}"
    about = about_model(run, trained.settings, trained.channels, uri, facts)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / tracking.MODEL_FOLDER
        settings = trained.settings
        if run.tags.get(f"{tracking.ASKED}training.precision") == "auto":  # on another device it is chosen anew
            settings = settings.with_({"training.precision": "auto"})
        save_package(folder, trained.weights, settings, trained.channels, facts)
        network = rebuilt_network(trained.weights, trained.channels, settings)
        save_program(folder / PROGRAM, network, settings, trained.channels)
        version = tracking.register_model(folder, run.run_id, name, alias, about)
    by = headline(run.metrics, "val/")
    value = run.metrics.get(f"val/{by.key}")
    score = "" if value is None else f", validation {by.label} {value:{by.form}}"
    place = f"{run.run_id}, experiment {tracking.experiment_of(run)}"
    tqdm.write(f"run {run.name} ({place}{score}) is version {version} of {name}: {uri}")
    if trained.settings.clustering.foreground == "truth":
        tqdm.write(
            "its thresholds were found inside of the true foreground; for images without a mask, first run python -m "
            f"study search_thresholds --run_id {run.run_id} --set clustering.foreground=predicted, and promote what "
            "that gives"
        )


def best_run(ablation: str) -> StoredRun:
    """The run with the best headline score on validation data of the newest launch of an ablation in any experiment.

    Of equals the first.

    Raises
    ------
    StudyError
        If the ablation has not been launched, or none of its runs has finished with validation scores.
    """
    launches = tracking.launches()
    newest = next((launch for launch in launches if launch.tags.get("ablation") == ablation), None)
    if newest is None:
        known = {launch.tags.get("ablation", "") for launch in launches}
        raise StudyError(
            f"no launch of ablation {ablation!r} in {tracking.current_store()}: "
            f"there are {', '.join(sorted(known)) or 'none: start one by python -m ablations NAME'}"
        )
    finished = [run for run in tracking.children_of(newest) if run.state == "FINISHED"]
    by = headline({name for run in finished for name in run.metrics}, "val/")
    runs = [run for run in finished if f"val/{by.key}" in run.metrics]
    if not runs:
        raise StudyError(f"no run of the newest launch of {ablation} has finished with validation scores")
    return max(runs, key=lambda run: by.sign * run.metrics[f"val/{by.key}"])


def load_model(uri: str, device: str = "auto") -> Segmenter:
    """A model from the registry, or from a folder; it runs no code that is stored with it.

    The store is that of `MLFLOW_TRACKING_URI`, or `mlflow.db` in the current folder. `uri` is as in
    `study.tracking.registry.fetch_model`, and `device` as in `training.device`. Errors are those of `load_package`.
    """
    if not given_path(uri).is_dir():
        tracking.connect()
    return load_package(tracking.fetch_model(uri), device)
