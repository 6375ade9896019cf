"""The values that the papers print, next to ours: never a legacy score in one column with a true one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ablations
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, missing_columns, number, table_block
from reports.blocks.results import ABOUT_DIFFERENCES, ABOUT_THRESHOLDS, difference_columns, result_frame, score_column
from study.ablation.statistics import interval_columns
from study.metrics.registry import LEGACY, PAPER_THRESHOLDS, TRUE

PRINTED = "printed_sbd_legacy"
ABOUT_SCORES = (
    "Legacy: the larger of the two best Dice values of an image, which the leaderboard of the leaf challenge computed "
    "until 2022; the printed values are of that kind and were measured on the challenge's own test images. True SBD "
    "takes the smaller one, and has no printed partner. " + ABOUT_DIFFERENCES
)
LEAVES = ("cvppp2017", "synthetic-leaves")  # data sets of leaves
_FOLDER = Path(ablations.__file__).parent / "printed"


def read_printed(name: str, **options: Any) -> pd.DataFrame:
    """The table of printed values of that name; `options` are those of `pandas.read_csv`."""
    return pd.read_csv(_FOLDER / f"{name}.csv", **options)


def with_printed(
    frame: pd.DataFrame, launch: LaunchResults, name: str, scores: Sequence[str], datasets: Collection[str]
) -> pd.DataFrame:
    """A `result_frame` with columns `printed_{score}` and `printed_source`, NaN and None where nothing is printed.

    The file `name` has a column for each varied setting that tells its rows apart, and for each score. Where it has a
    column `method`, its methods that are no variant of the launch get rows of their own. On other `datasets` than these
    the printed values are left out.
    """
    rows = read_printed(name, dtype=str, keep_default_na=False).to_dict("records")
    given = [setting for setting in launch.ablation.names() if setting in rows[0]]
    printed = [(tuple(row[setting] for setting in given), row) for row in rows if launch.dataset in datasets]
    keys = [printed_key(row, given) for row in frame.to_dict("records")]
    others = [row for key, row in printed if key not in keys and "method" in row]
    partners = {key: row for key, row in printed if any(key)}
    partner = [*(partners.get(key, {}) for key in keys), *others]
    frame = pd.concat([frame, pd.DataFrame({"label": [row["method"] for row in others], "missing": ""})])
    columns = {f"printed_{score}": [float(row.get(score) or "nan") for row in partner] for score in scores}
    return frame.reset_index(drop=True).assign(**columns, printed_source=[row.get("source") for row in partner])


def printed_columns(frame: pd.DataFrame, scores: Sequence[str]) -> list[Column]:
    """Columns of the printed values in a frame; none where nothing is printed."""
    if not frame["printed_source"].notna().to_numpy().any():
        return []
    return [score_column(frame, score, "printed", prefix="printed_") for score in scores]


def printed_source(frame: pd.DataFrame) -> str:
    """Where the printed values of a frame are from, as the end of a caption; empty where nothing is printed."""
    sources = frame["printed_source"].dropna()
    return f" Printed: {sources.iloc[0]}." if len(sources) else ""


def printed_key(row: Mapping[Any, Any], names: Sequence[str]) -> tuple[str, ...]:
    """The values of a row as they stand in a file of printed ones; numbers that are whole may have lost that."""
    values = ["" if pd.isna(row[name]) else row[name] for name in names]
    return tuple(str(int(v)) if isinstance(v, float) and v.is_integer() and v > 1 else str(v) for v in values)


def score_frame(launch: LaunchResults) -> pd.DataFrame:
    """A `result_frame` with `paired_seeds`, `printed_sbd_legacy` (NaN without one) and `sbd_legacy_minus_printed`."""
    frame = result_frame(launch)
    needed = [column for name in ("sbd", "sbd_legacy") for column in interval_columns(name) if column not in frame]
    frame = frame.assign(**dict.fromkeys(needed, np.nan))
    variants = launch.ablation.variants()
    frame["paired_seeds"] = [launch.row(variant).get("paired_seeds", 0) for variant in variants]
    frame[PRINTED] = [_printed(launch, variant) for variant in variants]
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
    tuned = frame[f"sbd{PAPER_THRESHOLDS}"].notna().to_numpy().any()
    ours, paper = "tuned" if tuned else "ours", "paper's thresholds"
    columns = [
        Column("printed", [number(value) for value in frame[PRINTED]], LEGACY),
        score_column(frame, "sbd_legacy", title=ours, intervals=True),
        Column(f"{ours} − printed", [number(v, "+.3f") for v in frame["sbd_legacy_minus_printed"]], LEGACY),
    ]
    if f"sbd_legacy{PAPER_THRESHOLDS}" in frame:
        columns.append(score_column(frame, f"sbd_legacy{PAPER_THRESHOLDS}", title=paper, intervals=True))
    columns.append(score_column(frame, "sbd", title=ours, intervals=True))
    if tuned:
        columns.append(score_column(frame, f"sbd{PAPER_THRESHOLDS}", title=paper, intervals=True))
    return [*columns, *difference_columns(frame, TRUE), *missing_columns(frame)]


def score_table(frame: pd.DataFrame, labels: Sequence[Column], caption: str, controls: Sequence[int]) -> Block:
    """A `score_frame` as a table; `labels` name its rows, those of `controls` are shaded."""
    tuned = frame[f"sbd{PAPER_THRESHOLDS}"].notna().to_numpy().any()
    caption = f"{caption} {ABOUT_SCORES}{ABOUT_THRESHOLDS if tuned else ''}"
    return table_block(
        [*labels, *score_columns(frame)], f"{caption} Shaded: the control." if controls else caption, controls
    )
