"""The values that the papers print, beside ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

import ablations
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Column
from reports.blocks.tables import score_column

LEAVES = ("cvppp2017", "synthetic-leaves")  # data sets of leaves
_FOLDER = Path(ablations.__file__).parent / "printed"


def read_printed(name: str, **options: Any) -> pd.DataFrame:
    """The table of printed values of that name; `options` are those of `pandas.read_csv`."""
    return pd.read_csv(_FOLDER / f"{name}.csv", **options)


def with_printed(
    frame: pd.DataFrame, launch: LaunchResults, name: str, scores: Sequence[str], datasets: Collection[str]
) -> pd.DataFrame:
    """A `result_frame` with columns `printed_{score}` and `printed_source`, NaN and None where nothing is printed.

    Where the file has a column `method`, its methods that are no variant of the launch get rows of their own.

    Parameters
    ----------
    frame : DataFrame
    launch : LaunchResults
    name : str
        Of the file; it has a column for each varied setting that tells its rows apart, and for each score.
    scores : sequence of str
    datasets : collection of str
        On which the printed values may stand: on other images they are left out.
    """
    rows = read_printed(name, dtype=str, keep_default_na=False).to_dict("records")
    given = [setting for setting in launch.ablation.names() if setting in rows[0]]
    printed = [(tuple(row[setting] for setting in given), row) for row in rows if launch.dataset in datasets]
    keys = [printed_key(row, given) for row in frame.to_dict("records")]
    others = [row for key, row in printed if key not in keys and "method" in row]
    partners = {key: row for key, row in printed if any(key)}
    found = [*(partners.get(key, {}) for key in keys), *others]
    frame = pd.concat([frame, pd.DataFrame({"label": [row["method"] for row in others], "missing": ""})])
    columns = {f"printed_{score}": [float(row.get(score) or "nan") for row in found] for score in scores}
    return frame.reset_index(drop=True).assign(**columns, printed_source=[row.get("source") for row in found])


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
    return tuple("" if pd.isna(row[name]) else _text(row[name]) for name in names)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() and value > 1 else str(value)
