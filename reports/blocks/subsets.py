"""Scores of the CVPPP2017 subsets: Wu et al. 2020, Table 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, missing_columns, number, table_block, text_column, with_interval
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

    The mean of a group is the unweighted mean of the means of its subsets. There is a table of scores per image for
    each seed; an image's name begins with its subset: `A1/plant001`.
    """
    values = pd.DataFrame({i: table.set_index("image")[score] for i, table in enumerate(tables)}).dropna()
    subsets = {str(name): rows.to_numpy().T for name, rows in values.groupby(values.index.str.split("/").str[0])}
    scores: dict[str, tuple[float, float, float] | str] = {}
    for group, names in GROUPS.items():
        absent = [name for name in names if name not in subsets]
        if absent:
            scores[group] = f"missing: {', '.join(absent)}"
        else:
            over = interval(*(subsets[name] for name in names))
            scores[group] = (over.mean, over.low, over.high)
    return scores


def subset_results(launches: Mapping[str, LaunchResults]) -> dict[str, tuple[LaunchResults, list[Result]]]:
    """Results of the U-Net and the W-Net in their control settings, by the network's name.

    They are those of a launch of the ablation `subsets`; without one, those of the first launch on CVPPP2017 that has
    them.
    """
    ordered = sorted(launches.values(), key=lambda launch: launch.ablation.name != "subsets")
    chosen: dict[str, tuple[LaunchResults, list[Result]]] = {}
    for launch, network in product((launch for launch in ordered if launch.dataset == DATASET), NETWORKS):
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


def subset_frame(launches: Mapping[str, LaunchResults]) -> pd.DataFrame:
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
    chosen = subset_results(launches)
    rows = []
    for network in NETWORKS:
        row: dict[str, Any] = {"method": f"our {value_label('network.name', network)}", "backbone": "U-Net"}
        if network in chosen:
            launch, results = chosen[network]
            row |= {"trained_on": launch.settings.get("data.subsets", "").replace("+", ", "), **_ours(results)}
            row["source"] = f"launch {launch.parent.run_id} ({launch.parent.name})"
        else:
            datasets = {launch.dataset for launch in launches.values()}
            why = f"no finished run of the {value_label('network.name', network)} in the control's settings"
            if DATASET not in datasets:
                why = f"the data set is {' and '.join(sorted(datasets))}, not {DATASET}"
            row["missing"] = f"missing: {why}"
        rows.append(row)
    frame = pd.concat([printed, pd.DataFrame(rows)], ignore_index=True)
    names = [
        name for group, prefix in product(GROUPS, SCORES.values()) for name in interval_columns(f"{prefix}_{group}")
    ]
    frame = frame.reindex(columns=list(dict.fromkeys((*frame, *names, "missing"))))
    return frame.assign(missing=frame["missing"].fillna(""))


def _ours(results: Sequence[Result]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    absent: dict[str, None] = {}
    for score, prefix in SCORES.items():
        for group, value in group_scores([result.table for result in results], score).items():
            if isinstance(value, str):
                absent[f"{group} {value}"] = None
            else:
                row |= dict(zip(interval_columns(f"{prefix}_{group}"), value, strict=True))
    return row | {"missing": "; ".join(absent)}


def subset_table(frame: pd.DataFrame, measured_on: str) -> Block:
    """`subset_frame` as a table."""
    columns = [text_column(name.replace("_", " "), frame[name]) for name in ("method", "backbone", "trained_on")]
    columns += [
        Column(group, [number(value) for value in frame[f"printed_legacy_{group}"]], "printed, legacy")
        for group in GROUPS
    ]
    for title, prefix in (("ours, legacy", "legacy"), ("ours, true SBD", "true_sbd")):
        for group in GROUPS:
            names = [*interval_columns(f"{prefix}_{group}")]
            if frame[names[0]].notna().to_numpy().any():
                columns.append(Column(group, [with_interval(*row) for row in frame[names].to_numpy()], title))
    columns.append(Column("A1-3", [number(v) for v in frame["printed_true_sbd_A1-3"]], "printed, true SBD"))
    caption = (
        "Table 3. Subsets of CVPPP2017; a group's value is the unweighted mean of the means of its subsets. Printed "
        "legacy values are of the leaderboard, on the challenge's test images. Three printed values were taken over "
        "from Chen et al. 2019, who measured true SBD on a split of their own; they stand apart. Small print: "
        f"{ABOUT_INTERVALS}, images within their subsets. Ours: {measured_on}"
    )
    ours = [i for i, method in enumerate(frame["method"]) if method.startswith("our ")]
    return table_block([*columns, *missing_columns(frame)], caption, ours)
