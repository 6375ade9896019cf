"""Figures that pages share: embeddings and labels of test images, and angles over the training (Chen et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block, heading, paragraph, remarks
from study import figures, tracking
from study.figures.names import value_label, variant_label
from study.metrics import drawn_scores
from study.runs.job import Result, variant_name

_COLOURS = (
    "A colour stands for a direction of the embedding, the same in all pictures; outside of objects it has no meaning."
)
_ANGLE = "val/neighbour_angle"
_ABOUT_ANGLES = (
    "Mean angle between the embeddings of neighbouring objects of validation images over the training, as in Fig. 1 of "
    "Chen et al. 2019. Neighbours here: closer than 2 % of the image's longer side, whatever the loss takes for them. "
    "Dotted: 90°, where neighbours are orthogonal, as the loss wants them."
)
NO_PICTURES = "Missing: the runs keep no pictures of test images."


def first_with_pictures(results: Sequence[Result]) -> Result | None:
    """The first of some results that has pictures."""
    return next((result for result in results if result.panels), None)


def shown_images(result: Result, run_id: str) -> pd.DataFrame:
    """The images that a result has pictures of: `image`, the scores that are drawn, `variant`, `seed`, `run_id`."""
    scores = [score.key for score in drawn_scores(result.table)]
    table = result.table.head(len(result.panels))[["image", *scores]]
    return table.assign(variant=variant_name(result.variant), seed=result.seed, run_id=run_id)


def embeddings(launch: LaunchResults, file: str, title: str, caption: str, folder: Path) -> Block:
    """Embeddings of the same test images by the variants of one of the ablation's `pictures`, `file`."""
    variants = launch.ablation.pictures[file]
    shown = {variant_name(v): r for v in variants if (r := first_with_pictures(launch.of(v))) is not None}
    absent = [variant_label(v) for v in variants if variant_name(v) not in shown]
    missing = remarks("Missing here:", [f"{label}: no finished run with pictures" for label in absent])
    there = [variant for variant in variants if variant_name(variant) in shown]
    if not there:
        return heading(title) + missing
    results = [shown[variant_name(variant)] for variant in there]
    figure = figures.embedding_figure(there, [result.panels for result in results], "")
    parts = [shown_images(result, launch.run_of(result)).head(2) for result in results]
    data = pd.concat(parts, ignore_index=True)
    images = ", ".join(dict.fromkeys(data["image"]))
    seeds = ", ".join(map(str, sorted({result.seed for result in results})))
    caption = f"{caption} {_COLOURS} Images {images}; seed {seeds}. {launch.data_and_budget}"
    return heading(title) + figure_block(folder, file, figure, caption, data) + missing


Strips = list[tuple[str, dict[str, np.ndarray]]]  # as `study.figures.prediction_figure` takes them


def strips_of(pictured: Mapping[str, tuple[Iterable[Any], Iterable[np.ndarray]]]) -> Strips:
    """Pictures, image by image, of results by title: names of images, and pictures of the first of them."""
    strips: dict[str, dict[str, np.ndarray]] = {}
    for title, (images, pictures) in pictured.items():
        for image, strip in zip(images, pictures, strict=False):
            strips.setdefault(str(image), {})[title] = strip
    return list(strips.items())


def side_by_side(results: Mapping[str, tuple[Result, str]]) -> tuple[Strips, pd.DataFrame]:
    """Pictures of results with the ids of their runs, by title, and `shown_images` of all of them."""
    strips = strips_of({title: (result.table["image"], result.panels) for title, (result, _) in results.items()})
    return strips, pd.concat([shown_images(*pair) for pair in results.values()], ignore_index=True)


def _angle_curves(launch: LaunchResults, names: Sequence[str]) -> pd.DataFrame:
    """Mean angle between neighbours in degrees, `angle`, at each `step` of each training of a launch.

    The settings `names` tell the trainings apart; variants that do not name them are skipped.
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
    data = _angle_curves(launch, names)
    if not len(data):
        return heading(title) + paragraph("Missing: no finished run has logged angles between neighbours.", "soft")
    titles = {name: name.rpartition(".")[2].replace("_", " ") for name in names}
    labels = {titles[name]: [value_label(name, value) for value in data[name]] for name in names}
    figure = figures.angle_figure(data.assign(**labels), titles[colour], titles[style] if style else None)
    bands = " Bands: range over seeds." if len(set(data["seed"])) > 1 else ""
    caption = f"{_ABOUT_ANGLES}{bands} {launch.data_and_budget}"
    return heading(title) + figure_block(folder, "neighbour_angle", figure, caption, data)
