"""Which reports are made, and which runs they are about."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from ablations import find_ablations
from reports.blocks.launch_results import ablation_of
from reports.build.names import about_launches
from study import tracking
from study.errors import StudyError

CLAIMS = "claims"  # the page of all claims, which is made where it is named only


def pages_of_launches() -> dict[str, tuple[str, ...]]:
    """Names of the reports about launches -> the ablations that they show, `SHOWS` of the module of the page."""
    return {name: import_module(f"reports.pages.{name}").SHOWS for name in about_launches()}


def chosen_reports(names: Sequence[str], run_ids: str, dataset: str) -> dict[str, list[str]]:
    """Reports with the ids of the runs that they are about, and that they are logged to.

    Parameters
    ----------
    names : sequence of str
        Empty: all reports about the launches that are given, or else chosen; `compare` shows those that no other
        report does.
    run_ids : str
        Joined by commas; of launches each report takes those that it shows. Empty: of each ablation the newest launch
        on the data set, in any experiment; `claims` takes the newest on any data set.
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
    if names:
        chosen = {name: _runs(name, ids, dataset) for name in names}
    else:
        ids = ids or newest_launches(dataset)
        chosen = _reports_about(ids)
    for run_id in ids:
        if not any(run_id in of_report for of_report in chosen.values()):
            name = ablation_of(tracking.stored_run(run_id))
            raise StudyError(
                f"--run_ids: run {run_id} is a launch of the ablation {name!r}, which {', '.join(names)} does not show"
            )
    return chosen


def _reports_about(launches: Sequence[str]) -> dict[str, list[str]]:
    """All reports that show some of the launches, with the ids of these."""
    ablations = {run_id: ablation_of(tracking.stored_run(run_id)) for run_id in launches}
    chosen = {
        name: [run_id for run_id in launches if ablations[run_id] in shown]
        for name, shown in pages_of_launches().items()
    }
    without_page = [run_id for run_id in launches if not any(run_id in ids for ids in chosen.values())]
    return {name: ids for name, ids in {**chosen, "compare": without_page}.items() if ids}


def _runs(name: str, ids: list[str], dataset: str) -> list[str]:
    """The runs of one report."""
    pages = pages_of_launches()
    if name in pages:
        if not ids:
            return newest_launches(dataset, pages[name])
        shown = [run_id for run_id in ids if ablation_of(tracking.stored_run(run_id)) in pages[name]]
        if not shown:
            raise StudyError(f"--run_ids names no launch that {name} shows: it is about {', '.join(pages[name])}")
        return shown
    if name == CLAIMS:
        return ids or newest_launches(dataset, any_dataset=not dataset)
    if dataset:
        raise StudyError(f"--dataset chooses launches for {', '.join(pages)}; {name} takes --run_ids")
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


def newest_launches(dataset: str = "", of: Sequence[str] = (), *, any_dataset: bool = False) -> list[str]:
    """The newest finished launch of each of some ablations, or else the newest, in any experiment; of all by default.

    They are on the data set, by default that of the newest of all, or with `any_dataset` each on its own. Raises
    StudyError if there is no launch at all, or none on that data set.
    """
    of = of or list(find_ablations())
    what, start = ("an ablation", "all") if len(of) > 1 else (f"the ablation {of[0]}", of[0])
    there = [run for run in tracking.launches() if run.tags.get("ablation") in of]
    if not there:
        raise StudyError(
            f"{tracking.current_store()} holds no launch of {what}: start one with python -m ablations {start}, or "
            "name another store by MLFLOW_TRACKING_URI"
        )
    dataset = dataset or there[0].tags["dataset"]
    of_dataset = [run for run in there if any_dataset or run.tags["dataset"] == dataset]
    if not of_dataset:
        known = ", ".join(sorted({run.tags["dataset"] for run in there}))
        raise StudyError(f"--dataset {dataset}: no launch of {what} is on it; there are some on {known}")
    of_dataset.sort(key=lambda run: run.state != "FINISHED")
    newest = {run.tags["ablation"]: run.run_id for run in reversed(of_dataset)}
    return [newest[name] for name in of if name in newest]
