"""Scores of the CVPPP2017 subsets: Wu et al. 2020, Table 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import (
    Block,
    Column,
    missing_columns,
    number,
    paragraph,
    stacked,
    table_block,
    text_column,
    with_interval,
)
from reports.blocks.printed import ABOUT_LEGACY, read_printed
from study.ablation.statistics import ABOUT_INTERVALS, interval, interval_columns
from study.figures.names import value_label
from study.runs.job import Result

DATASET = "cvppp2017"
SUBSETS = ("A1", "A2", "A3", "A4")  # the labels of A5 are private, so that A1-5 is never ours
GROUPS = {
    **{name: (name,) for name in SUBSETS},
    "A1+A2+A4": ("A1", "A2", "A4"),  # the plants that are Arabidopsis
    "A1-3": ("A1", "A2", "A3"),
}
PRINTED = ("A1", "A3", "A1+A2+A4", "A1-3", "A1-5")  # groups of which the paper has a legacy score
_HOW = {"aug": "Aug.", "emb": "Emb.", "fg": "Fg."}  # columns of the paper
TRAINED_ON = (
    "The paper trains on all 810 images of A1 to A4 of CVPPP2017, for its Tables 1 and 2 and Fig. 6 too; "
    "set=data.subsets=A1+A2+A3+A4 takes these subsets, of which some images are kept apart for thresholds and for the "
    "test, since the labels of the challenge's test images are private."
)
SCORES = {"sbd_legacy": "legacy", "sbd": "true_sbd"}  # prefixes of the columns
NETWORKS = ("unet", "wnet")


def group_scores(tables: Sequence[pd.DataFrame], score: str) -> dict[str, tuple[float, float, float]]:
    """Mean and 95 % interval of each group of `GROUPS` of which there are images of all subsets.

    The mean of a group is the unweighted mean of the means of its subsets. There is a table of scores per image for
    each seed; an image's name begins with its subset: `A1/plant001`.
    """
    values = pd.DataFrame({i: table.set_index("image")[score] for i, table in enumerate(tables)}).dropna()
    subsets = {str(name): rows.to_numpy().T for name, rows in values.groupby(values.index.str.split("/").str[0])}
    scores = {}
    for group, names in GROUPS.items():
        if subsets.keys() >= set(names):
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
        `method`, `backbone`, `trained_on`, `aug`, `emb`, `fg` (augmentation, metric of the embedding, whether the true
        foreground is used); for each group of `PRINTED` `printed_legacy_{group}`, for each of `GROUPS`
        `legacy_{group}` and `true_sbd_{group}`, these two with `_low`, `_high`; `printed_true_sbd_A1-3`, which the
        paper took over from Chen et al. 2019; `missing`; `test_set`, `source`.
    """
    printed = read_printed("wnet_table3").rename(
        columns={group: f"printed_legacy_{group}" for group in PRINTED} | {"true_sbd_A1-3": "printed_true_sbd_A1-3"}
    )
    values = [name for name in printed if name.startswith("printed_")]
    printed[values] = printed[values].apply(pd.to_numeric)
    chosen = subset_results(launches)
    rows = []
    for network in NETWORKS:
        row: dict[str, Any] = {"method": f"our {value_label('network.name', network)}", "backbone": "U-Net"}
        if network in chosen:
            launch, results = chosen[network]
            row |= {**_how(launch.settings), **_ours(results)}
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


def _how(settings: Mapping[str, Any]) -> dict[str, str]:
    """How a network of ours was trained and tested, in the words of the printed table."""
    return {
        "trained_on": settings.get("data.subsets", "").replace("+", ", "),
        "aug": "yes" if settings.get("data.augmentation", "none") != "none" else "",
        "emb": "cos",  # `subset_results` are those of the U-Net and the W-Net
        "fg": "yes" if settings.get("clustering.foreground") in ("truth", "auto") else "",  # leaves have a true one
    }


def _ours(results: Sequence[Result]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for score, prefix in SCORES.items():
        found = group_scores([result.table for result in results], score)
        for group, value in found.items():
            row |= dict(zip(interval_columns(f"{prefix}_{group}"), value, strict=True))
    absent = [name for name in SUBSETS if f"legacy_{name}" not in row]
    return row | {"missing": f"no test images of {', '.join(absent)}" if absent else ""}


def subset_table(frame: pd.DataFrame, measured_on: str) -> Block:
    """`subset_frame` as tables: of the printed values, and where there are any of our legacy scores and true SBD."""
    is_ours = frame["method"].str.startswith("our ")
    ours, printed = frame.loc[is_ours], frame.loc[~is_ours]
    columns = _labels(printed)
    columns += [_printed(printed, f"printed_legacy_{group}", group, "legacy: CodaLab test") for group in PRINTED]
    columns.append(_printed(printed, "printed_true_sbd_A1-3", "A1-3", "true SBD: other images"))
    caption = (
        "Table 3 as printed, in grey: on other test images than ours, so that no difference is taken. The "
        "leaderboard is of the challenge's own images, whose labels are private; A1-5 can never be ours. Three "
        "values of A1-3 were taken over from Chen et al. 2019, who measured true SBD on 162 images of A1 to A4. A "
        "group's value is the unweighted mean of the means of its subsets; A1+A2+A4 are those of Arabidopsis. Aug.:"
        " augmentation; Emb.: metric of the embedding; Fg.: the true foreground is used. The ticks of the methods "
        "without an embedding stand where they fit: our copy of the table leaves that open."
    )
    blocks = [table_block(columns, caption)]
    if not any(ours[f"{prefix}_{group}"].notna().any() for group, prefix in product(GROUPS, SCORES.values())):
        reasons = dict.fromkeys(ours["missing"].str.removeprefix("missing: "))
        return stacked([*blocks, paragraph(f"There are no values of ours: {'; '.join(reasons)}.", "soft")])
    about = f"Small print: {ABOUT_INTERVALS}, images within their subsets. {measured_on}"
    for words, prefix in (("legacy scores", "legacy"), ("true SBD", "true_sbd")):
        columns = _labels(ours)
        for group in GROUPS:
            values = ours.loc[:, [*interval_columns(f"{prefix}_{group}")]].to_numpy(float)
            columns.append(Column(group, [with_interval(*row) for row in values], words))
        meaning = ABOUT_LEGACY if prefix == "legacy" else ""
        blocks.append(table_block([*columns, *missing_columns(ours)], f"Table 3, ours: {words}. {meaning}{about}"))
    return stacked(blocks)


def _labels(frame: pd.DataFrame) -> list[Column]:
    columns = [text_column(name.replace("_", " "), frame[name]) for name in ("method", "backbone", "trained_on")]
    return columns + [text_column(title, frame[name].replace({"yes": "✓"})) for name, title in _HOW.items()]


def _printed(frame: pd.DataFrame, name: str, title: str, group: str) -> Column:
    return Column(title, [number(value) for value in frame[name]], group, soft=True)
