"""What the variants of a launch found, and other software beside them: a row each."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.page import Block, Column, number, table_block
from reports.blocks.tables import ABOUT_DIFFERENCES, ABOUT_THRESHOLDS, intervals
from reports.competitors import Competitor, competitor_table
from reports.launch_results import Gathered
from study.figures.names import variant_label
from study.runs.job import Result, variant_name

SBD, OTHER, COST = "SBD", "other scores", "cost"  # groups of columns
_COLUMNS = {  # of a table: column of the frame -> title, group, format, whether its interval is shown
    "sbd": ("tuned", SBD, ".3f", True),
    "sbd_paper_thresholds": ("paper's thresholds", SBD, ".3f", False),
    "sbd_diff": ("difference to the control", SBD, "+.3f", True),
    "sbd_diff_p_adjusted": ("adjusted p", SBD, ".3f", False),
    "sbd_paper_thresholds_diff": ("difference, paper's thresholds", SBD, "+.3f", True),
    "sbd_paper_thresholds_diff_p_adjusted": ("adjusted p, paper's thresholds", SBD, ".3f", False),
    "fbd": ("FBD", OTHER, ".3f", False),
    "dic": ("DiC", OTHER, "+.2f", False),
    "abs_dic": ("|DiC|", OTHER, ".2f", False),
    "ap_50": ("AP.50", OTHER, ".3f", False),
    "ap_75": ("AP.75", OTHER, ".3f", False),
    "aji": ("AJI", OTHER, ".3f", False),
    "pq": ("PQ", OTHER, ".3f", False),
    "map": ("mAP", OTHER, ".3f", False),
    "neighbour_angle": ("angle, °", OTHER, ".1f", False),
    "parameters": ("parameters", COST, ",.0f", False),
    "training_seconds": ("training, s", COST, ".0f", False),
}
DIFFERENCES = tuple(name for name in _COLUMNS if "_diff" in name)
ABOUT_RESULTS = (
    "SBD: the smaller of the two best Dice values of an image; FBD: Dice of the foreground; DiC: objects found less "
    "true ones. Means over all images and seeds. Differences are taken image by image. " + ABOUT_DIFFERENCES
)


def result_frame(
    gathered: Gathered, competitors: Sequence[Competitor] = (), further: Sequence[str] = ()
) -> pd.DataFrame:
    """A row per variant of a launch, also where there is no result, and then one per competitor.

    Parameters
    ----------
    gathered : Gathered
    competitors : sequence of Competitor
    further : sequence of str
        Scores whose means are wanted beside those of every answer, such as `ap_50`.

    Returns
    -------
    DataFrame
        `label`; the settings that variants name (NaN where one does not); the columns of `statistics.answer`,
        but for those of single seeds; `further`; `parameters` of the network and `training_seconds`, means over seeds;
        `missing`, which tells in words which runs of the row there are no scores of. NaN where a value is unknown.
    """
    found = {row["variant"]: row for row in figure_table(gathered, competitors).to_dict("records")}
    rows = []
    for variant in gathered.ablation.variants():
        name = variant_name(variant)
        row = {**variant, "variant": name, **found.get(name, {}), **_means(gathered.of(variant), further)}
        row |= _training_costs(gathered, variant)
        rows.append(row | {"label": variant_label(variant), "missing": gathered.missing_of(variant)})
    for result in (competitor.result for competitor in competitors):
        row = found[variant_name(result.variant)] | _means([result], further)
        rows.append(row | {"label": variant_label(result.variant), "missing": ""})
    frame = pd.DataFrame(rows)
    named = ["label", *gathered.ablation.names()]
    others = [name for name in frame if name not in (*named, "missing") and not str(name).endswith("_seeds")]
    shown = [name for name, (*_, with_interval) in _COLUMNS.items() if with_interval]
    intervals_of = [f"{name}_{end}" for name in shown for end in ("low", "high")]
    wanted = dict.fromkeys((*others, *_COLUMNS, *intervals_of, *further))
    return frame.reindex(columns=[*named, *wanted, "missing"])


def _means(results: Sequence[Result], scores: Sequence[str]) -> dict[str, float]:
    """Means over seeds and images of those of the scores that there are."""
    if not results:
        return {}
    tables = pd.concat([result.table for result in results])
    return {score: float(np.mean(tables[score].to_numpy(float))) for score in scores if score in tables}


def _training_costs(gathered: Gathered, variant: dict[str, Any]) -> dict[str, float]:
    name = variant_name(variant)
    runs = [run for (of, _), run in gathered.trainings.items() if of == name]
    costs = {}
    for cost in ("parameters", "training_seconds"):
        known = [run.metrics[f"perf/{cost}"] for run in runs if f"perf/{cost}" in run.metrics]
        costs[cost] = float(np.mean(known)) if known else np.nan
    return costs


def figure_table(gathered: Gathered, competitors: Sequence[Competitor] = ()) -> pd.DataFrame:
    """What figures of scores are drawn from: rows of the launch's answer, and below them those of competitors."""
    tables = (gathered.table, competitor_table(gathered, competitors))
    return pd.DataFrame([row for table in tables for row in table.to_dict("records")])


def result_table(
    frame: pd.DataFrame, labels: Sequence[Column], scores: Sequence[str], caption: str, controls: Sequence[int]
) -> Block:
    """A `result_frame` as a table.

    Parameters
    ----------
    frame : DataFrame
    labels : sequence of Column
        They name the rows.
    scores : sequence of str
        Columns of the frame; what no row has is left out.
    caption : str
    controls : sequence of int
        Rows that are shaded.
    """
    columns = [*labels]
    for name in (name for name in scores if frame[name].notna().to_numpy().any()):
        title, group, form, with_interval = _COLUMNS[name]
        cells = intervals(frame, name, form) if with_interval else [number(value, form) for value in frame[name]]
        columns.append(Column(title, cells, group))
    if any(frame["missing"]):
        columns.append(Column("missing", [escape(words) for words in frame["missing"]], numeric=False))
    tuned = ABOUT_THRESHOLDS if frame["sbd_paper_thresholds"].notna().to_numpy().any() else ""
    return table_block(columns, f"{caption} {ABOUT_RESULTS}{tuned} Shaded: the control.", controls)
