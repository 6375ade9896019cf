"""How the embeddings of neighbours come apart over a training: Chen et al. 2019, Fig. 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block, heading, paragraph
from study import figures, tracking
from study.figures.names import value_label
from study.runs.job import variant_name

_ANGLE = "val/neighbour_angle"
_CAPTION = (
    "Mean angle between the embeddings of neighbouring objects of validation images over the training, as in Fig. 1 of "
    "Chen et al. 2019. Neighbours here: closer than 2 % of the image's longer side, whatever the loss takes for them. "
    "Dotted: 90°, where neighbours are orthogonal, as the loss wants them."
)


def angle_curves(launch: LaunchResults, names: Sequence[str]) -> pd.DataFrame:
    """Mean angle between neighbours over each training of a launch.

    Parameters
    ----------
    launch : LaunchResults
    names : sequence of str
        Settings that tell the trainings apart; variants that do not name them are skipped.

    Returns
    -------
    DataFrame
        Columns `names`, `seed`, `run_id` (that shows the training), `step`, `angle` in degrees.
    """
    rows: dict[str, list[dict[str, Any]]] = {}  # by the run, since runs share trainings
    for result in (result for variant in launch.ablation.variants() for result in launch.of(variant)):
        run = launch.trainings.get((variant_name(result.variant), result.seed))
        if run is None or run.run_id in rows or _ANGLE not in run.metrics or not result.variant.keys() >= set(names):
            continue
        about = {name: result.variant[name] for name in names} | {"seed": result.seed, "run_id": run.run_id}
        curve = tracking.metric_curve(run.run_id, _ANGLE).rename(columns={"value": "angle"})
        rows[run.run_id] = [about | point for point in curve.to_dict("records")]
    points = [point for of_run in rows.values() for point in of_run]
    return pd.DataFrame(points, columns=[*names, "seed", "run_id", "step", "angle"])


def angle_figure(launch: LaunchResults, colour: str, style: str | None, folder: Path) -> Block:
    """The curves as a figure; `colour` and `style` are the settings that tell the trainings apart."""
    title = "Angle between neighbours over the training"
    names = [name for name in (colour, style) if name]
    data = angle_curves(launch, names)
    if not len(data):
        return heading(title) + paragraph("Missing: no finished run has logged angles between neighbours.", "soft")
    titles = {name: name.rpartition(".")[2].replace("_", " ") for name in names}
    labels = {titles[name]: [value_label(name, value) for value in data[name]] for name in names}
    figure = figures.angle_figure(data.assign(**labels), titles[colour], titles[style] if style else None)
    bands = " Bands: range over seeds." if len(set(data["seed"])) > 1 else ""
    caption = f"{_CAPTION}{bands} {launch.dataset}."
    return heading(title) + figure_block(folder, "neighbour_angle", figure, caption, data)
