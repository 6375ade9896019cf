"""Tables of the W-Net paper: the printed values and ours, never a legacy score in one column with a true one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.page import Block, Column, number, table_block, with_interval
from reports.launch_results import Gathered
from study.ablation.statistics import ABOUT_INTERVALS, ABOUT_TRAININGS

LEGACY, TRUE = "legacy score", "true SBD"  # groups of columns
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
    " Tuned: with thresholds searched on validation images; paper's: with those that the paper prints, or our reading "
    "of it."
)


def score_frame(gathered: Gathered, variants: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Printed values and ours of some variants of a launch.

    Parameters
    ----------
    gathered : Gathered
    variants : sequence of dict
        A row each, also where there is no result.

    Returns
    -------
    DataFrame
        The varied settings; `printed_sbd_legacy` (NaN where the paper prints nothing); the columns of
        `statistics.answer`, but for those of single seeds; `sbd_legacy_minus_printed`; `missing`, which tells
        in words which runs of the row there are no scores of.
    """
    rows = []
    for variant in variants:
        ours = {name: value for name, value in gathered.row(variant).items() if not name.endswith("_seeds")}
        ours["paired_seeds"] = gathered.row(variant).get("paired_seeds", 0)
        rows.append({**variant, PRINTED: _printed(gathered, variant), **ours, "missing": gathered.missing_of(variant)})
    frame = pd.DataFrame(rows)
    needed = [f"{name}{end}" for name in ("sbd", "sbd_legacy", "sbd_diff") for end in ("", "_low", "_high")]
    for column in (*needed, "sbd_diff_p_adjusted"):
        if column not in frame:
            frame[column] = np.nan
    frame["sbd_legacy_minus_printed"] = frame["sbd_legacy"] - frame[PRINTED]
    return frame


def _printed(gathered: Gathered, variant: dict[str, Any]) -> float:
    if gathered.printed is None:
        return np.nan
    rows = gathered.printed.to_dict("records")
    # a column that holds words too is read as text, 1.0 as "1.0"
    texts = {name: str(value) for name, value in variant.items()}
    return next((row["value"] for row in rows if all(str(row[n]) == t for n, t in texts.items())), np.nan)


def score_columns(frame: pd.DataFrame) -> list[Column]:
    """The columns of scores of a `score_frame` on the page; groups of what the runs do not have are left out."""
    tuned = "sbd_paper_thresholds" in frame
    ours = "tuned" if tuned else "ours"
    columns = [
        Column("printed", [number(value) for value in frame[PRINTED]], LEGACY),
        Column(ours, intervals(frame, "sbd_legacy"), LEGACY),
        Column(f"{ours} − printed", [number(v, "+.3f") for v in frame["sbd_legacy_minus_printed"]], LEGACY),
    ]
    if "sbd_legacy_paper_thresholds" in frame:
        columns.append(Column("paper's thresholds", intervals(frame, "sbd_legacy_paper_thresholds"), LEGACY))
    columns.append(Column(ours, intervals(frame, "sbd"), TRUE))
    if tuned:
        columns.append(Column("paper's thresholds", intervals(frame, "sbd_paper_thresholds"), TRUE))
    columns += difference_columns(frame, TRUE)
    if any(frame["missing"]):
        columns.append(Column("missing", [escape(words) for words in frame["missing"]], numeric=False))
    return columns


def difference_columns(frame: pd.DataFrame, group: str) -> list[Column]:
    """Differences in SBD to the control with their adjusted p values, also with the paper's thresholds where known."""
    columns = []
    for score, words in (("sbd", ""), ("sbd_paper_thresholds", ", paper's thresholds")):
        if f"{score}_diff" in frame and (score == "sbd" or frame[f"{score}_diff"].notna().to_numpy().any()):
            cells = intervals(frame, f"{score}_diff", "+.3f")
            columns.append(Column(f"difference to the control{words}", cells, group))
            adjusted = [number(value) for value in frame[f"{score}_diff_p_adjusted"]]
            columns.append(Column(f"adjusted p{words}", adjusted, group))
    return columns


def intervals(frame: pd.DataFrame, name: str, form: str = ".3f") -> list[str]:
    """Cells of the column `name` with its interval."""
    columns = zip(frame[name], frame[f"{name}_low"], frame[f"{name}_high"], strict=True)
    return [with_interval(*values, form) for values in columns]


def score_table(frame: pd.DataFrame, labels: Sequence[Column], caption: str, controls: Sequence[int]) -> Block:
    """A `score_frame` as a table; `labels` name its rows, those of `controls` are shaded."""
    caption = f"{caption} {ABOUT_SCORES}{ABOUT_THRESHOLDS if 'sbd_paper_thresholds' in frame else ''}"
    return table_block(
        [*labels, *score_columns(frame)], f"{caption} Shaded: the control." if controls else caption, controls
    )
