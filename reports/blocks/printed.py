"""The values that papers print, next to ours: none in a column with ours, nor a legacy score in one with a true one."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import ablations
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, missing_columns, number, table_block
from reports.blocks.results import ABOUT_DIFFERENCES, ABOUT_THRESHOLDS, difference_columns, result_frame, score_column
from study.ablation.printed import SAME, TEST_SET, marked
from study.ablation.statistics import interval_columns
from study.metrics import score_of
from study.metrics.registry import COST, DIFFERENCE, PAPER_THRESHOLDS, TRUE

ABOUT_LEGACY = (
    "Legacy: the larger of the two best Dice values of an image, the reading that fits best of what the leaderboard of "
    "the leaf challenge computed until the end of 2021; it is not known for a fact. Values that were printed before "
    "are taken to be of that kind, and never stand with a true SBD, which takes the smaller one. "
)
_FOLDER = Path(ablations.__file__).parent / "printed"
_COLUMN = re.compile(r"printed_(?P<score>\w+) \((?P<test_set>.+)\)")  # as `printed_name` writes it


def read_printed(name: str | Path) -> pd.DataFrame:
    """A file of printed values, or that of a name in `ablations/printed`; all columns are text."""
    file = name if isinstance(name, Path) else _FOLDER / f"{name}.csv"
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def printed_name(score: str, test_set: str) -> str:
    """The column of a frame that holds printed values of a score on a test set."""
    return f"printed_{score} ({test_set})"


def difference_name(score: str, test_set: str) -> str:
    """The column of our values less the printed ones; a frame has it only where the test set is the same."""
    return f"{score}_minus_printed ({test_set})"


def with_printed(
    frame: pd.DataFrame, launch: LaunchResults, values: pd.DataFrame, scores: Sequence[str], told: Collection[str] = ()
) -> pd.DataFrame:
    """A `result_frame` with the printed values of its rows, and ours less these where the test set is the same.

    Parameters
    ----------
    frame : DataFrame
    launch : LaunchResults
        That the frame is of.
    values : DataFrame
        As `read_printed` gives them: a column for each varied setting that tells its rows apart, for each score,
        `test_set` and `source`. Where it has a column `method`, its methods that are no variant of the launch get rows
        of their own.
    scores : sequence of str
        The scores, or costs.
    told : collection of str
        Test sets that the user says are those of the launch.

    Returns
    -------
    DataFrame
        The columns of `printed_name` and `difference_name`, NaN where nothing is printed, and `printed_source`.
    """
    rows = marked(values, launch.dataset, launch.tested, told).to_dict("records")
    names = launch.ablation.names()
    keys = [printed_key(row, names) for row in frame.to_dict("records")]
    partners: dict[tuple[str, ...], list[dict[Any, Any]]] = {key: [] for key in keys}
    others: dict[str, list[dict[Any, Any]]] = {}
    for row in rows:
        key = printed_key(row, names)
        if any(key) and key in partners:
            partners[key].append(row)
        elif "method" in row:
            others.setdefault(row["method"], []).append(row)
    further = pd.DataFrame({"label": list(others), "missing": ""}) if others else pd.DataFrame()
    whole = pd.concat([frame, further], ignore_index=True)
    return add_printed(whole, [*(partners[key] for key in keys), *others.values()], rows, scores)


def add_printed(
    frame: pd.DataFrame,
    partners: Sequence[Sequence[Mapping[Any, Any]]],
    rows: Sequence[Mapping[Any, Any]],
    scores: Sequence[str],
) -> pd.DataFrame:
    """A frame with the columns of `with_printed`: for each of its rows the printed `partners`, out of `rows`."""
    same = {row[TEST_SET]: row[SAME] for row in rows}
    for test_set, is_ours in same.items():
        own = [next((row for row in found if row[TEST_SET] == test_set), {}) for found in partners]
        for score in scores:
            printed = [float(row.get(score) or "nan") for row in own]
            if np.isnan(printed).all():
                continue
            frame = frame.assign(**{printed_name(score, test_set): printed})
            if is_ours and score in frame and score_of(score).group != COST:
                frame = frame.assign(**{difference_name(score, test_set): frame[score] - printed})
    return frame.assign(printed_source=[found[0].get("source") if found else None for found in partners])


def printed_in(frame: pd.DataFrame) -> Iterator[tuple[str, str, str, bool]]:
    """Column, score and test set of the printed values in a frame, and whether the test set is the launch's."""
    for column in frame:
        if match := _COLUMN.fullmatch(str(column)):
            score, test_set = match["score"], match["test_set"]
            same = any(str(name).endswith(f"_minus_printed ({test_set})") for name in frame)
            yield str(column), score, test_set, same


def printed_columns(frame: pd.DataFrame) -> list[Column]:
    """Columns of the printed values in a frame: a group for each test set, in grey if it is not the launch's."""
    columns = []
    for name, score, test_set, same in printed_in(frame):
        about, group = score_of(score), f"printed: {test_set}"
        columns.append(Column(about.label, [number(v, about.form) for v in frame[name]], group, soft=not same))
        difference = difference_name(score, test_set)
        if difference in frame:
            cells = [number(v, score_of(f"{score}{DIFFERENCE}").form) for v in frame[difference]]
            columns.append(Column(f"{about.label}: ours − printed", cells, group))
    return columns


def about_printed(frame: pd.DataFrame) -> str:
    """Where the printed values of a frame are from, as the end of a caption; empty where nothing is printed."""
    sets = {test_set: same for _, _, test_set, same in printed_in(frame)}
    if not sets:
        return ""
    ours = [test_set for test_set, same in sets.items() if same]
    others = [test_set for test_set, same in sets.items() if not same]
    words = f" Printed: {' / '.join(dict.fromkeys(frame['printed_source'].dropna()))}."
    if ours:
        words += f" On the test images of this launch: {'; '.join(ours)}."
    if others:
        words += f" In grey, without a difference: on other test images than ours, {'; '.join(others)}."
    return words


def printed_key(row: Mapping[Any, Any], names: Sequence[str]) -> tuple[str, ...]:
    """The values of some settings in a row, ours or printed, in one spelling: 1 for 1.0; empty without a value."""
    return tuple(_spelled(row.get(name)) for name in names)


def _spelled(value: Any) -> str:
    if pd.isna(value):
        return ""
    try:
        return f"{float(value):g}" if not isinstance(value, bool) else str(value)
    except ValueError:
        return str(value)


def score_frame(launch: LaunchResults) -> pd.DataFrame:
    """A `result_frame` with `paired_seeds`, and the printed legacy scores of `launch.printed`, see `with_printed`."""
    frame = result_frame(launch)
    needed = [column for name in ("sbd", "sbd_legacy") for column in interval_columns(name) if column not in frame]
    frame = frame.assign(**dict.fromkeys(needed, np.nan))
    variants = launch.ablation.variants()
    frame["paired_seeds"] = [launch.row(variant).get("paired_seeds", 0) for variant in variants]
    if launch.ablation.printed is None:
        return frame
    values = read_printed(launch.ablation.printed).rename(columns={"value": "sbd_legacy"})
    return with_printed(frame, launch, values, ("sbd_legacy",))


def score_columns(frame: pd.DataFrame) -> list[Column]:
    """The columns of scores of a `score_frame` on the page; groups of what the runs do not have are left out."""
    tuned = frame[f"sbd{PAPER_THRESHOLDS}"].notna().to_numpy().any()
    ours, paper = "tuned" if tuned else "ours", "paper's thresholds"
    columns = [*printed_columns(frame), score_column(frame, "sbd_legacy", title=ours, intervals=True)]
    if f"sbd_legacy{PAPER_THRESHOLDS}" in frame:
        columns.append(score_column(frame, f"sbd_legacy{PAPER_THRESHOLDS}", title=paper, intervals=True))
    columns.append(score_column(frame, "sbd", title=ours, intervals=True))
    if tuned:
        columns.append(score_column(frame, f"sbd{PAPER_THRESHOLDS}", title=paper, intervals=True))
    return [*columns, *difference_columns(frame, TRUE), *missing_columns(frame)]


def score_table(frame: pd.DataFrame, labels: Sequence[Column], caption: str, controls: Sequence[int]) -> Block:
    """A `score_frame` as a table; `labels` name its rows, those of `controls` are shaded."""
    tuned = frame[f"sbd{PAPER_THRESHOLDS}"].notna().to_numpy().any()
    caption = f"{caption}{about_printed(frame)} {ABOUT_LEGACY}{ABOUT_DIFFERENCES}{ABOUT_THRESHOLDS if tuned else ''}"
    return table_block(
        [*labels, *score_columns(frame)], f"{caption} Shaded: the control." if controls else caption, controls
    )
