"""Which runs a report is about."""

from __future__ import annotations

from ablations.__main__ import ABLATIONS
from reports.gathered import ablation_of
from study import tracking
from study.errors import StudyError
from study.tracking import StoredRun


def chosen_runs(name: str, run_ids: str, dataset: str, experiment_id: str) -> list[str]:
    """Ids of the runs that the report `name` is about; it is also logged to them.

    Parameters
    ----------
    name : str
    run_ids : str
        Joined by commas. Empty: of each ablation the newest launch on the data set.
    dataset : str
        Empty: that of the newest launch.
    experiment_id : str

    Raises
    ------
    StudyError
        If there is no such run, or it is of a kind that the report is not about.
    """
    ids = list(dict.fromkeys(part.strip() for part in run_ids.split(",") if part.strip()))
    if name.startswith("wnet_"):
        return _launches(ids) if ids else newest_launches(experiment_id, dataset)
    if dataset:
        raise StudyError(f"--dataset chooses launches for wnet_tables and wnet_figures; {name} takes --run_ids")
    runs = [tracking.stored_run(run_id) for run_id in ids]
    if name == "run_card":
        if len(runs) != 1:
            raise StudyError(f"run_card takes one run, by --run_ids ID, not {len(runs)}")
        if _is_launch(runs[0]):
            raise StudyError(
                f"--run_ids: run {ids[0]} is the launch of an ablation; run_card takes one of the runs below it, and "
                "compare all of them"
            )
    elif sum(len(tracking.children_of(run)) if _is_launch(run) else 1 for run in runs) < 2:
        raise StudyError(
            "compare takes two or more runs, by --run_ids ID,ID; the parent of an ablation stands for its own"
        )
    return ids


def _is_launch(run: StoredRun) -> bool:
    return run.parent_id is None and "control" in run.tags


def _launches(ids: list[str]) -> list[str]:
    for run_id in ids:
        ablation_of(tracking.stored_run(run_id))
    return ids


def newest_launches(experiment_id: str, dataset: str = "") -> list[str]:
    """Of each ablation the newest launch that has finished, or else the newest.

    Raises
    ------
    StudyError
        If there is no launch at all, or none on that data set.
    """
    there = [run for run in tracking.launches(experiment_id) if run.tags.get("ablation") in ABLATIONS]
    if not there:
        raise StudyError(
            f"{tracking.current_store()} holds no launch of an ablation: start one with python -m ablations all, or "
            "name another store by MLFLOW_TRACKING_URI"
        )
    dataset = dataset or there[0].tags["dataset"]
    of_dataset = [run for run in there if run.tags["dataset"] == dataset]
    if not of_dataset:
        known = ", ".join(sorted({run.tags["dataset"] for run in there}))
        raise StudyError(f"--dataset {dataset}: no launch of an ablation is on it; there are some on {known}")
    chosen = []
    for name in ABLATIONS:
        own = [run for run in of_dataset if run.tags["ablation"] == name]
        finished = [run for run in own if run.state == "FINISHED"]
        chosen += [run.run_id for run in (finished or own)[:1]]
    return chosen
