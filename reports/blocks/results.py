"""The results of the variants of a launch, and of other software next to them: a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, missing_columns, number, table_block, with_interval
from study import tracking
from study.ablation.design import Ablation
from study.ablation.statistics import ABOUT_INTERVALS, ABOUT_TRAININGS, interval_columns, summarize
from study.errors import StudyError
from study.figures.names import variant_label
from study.metrics import described, headline, score_of
from study.metrics.registry import DIFFERENCE, LEGACY, P_ADJUSTED, PAPER_THRESHOLDS, all_scores
from study.runs.job import Result, variant_name

COSTS = ("parameters", "training_seconds")
ABOUT_DIFFERENCES = (
    f"Small print: {ABOUT_INTERVALS}. Adjusted p: of the difference, by Holm over all variants; there is none with a "
    f"single seed. With several, {ABOUT_TRAININGS}."
)
ABOUT_THRESHOLDS = (
    " Without further words, thresholds are tuned, that is, searched on validation images; the paper's thresholds are "
    "those that it prints, or our reading of it."
)
_ABOUT = "Means over all images and seeds. Differences are taken image by image."


@dataclass(frozen=True)
class Competitor:
    """Other software, whose label images were imported for the test images of a launch."""

    name: str
    run_id: str  # of its import
    foreground: str  # rule under which its labels were scored: truth or none
    result: Result  # its variant is `{"system": name + " (imported)"}`


def competitors_of(launch: LaunchResults) -> tuple[list[Competitor], list[str]]:
    """Imports on the test images of a launch, by name, and in sentences which of them cannot be read."""
    read: list[Competitor] = []
    missing: list[str] = []
    digest = launch.parent.tags.get("data_digest", "")
    runs = tracking.imported_runs(digest) if digest else []
    for run in sorted(runs, key=lambda run: run.tags["imported"].lower()):
        name = run.tags["imported"]
        try:
            table, pictures = tracking.stored_scores(run.run_id, "test")
            result = Result({"system": f"{name} (imported)"}, 0, table, pictures)
            read.append(Competitor(name, run.run_id, run.tags.get("foreground", "unknown"), result))
        except StudyError as error:
            missing.append(f"{name} (imported): {error}")
    return read, missing


def _competitor_table(launch: LaunchResults, competitors: Sequence[Competitor]) -> pd.DataFrame:
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
    varied = {"system": names}
    compared = Ablation("others", ablation.question, varied, ablation.control, extra_variants=[ablation.control])
    table = summarize(compared, [*control, *own])
    table = table[table["system"].isin(names)].drop(columns="seeds")
    lists = [name for name in table if str(name).endswith("_seeds") and name != "paired_seeds"]
    return table.assign(**{name: [[] for _ in names] for name in lists})


def competitors_in_words(competitors: Sequence[Competitor]) -> str:
    """A sentence for captions; empty without competitors."""
    if not competitors:
        return ""
    named = ", ".join(f"{competitor.name} (foreground: {competitor.foreground})" for competitor in competitors)
    return f" Imported labels of other software on the same images: {named}."


def result_frame(
    launch: LaunchResults, competitors: Sequence[Competitor] = (), further: Sequence[str] = ()
) -> pd.DataFrame:
    """A row per variant of a launch, also where there is no result, and then one per competitor.

    `further` are scores whose means are wanted next to those of every answer, such as `ap_50`.

    Returns
    -------
    DataFrame
        `label`; the settings that variants name (NaN where one does not); the columns of `statistics.summarize`,
        but for those of single seeds; `further`; `parameters` of the network and `training_seconds`, means over seeds;
        `missing`, which tells in words which runs of the row there are no scores of. NaN where a value is unknown.
    """
    answer = {row["variant"]: row for row in figure_table(launch, competitors).to_dict("records")}
    shown = [(v, launch.of(v), launch.missing_of(v)) for v in launch.ablation.variants()]
    shown += [(other.result.variant, [other.result], "") for other in competitors]
    rows = []
    for variant, results, missing in shown:
        name = variant_name(variant)
        row = {**variant, "variant": name, **_means(results, further), **answer.get(name, {})}
        rows.append(row | _training_costs(launch, name) | {"label": variant_label(variant), "missing": missing})
    frame = pd.DataFrame(rows)
    named = ["label", *launch.ablation.names()]
    others = [name for name in frame if name not in (*named, "missing") and not str(name).endswith("_seeds")]
    compared = _compared(headline(frame).key).items()
    needed = [column for name, wide in compared for column in (interval_columns(name) if wide else [name])]
    return frame.reindex(columns=[*named, *dict.fromkeys((*others, *needed, *COSTS, *further)), "missing"])


def _compared(score: str) -> dict[str, bool]:
    """Columns of a score and of its differences to the control, and whether they have intervals."""
    columns = {score: True, f"{score}{PAPER_THRESHOLDS}": False}
    for name in tuple(columns):
        columns |= {f"{name}{DIFFERENCE}": True, f"{name}{P_ADJUSTED}": False}
    return columns


def _means(results: Sequence[Result], scores: Sequence[str]) -> dict[str, float]:
    """Means over seeds and images of those of the scores that there are."""
    if not results:
        return {}
    tables = pd.concat([result.table for result in results])
    return {score: float(np.mean(tables[score].to_numpy(float))) for score in scores if score in tables}


def _training_costs(launch: LaunchResults, name: str) -> dict[str, float]:
    """Means over the trainings of the variant of that name; NaN without any."""
    runs = pd.DataFrame([run.metrics for (of, _), run in launch.trainings.items() if of == name])
    return runs.reindex(columns=[f"perf/{cost}" for cost in COSTS]).astype(float).mean().set_axis(COSTS).to_dict()


def figure_table(launch: LaunchResults, competitors: Sequence[Competitor] = ()) -> pd.DataFrame:
    """What figures of scores are drawn from: rows of the launch's answer, and below them those of competitors."""
    tables = (launch.table, _competitor_table(launch, competitors))
    return pd.DataFrame([row for table in tables for row in table.to_dict("records")])


def shown_columns(frame: pd.DataFrame, further: Sequence[str] = ()) -> dict[str, bool]:
    """Columns of scores that a page shows, and whether with intervals.

    First those of the headline score with its differences to the control, then the other scores of summaries and the
    `further` ones in the order of the registry. What no row has a value of is left out.
    """
    first = headline(frame).key
    others = [score for score in all_scores() if (score.summary and score.group != LEGACY) or score.key in further]
    columns = _compared(first) | {score.key: False for score in others if score.key != first}
    return {name: wide for name, wide in columns.items() if name in frame and frame[name].notna().to_numpy().any()}


def result_table(
    frame: pd.DataFrame, labels: Sequence[Column], caption: str, controls: Sequence[int], further: Sequence[str] = ()
) -> Block:
    """A `result_frame` as a table.

    The columns `labels` name its rows, those of `controls` are shaded; `further` are scores and costs that are shown
    next to those of summaries.
    """
    shown = shown_columns(frame, further)
    columns = [*labels, *(score_column(frame, name, intervals=wide) for name, wide in shown.items())]
    meaning = described(score_of(name) for name in shown)
    tuned = ABOUT_THRESHOLDS if any(name.endswith(PAPER_THRESHOLDS) for name in shown) else ""
    about = f"{meaning}{'.' * bool(meaning)} {_ABOUT} {ABOUT_DIFFERENCES}{tuned}".strip()
    return table_block([*columns, *missing_columns(frame)], f"{caption} {about} Shaded: the control.", controls)


def difference_columns(frame: pd.DataFrame, group: str) -> list[Column]:
    """Differences in SBD to the control with their adjusted p values, also with the paper's thresholds where known."""
    columns = []
    for score in ("sbd", f"sbd{PAPER_THRESHOLDS}"):
        difference = f"{score}{DIFFERENCE}"
        if difference in frame and (score == "sbd" or frame[difference].notna().to_numpy().any()):
            columns.append(score_column(frame, difference, group, intervals=True))
            columns.append(score_column(frame, f"{score}{P_ADJUSTED}", group))
    return columns


def score_column(
    frame: pd.DataFrame, name: str, group: str = "", *, title: str = "", prefix: str = "", intervals: bool = False
) -> Column:
    """A column of scores, with `intervals` or without, as the registry has it written.

    `study.metrics.score_of` knows the name; `prefix` stands before it in the frame, such as ``printed_``. `group` and
    `title` stand in place of those of the registry.
    """
    score = score_of(name)
    if intervals:
        rows = frame[[*interval_columns(prefix + name)]].to_numpy(float)
        cells = [with_interval(value, low, high, score.form) for value, low, high in rows]
    else:
        cells = [number(value, score.form) for value in frame[prefix + name]]
    return Column(title or score.label, cells, group or score.group)
