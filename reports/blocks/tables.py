"""Tables of the W-Net paper: the printed values and ours, never a legacy score in one column with a true one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, number, table_block, with_interval
from study.ablation.statistics import ABOUT_INTERVALS, ABOUT_TRAININGS, interval_columns
from study.metrics import score_of
from study.metrics.registry import DIFFERENCE, LEGACY, P_ADJUSTED, PAPER_THRESHOLDS, TRUE

PRINTED = "printed_sbd_legacy"

ABOUT_DIFFERENCES = (
    f"Small print: {ABOUT_INTERVALS}. Adjusted p: of the difference, by Holm over all variants; there is none with a "
    f"single seed. With several, {ABOUT_TRAININGS}."
)
ABOUT_SCORES = (
    "Legacy: the larger of the two best Dice values of an image, which the leaderboard of the leaf challenge computed "
    "until 2022; the printed values are of that kind and were measured on the challenge's own test images. True SBD "
    "takes the smaller one, and has no printed partner. " + ABOUT_DIFFERENCES
)
ABOUT_THRESHOLDS = (
    " Without further words, thresholds are tuned, that is, searched on validation images; the paper's thresholds are "
    "those that it prints, or our reading of it."
)


def score_frame(launch: LaunchResults, variants: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Printed values and ours of some variants of a launch.

    Parameters
    ----------
    launch : LaunchResults
    variants : sequence of dict
        A row each, also where there is no result.

    Returns
    -------
    DataFrame
        The varied settings; `printed_sbd_legacy` (NaN where the paper prints nothing); the columns of
        `statistics.summarize`, but for those of single seeds; `sbd_legacy_minus_printed`; `missing`, which tells
        in words which runs of the row there are no scores of.
    """
    rows = []
    for variant in variants:
        ours = {name: value for name, value in launch.row(variant).items() if not name.endswith("_seeds")}
        ours["paired_seeds"] = launch.row(variant).get("paired_seeds", 0)
        rows.append({**variant, PRINTED: _printed(launch, variant), **ours, "missing": launch.missing_of(variant)})
    frame = pd.DataFrame(rows)
    needed = [column for name in ("sbd", "sbd_legacy", "sbd_diff") for column in interval_columns(name)]
    for column in (*needed, "sbd_diff_p_adjusted"):
        if column not in frame:
            frame[column] = np.nan
    frame["sbd_legacy_minus_printed"] = frame["sbd_legacy"] - frame[PRINTED]
    return frame


def _printed(launch: LaunchResults, variant: dict[str, Any]) -> float:
    if launch.printed is None:
        return np.nan
    rows = launch.printed.to_dict("records")
    # a column that holds words too is read as text, 1.0 as "1.0"
    texts = {name: str(value) for name, value in variant.items()}
    return next((row["value"] for row in rows if all(str(row[n]) == t for n, t in texts.items())), np.nan)


def score_columns(frame: pd.DataFrame) -> list[Column]:
    """The columns of scores of a `score_frame` on the page; groups of what the runs do not have are left out."""
    tuned = "sbd_paper_thresholds" in frame
    ours, paper = "tuned" if tuned else "ours", "paper's thresholds"
    columns = [
        Column("printed", [number(value) for value in frame[PRINTED]], LEGACY),
        score_column(frame, "sbd_legacy", title=ours, intervals=True),
        Column(f"{ours} − printed", [number(v, "+.3f") for v in frame["sbd_legacy_minus_printed"]], LEGACY),
    ]
    if "sbd_legacy_paper_thresholds" in frame:
        columns.append(score_column(frame, "sbd_legacy_paper_thresholds", title=paper, intervals=True))
    columns.append(score_column(frame, "sbd", title=ours, intervals=True))
    if tuned:
        columns.append(score_column(frame, "sbd_paper_thresholds", title=paper, intervals=True))
    columns += difference_columns(frame, TRUE)
    if any(frame["missing"]):
        columns.append(Column("missing", [escape(words) for words in frame["missing"]], numeric=False))
    return columns


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
    """A column of scores as the registry has it written.

    Parameters
    ----------
    frame : DataFrame
    name : str
        A column that `study.metrics.score_of` knows.
    group, title : str
        In place of those of the registry.
    prefix : str
        What stands before the name in the frame, such as ``printed_``.
    intervals : bool
        Whether cells have their interval too.
    """
    score = score_of(name)
    if intervals:
        rows = frame[[*interval_columns(prefix + name)]].to_numpy(float)
        cells = [with_interval(value, low, high, score.form) for value, low, high in rows]
    else:
        cells = [number(value, score.form) for value in frame[prefix + name]]
    return Column(title or score.label, cells, group or score.group)


def score_table(frame: pd.DataFrame, labels: Sequence[Column], caption: str, controls: Sequence[int]) -> Block:
    """A `score_frame` as a table; `labels` name its rows, those of `controls` are shaded."""
    caption = f"{caption} {ABOUT_SCORES}{ABOUT_THRESHOLDS if 'sbd_paper_thresholds' in frame else ''}"
    return table_block(
        [*labels, *score_columns(frame)], f"{caption} Shaded: the control." if controls else caption, controls
    )
