"""Average precision of U-Net and W-Net against the overlap that a match needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block
from study import figures
from study.ablation.statistics import ABOUT_INTERVALS, interval
from study.figures.names import value_label
from study.runs.job import Result


def precision_block(
    launch: LaunchResults, results: Mapping[str, Sequence[Result]], file: str, folder: Path
) -> Block | None:
    """The curves of networks, by the network's name; None where no precision was measured."""
    curves = pd.concat([_precision(network, own) for network, own in results.items()], ignore_index=True)
    if curves.empty:
        return None
    caption = f"Average precision by IoU; bands: {ABOUT_INTERVALS}. {launch.measured_on()}"
    return figure_block(folder, file, figures.precision_figure(curves), caption, curves)


def _precision(network: str, results: Sequence[Result]) -> pd.DataFrame:
    """Mean precision at each overlap, with its interval."""
    rows = []
    for column in (name for name in results[0].table if name.startswith("ap_")):
        mean = interval(np.stack([result.table[column].to_numpy(float) for result in results]))
        about = {"network": network, "label": value_label("network.name", network)}
        iou = int(column.removeprefix("ap_")) / 100
        rows.append(about | {"iou": iou, "ap": mean.mean, "low": mean.low, "high": mean.high})
    return pd.DataFrame(rows)
