"""Test images on a page: embeddings and labels side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block, heading, remarks
from study import figures
from study.figures.names import variant_label
from study.metrics import drawn_scores
from study.runs.job import Result, variant_name

_COLOURS = "A colour stands for a direction of the embedding, the same in all pictures."
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
    """Embeddings of the same test images by some variants.

    Parameters
    ----------
    launch : LaunchResults
    file : str
        Which of the ablation's `pictures`; also the name of the files.
    title, caption : str
        What stands above, and the first words below.
    folder : Path
    """
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
    caption = f"{caption} {_COLOURS} Images {images}; seed {seeds}. {launch.dataset}."
    return heading(title) + figure_block(folder, file, figure, caption, data) + missing


def strips_of(results: Mapping[str, Result]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """Pictures of results by title, as `study.figures.prediction_figure` takes them: image by image."""
    strips: dict[str, dict[str, np.ndarray]] = {}
    for title, result in results.items():
        for image, strip in zip(result.table["image"], result.panels, strict=False):
            strips.setdefault(image, {})[title] = strip
    return list(strips.items())
