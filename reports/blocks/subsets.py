"""Scores of the CVPPP2017 subsets: Wu et al. 2020, Table 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, number, table_block, with_interval
from reports.blocks.printed import read_printed
from study.ablation.statistics import ABOUT_INTERVALS, interval, interval_columns
from study.figures.names import value_label
from study.runs.job import Result

DATASET = "cvppp2017"
GROUPS = {"A1": ("A1",), "A1-3": ("A1", "A2", "A3"), "A1-5": ("A1", "A2", "A3", "A4", "A5")}
SCORES = {"sbd_legacy": "legacy", "sbd": "true_sbd"}  # prefixes of the columns
NETWORKS = ("unet", "wnet")


def group_scores(tables: Sequence[pd.DataFrame], score: str) -> dict[str, tuple[float, float, float] | str]:
    """Mean and 95 % interval of each group of `GROUPS`, or in words which subsets are missing.

    The mean of a group is the unweighted mean of the means of its subsets.

    Parameters
    ----------
    tables : sequence of DataFrame
        A table of scores per image for each seed; an image's name begins with its subset: `A1/plant001`.
    score : str
        Column of the tables.
    """
    values = pd.DataFrame({i: table.set_index("image")[score] for i, table in enumerate(tables)}).dropna()
    subsets = {str(name): rows.to_numpy().T for name, rows in values.groupby(values.index.str.split("/").str[0])}
    found: dict[str, tuple[float, float, float] | str] = {}
    for group, names in GROUPS.items():
        absent = [name for name in names if name not in subsets]
        if absent:
            found[group] = f"missing: {', '.join(absent)}"
            continue
        over = interval(*(subsets[name] for name in names))
        found[group] = (over.mean, over.low, over.high)
    return found


def subset_results(found: Mapping[str, LaunchResults]) -> dict[str, tuple[LaunchResults, list[Result]]]:
    """Results of the U-Net and the W-Net in their control settings, by the network's name.

    They are those of a launch of the ablation `subsets`; without one, those of the first launch on CVPPP2017 that has
    them.
    """
    ordered = sorted(found.values(), key=lambda launch: launch.ablation.name != "subsets")
    chosen: dict[str, tuple[LaunchResults, list[Result]]] = {}
    for launch in (g for g in ordered if g.dataset == DATASET):
        for network in NETWORKS:
            results = launch.of(control_of(launch, network))
            if results and network not in chosen:
                chosen[network] = (launch, results)
    return chosen


def control_of(launch: LaunchResults, network: str) -> dict[str, Any]:
    """The variant of a launch that is its control, but for the network."""
    control = launch.ablation.control
    if control.get("network.concat_layer") == "dfeat.32":
        return control | {"network.concat_layer": "dfeat.32" if network == "wnet" else "none"}
    if "network.name" in control or network == "wnet":
        return control | ({"network.name": network} if "network.name" in control else {})
    return {}


def subset_frame(found: Mapping[str, LaunchResults]) -> pd.DataFrame:
    """Table 3: a row per printed method, then our U-Net and W-Net.

    Returns
    -------
    DataFrame
        `method`, `backbone`, `trained_on`; for each group of `GROUPS` `printed_legacy_{group}`, `legacy_{group}`,
        `true_sbd_{group}`, the latter two with `_low`, `_high`; `printed_true_sbd_A1-3`, which the paper took over
        from Chen et al. 2019; `missing`; `source`.
    """
    printed = read_printed("wnet_table3").rename(
        columns={group: f"printed_legacy_{group}" for group in GROUPS} | {"true_sbd_A1-3": "printed_true_sbd_A1-3"}
    )
    chosen = subset_results(found)
    rows = []
    for network in NETWORKS:
        row: dict[str, Any] = {"method": f"our {value_label('network.name', network)}", "backbone": "U-Net"}
        if network in chosen:
            launch, results = chosen[network]
            row |= {"trained_on": launch.settings.get("data.subsets", "").replace("+", ", "), **_ours(results)}
            row["source"] = f"launch {launch.parent.run_id} ({launch.parent.name})"
        else:
            row["missing"] = _why_none(found, network)
        rows.append(row)
    frame = pd.concat([printed, pd.DataFrame(rows)], ignore_index=True)
    for group in GROUPS:
        for prefix in SCORES.values():
            for column in _columns(prefix, group):
                if column not in frame:
                    frame[column] = np.nan
    return frame.assign(missing=frame["missing"].fillna("") if "missing" in frame else "")


def _columns(prefix: str, group: str) -> tuple[str, str, str]:
    """Columns of the mean of a group and its interval."""
    return interval_columns(f"{prefix}_{group}")


def _ours(results: Sequence[Result]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    absent: dict[str, None] = {}
    for score, prefix in SCORES.items():
        for group, value in group_scores([result.table for result in results], score).items():
            if isinstance(value, str):
                absent[f"{group} {value}"] = None
            else:
                row |= dict(zip(_columns(prefix, group), value, strict=True))
    return row | {"missing": "; ".join(absent)}


def _why_none(found: Mapping[str, LaunchResults], network: str) -> str:
    if not any(launch.dataset == DATASET for launch in found.values()):
        datasets = " and ".join(sorted({launch.dataset for launch in found.values()}))
        return f"missing: the data set is {datasets}, not {DATASET}"
    return f"missing: no finished run of the {value_label('network.name', network)} in the control's settings"


def subset_table(frame: pd.DataFrame, measured_on: str) -> Block:
    """`subset_frame` as a table."""
    columns = [
        Column(title, [escape(str(cell)) if pd.notna(cell) else "" for cell in frame[name]], numeric=False)
        for title, name in (("method", "method"), ("backbone", "backbone"), ("trained on", "trained_on"))
    ]
    columns += [
        Column(group, [number(value) for value in frame[f"printed_legacy_{group}"]], "printed, legacy")
        for group in GROUPS
    ]
    for title, prefix in (("ours, legacy", "legacy"), ("ours, true SBD", "true_sbd")):
        for group in GROUPS:
            names = [*_columns(prefix, group)]
            if frame[names[0]].notna().to_numpy().any():
                columns.append(Column(group, [with_interval(*row) for row in frame[names].to_numpy()], title))
    columns.append(Column("A1-3", [number(v) for v in frame["printed_true_sbd_A1-3"]], "printed, true SBD"))
    if any(frame["missing"]):
        columns.append(Column("missing", [escape(words) for words in frame["missing"]], numeric=False))
    caption = (
        "Table 3. Subsets of CVPPP2017; a group's value is the unweighted mean of the means of its subsets. Printed "
        "legacy values are of the leaderboard, on the challenge's test images. Three printed values were taken over "
        "from Chen et al. 2019, who measured true SBD on a split of their own; they stand apart. Small print: "
        f"{ABOUT_INTERVALS}, images within their subsets. Ours: {measured_on}"
    )
    ours = [i for i, method in enumerate(frame["method"]) if method.startswith("our ")]
    return table_block(columns, caption, ours)
