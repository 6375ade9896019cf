"""Other software beside the variants of a launch: label images that were imported for the same test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from reports.blocks.launch_results import LaunchResults
from study import tracking
from study.ablation.design import Ablation
from study.ablation.statistics import summarize
from study.errors import StudyError
from study.runs.job import Result


@dataclass(frozen=True)
class Competitor:
    """Other software, and what it found.

    Attributes
    ----------
    name : str
    run_id : str
        Of its import.
    foreground : str
        Rule under which its labels were scored: truth or none.
    result : Result
        Its variant is `{"system": name + " (imported)"}`.
    """

    name: str
    run_id: str
    foreground: str
    result: Result


def competitors_of(launch: LaunchResults) -> tuple[list[Competitor], list[str]]:
    """Imports on the test images of a launch, by name, and in sentences which of them cannot be read."""
    found: list[Competitor] = []
    missing: list[str] = []
    digest = launch.parent.tags.get("data_digest", "")
    runs = tracking.imported_runs(digest) if digest else []
    for run in sorted(runs, key=lambda run: run.tags["imported"].lower()):
        name = run.tags["imported"]
        try:
            table, pictures = tracking.stored_scores(run.run_id, "test")
            result = Result({"system": f"{name} (imported)"}, 0, table, pictures)
            found.append(Competitor(name, run.run_id, run.tags.get("foreground", "unknown"), result))
        except StudyError as error:
            missing.append(f"{name} (imported): {error}")
    return found, missing


def competitor_table(launch: LaunchResults, competitors: Sequence[Competitor]) -> pd.DataFrame:
    """Rows of competitors as `summarize` gives them; their differences are to the control of the launch.

    Labels have no seed: they are compared with the control of each seed, and the columns `seeds` and
    `{score}_seeds` are empty.
    """
    if not competitors:
        return pd.DataFrame()
    ablation = launch.ablation
    control = launch.of(ablation.control)
    seeds = [result.seed for result in control] or [0]
    own = [replace(competitor.result, seed=seed) for competitor in competitors for seed in seeds]
    names = [competitor.result.variant["system"] for competitor in competitors]
    compared = Ablation(
        "others", ablation.question, {"system": names}, ablation.control, extra_variants=[ablation.control]
    )
    table = summarize(compared, [*control, *own])
    table = table[table["system"].isin(names)].drop(columns="seeds")
    lists = [name for name in table if str(name).endswith("_seeds") and name != "paired_seeds"]
    return table.assign(**{name: [[] for _ in names] for name in lists})


def in_words(competitors: Sequence[Competitor]) -> str:
    """A sentence for captions; empty without competitors."""
    if not competitors:
        return ""
    named = ", ".join(f"{competitor.name} (foreground: {competitor.foreground})" for competitor in competitors)
    return f" Imported labels of other software on the same images: {named}."
