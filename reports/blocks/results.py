"""What the variants of a launch found, and other software beside them: a row each."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.competitors import Competitor, competitor_table
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, table_block
from reports.blocks.tables import ABOUT_DIFFERENCES, ABOUT_THRESHOLDS, score_column
from study.ablation.statistics import interval_columns
from study.figures.names import variant_label
from study.metrics import described, headline, score_of
from study.metrics.registry import DIFFERENCE, LEGACY, P_ADJUSTED, PAPER_THRESHOLDS, all_scores
from study.runs.job import Result, variant_name

COSTS = ("parameters", "training_seconds")
_ABOUT = "Means over all images and seeds. Differences are taken image by image."


def shown_columns(frame: pd.DataFrame, further: Sequence[str] = ()) -> dict[str, bool]:
    """Columns of scores that a page shows, and whether with intervals.

    First those of the headline score with its differences to the control, then the other scores of summaries and the
    `further` ones in the order of the registry. What no row has a value of is left out.
    """
    first = headline(frame).key
    paper = f"{first}{PAPER_THRESHOLDS}"
    columns = {first: True, paper: False}
    for score in (first, paper):
        columns |= {f"{score}{DIFFERENCE}": True, f"{score}{P_ADJUSTED}": False}
    others = [score for score in all_scores() if (score.summary and score.group != LEGACY) or score.key in further]
    columns |= {score.key: False for score in others if score.key != first}
    return {name: wide for name, wide in columns.items() if name in frame and frame[name].notna().to_numpy().any()}


def result_frame(
    launch: LaunchResults, competitors: Sequence[Competitor] = (), further: Sequence[str] = ()
) -> pd.DataFrame:
    """A row per variant of a launch, also where there is no result, and then one per competitor.

    Parameters
    ----------
    launch : LaunchResults
    competitors : sequence of Competitor
    further : sequence of str
        Scores whose means are wanted beside those of every answer, such as `ap_50`.

    Returns
    -------
    DataFrame
        `label`; the settings that variants name (NaN where one does not); the columns of `statistics.summarize`,
        but for those of single seeds; `further`; `parameters` of the network and `training_seconds`, means over seeds;
        `missing`, which tells in words which runs of the row there are no scores of. NaN where a value is unknown.
    """
    found = {row["variant"]: row for row in figure_table(launch, competitors).to_dict("records")}
    rows = []
    for variant in launch.ablation.variants():
        name = variant_name(variant)
        row = {**variant, "variant": name, **_means(launch.of(variant), further), **found.get(name, {})}
        row |= _training_costs(launch, variant)
        rows.append(row | {"label": variant_label(variant), "missing": launch.missing_of(variant)})
    for result in (competitor.result for competitor in competitors):
        row = _means([result], further) | found[variant_name(result.variant)]
        rows.append(row | {"label": variant_label(result.variant), "missing": ""})
    frame = pd.DataFrame(rows)
    named = ["label", *launch.ablation.names()]
    others = [name for name in frame if name not in (*named, "missing") and not str(name).endswith("_seeds")]
    first = headline(frame).key
    compared = [first, f"{first}{PAPER_THRESHOLDS}"]
    compared += [f"{score}{DIFFERENCE}" for score in compared]
    adjusted = [name.replace(DIFFERENCE, P_ADJUSTED) for name in compared[2:]]
    needed = [*(column for name in compared for column in interval_columns(name)), *adjusted]
    wanted = dict.fromkeys((*others, *needed, *COSTS, *further))
    return frame.reindex(columns=[*named, *wanted, "missing"])


def _means(results: Sequence[Result], scores: Sequence[str]) -> dict[str, float]:
    """Means over seeds and images of those of the scores that there are."""
    if not results:
        return {}
    tables = pd.concat([result.table for result in results])
    return {score: float(np.mean(tables[score].to_numpy(float))) for score in scores if score in tables}


def _training_costs(launch: LaunchResults, variant: dict[str, Any]) -> dict[str, float]:
    name = variant_name(variant)
    runs = [run for (of, _), run in launch.trainings.items() if of == name]
    costs = {}
    for cost in COSTS:
        known = [run.metrics[f"perf/{cost}"] for run in runs if f"perf/{cost}" in run.metrics]
        costs[cost] = float(np.mean(known)) if known else np.nan
    return costs


def figure_table(launch: LaunchResults, competitors: Sequence[Competitor] = ()) -> pd.DataFrame:
    """What figures of scores are drawn from: rows of the launch's answer, and below them those of competitors."""
    tables = (launch.table, competitor_table(launch, competitors))
    return pd.DataFrame([row for table in tables for row in table.to_dict("records")])


def result_table(
    frame: pd.DataFrame, labels: Sequence[Column], caption: str, controls: Sequence[int], further: Sequence[str] = ()
) -> Block:
    """A `result_frame` as a table.

    Parameters
    ----------
    frame : DataFrame
    labels : sequence of Column
        They name the rows.
    caption : str
    controls : sequence of int
        Rows that are shaded.
    further : sequence of str
        Scores and costs that are shown besides those of summaries.
    """
    shown = shown_columns(frame, further)
    columns = [*labels, *(score_column(frame, name, intervals=wide) for name, wide in shown.items())]
    if any(frame["missing"]):
        columns.append(Column("missing", [escape(words) for words in frame["missing"]], numeric=False))
    meaning = described(score_of(name) for name in shown)
    tuned = ABOUT_THRESHOLDS if any(name.endswith(PAPER_THRESHOLDS) for name in shown) else ""
    about = f"{meaning}{'.' * bool(meaning)} {_ABOUT} {ABOUT_DIFFERENCES}{tuned}".strip()
    return table_block(columns, f"{caption} {about} Shaded: the control.", controls)
