"""Which reports are made, and which runs they are about."""

from __future__ import annotations

from collections.abc import Sequence

from ablations.__main__ import ABLATIONS, IN_ORDER, OF_PEA
from reports.blocks.launch_results import ablation_of
from study import tracking
from study.errors import StudyError

WNET = (*(ablation.name for ablation in IN_ORDER), "subsets")
REPORTS = {  # about launches -> the ablations that they show
    "wnet_tables": WNET,
    "wnet_figures": WNET,
    "chen_tables": ("neighbour_distance",),
    "loss_comparison": ("loss",),
    "systems": ("systems",),
    "pea_tables": tuple(ablation.name for ablation in OF_PEA),
    "em_tables": ("em",),
}


def chosen_reports(names: Sequence[str], run_ids: str, dataset: str) -> dict[str, list[str]]:
    """Reports with the ids of the runs that they are about, and that they are logged to.

    Parameters
    ----------
    names : sequence of str
        Empty: all reports about the launches that are given, or else chosen.
    run_ids : str
        Joined by commas; of launches each report takes those that it shows. Empty: of each ablation the newest launch
        on the data set, in any experiment.
    dataset : str
        Empty: that of the newest launch.

    Raises
    ------
    StudyError
        If there is no such run, or it is of a kind that no report is about.
    """
    ids = list(dict.fromkeys(part.strip() for part in run_ids.split(",") if part.strip()))
    if dataset and ids:
        raise StudyError("--dataset chooses launches where --run_ids names none: give one of the two")
    if not names:
        ids = ids or newest_launches(dataset)
        given, dataset = {ablation_of(tracking.stored_run(run_id)) for run_id in ids}, ""
        names = [name for name, shown in REPORTS.items() if given & {*shown}]
    chosen = {name: _runs(name, ids, dataset) for name in names}
    for run_id in ids:
        if not any(run_id in of_report for of_report in chosen.values()):
            name = ablation_of(tracking.stored_run(run_id))
            raise StudyError(
                f"--run_ids: run {run_id} is a launch of the ablation {name!r}, which {', '.join(names)} does not show"
            )
    return chosen


def _runs(name: str, ids: list[str], dataset: str) -> list[str]:
    """The runs of one report."""
    if name in REPORTS:
        return _shown_launches(name, ids) if ids else newest_launches(dataset, REPORTS[name])
    if dataset:
        raise StudyError(f"--dataset chooses launches for {', '.join(REPORTS)}; {name} takes --run_ids")
    runs = [tracking.stored_run(run_id) for run_id in ids]
    if name == "run_card":
        if len(runs) != 1:
            raise StudyError(f"run_card takes one run, by --run_ids ID, not {len(runs)}")
        if runs[0].is_launch:
            raise StudyError(
                f"--run_ids: run {ids[0]} is the launch of an ablation; run_card takes one of the runs below it, and "
                "compare all of them"
            )
    elif sum(len(tracking.children_of(run)) if run.is_launch else 1 for run in runs) < 2:
        raise StudyError(
            "compare takes two or more runs, by --run_ids ID,ID; the parent of an ablation stands for its own"
        )
    return ids


def _shown_launches(name: str, ids: Sequence[str]) -> list[str]:
    """Those of the launches that a report shows, at least one."""
    shown = [run_id for run_id in ids if ablation_of(tracking.stored_run(run_id)) in REPORTS[name]]
    if not shown:
        raise StudyError(f"--run_ids names no launch that {name} shows: it is about {', '.join(REPORTS[name])}")
    return shown


def newest_launches(dataset: str = "", of: Sequence[str] = tuple(ABLATIONS)) -> list[str]:
    """Of each of some ablations the newest launch that has finished, or else the newest, in any experiment.

    Raises
    ------
    StudyError
        If there is no launch at all, or none on that data set.
    """
    what, start = ("an ablation", "all") if len(of) > 1 else (f"the ablation {of[0]}", of[0])
    there = [run for run in tracking.launches() if run.tags.get("ablation") in of]
    if not there:
        raise StudyError(
            f"{tracking.current_store()} holds no launch of {what}: start one with python -m ablations {start}, or "
            "name another store by MLFLOW_TRACKING_URI"
        )
    dataset = dataset or there[0].tags["dataset"]
    of_dataset = [run for run in there if run.tags["dataset"] == dataset]
    if not of_dataset:
        known = ", ".join(sorted({run.tags["dataset"] for run in there}))
        raise StudyError(f"--dataset {dataset}: no launch of {what} is on it; there are some on {known}")
    chosen = []
    for name in of:
        own = [run for run in of_dataset if run.tags["ablation"] == name]
        finished = [run for run in own if run.state == "FINISHED"]
        chosen += [run.run_id for run in (finished or own)[:1]]
    return chosen
