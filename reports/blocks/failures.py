"""What fools a U-Net, and what a W-Net makes of it: Fig. 2 and 4 of Wu et al. 2020."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reports.blocks.gallery import (
    ABOUT_MISTAKES,
    Pictured,
    chosen_images,
    common_images,
    data_of,
    embedding_tile,
    label_tile,
    missing_gallery,
    pictured,
    truth_tile,
)
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block, heading, paragraph
from study import figures
from study.figures import Tile
from study.metrics.mistakes import mistakes
from study.runs.gallery import GalleryImage

_FOOLED = 3  # images of Fig. 2
_FOOLING = ("merged", "split")  # kinds of mistakes
_FAILURES = 2  # of Fig. 4, as in the paper
_COLOURS = (
    "A colour stands for a direction of the embedding, the same in all pictures, and is darker outside of the true "
    "objects."
)


def fooled_figure(
    launch: LaunchResults, variants: Sequence[dict[str, Any]], titles: Sequence[str], folder: Path
) -> Block:
    """Test images whose objects the first of two networks merges or splits, and the other network's maps of them."""
    title = "Fig. 2: inputs that fool a U-Net"
    runs = pictured(launch, variants, titles)
    if len(runs) < 2 or not (names := common_images(runs)):
        return missing_gallery(title)
    first, second = runs
    fooling = [name for name in names if _is_fooled(first.images[name])]
    if not fooling:
        words = f"The {first.title} merges and splits no object in the {len(names)} test images that the runs keep."
        return heading(title) + paragraph(words)
    images = chosen_images(fooling, _FOOLED, lambda name: first.score(name) - second.score(name))
    rows = [(name, _fooled_tiles(first.images[name], second.images[name])) for name in images]
    above = ["image", "truth", f"labels, {first.title}", f"distance map, {second.title}", f"labels, {second.title}"]
    figure = figures.grid_figure(above, rows, _FOOLING)
    caption = (
        f"Fig. 2. Test images that fool the {first.title}: of the {len(fooling)} among {len(names)} test images in "
        f"which it merges or splits an object, those where its SBD is most below that of the {second.title}. The "
        "paper shows that a midvein and a boundary look alike, and that the distance map tells them apart: dark at a "
        f"boundary, bright at a midvein. {ABOUT_MISTAKES} Images {_with_scores(images, runs)}; seed "
        f"{first.result.seed}. {launch.data_and_budget}"
    )
    return heading(title) + figure_block(folder, "figure_2", figure, caption, data_of(runs, images))


def _is_fooled(image: GalleryImage) -> bool:
    found = mistakes(image.truth, image.labels)
    return bool(found.merged or found.split)


def _fooled_tiles(first: GalleryImage, second: GalleryImage) -> list[Tile | None]:
    distance = None if second.distance is None else Tile(second.distance)
    return [Tile(first.picture), truth_tile(first), label_tile(first, _FOOLING), distance, label_tile(second, _FOOLING)]


def failure_figure(
    launch: LaunchResults, variants: Sequence[dict[str, Any]], titles: Sequence[str], folder: Path
) -> Block:
    """Embeddings of the test images that the first of two networks does worst, and numbers on what it merges there."""
    title = "Fig. 4: embeddings of U-Net and W-Net, where the U-Net fails"
    runs = [run for run in pictured(launch, variants, titles) if _have_embeddings(run)]
    if len(runs) < 2 or not (names := common_images(runs)):
        return missing_gallery(title)
    first = runs[0]
    merging = [name for name in names if mistakes(first.images[name].truth, first.images[name].labels).merged]
    images = chosen_images(merging or names, _FAILURES, first.score)
    figure = figures.grid_figure(
        ["image", "truth", *(f"({letter}) {run.title}" for letter, run in zip("ab", runs, strict=True))],
        [(name, _numbered_tiles([run.images[name] for run in runs])) for name in images],
    )
    chosen = (
        f"of the {len(merging)} among {len(names)} test images in which the {first.title} merges objects, those of its "
        "lowest SBD. Numbered: the objects that its labels merge with another one"
        if merging
        else f"of {len(names)} test images, those of the lowest SBD of the {first.title}, which merges no objects in "
        "any of them, so that none is numbered"
    )
    caption = (
        f"Fig. 4. Embeddings, {chosen}. {_COLOURS} Images {_with_scores(images, runs)}; seed {first.result.seed}. "
        f"{launch.data_and_budget}"
    )
    return heading(title) + figure_block(folder, "figure_4", figure, caption, data_of(runs, images))


def _have_embeddings(run: Pictured) -> bool:
    return all(image.embedding is not None for image in run.images.values())


def _numbered_tiles(images: Sequence[GalleryImage]) -> list[Tile]:
    """An image, its truth and embeddings of it, with a number on every object that the first labels merge."""
    first = images[0]
    truth, groups = first.scaled(first.truth), mistakes(first.truth, first.labels).merged
    ids = [i for group in groups for i in group if np.any(truth == i)]
    numbers = {number: truth == i for number, i in enumerate(ids, start=1)}
    tiles = [Tile(first.picture, numbers=numbers), Tile(truth_tile(first).picture, numbers=numbers)]
    return tiles + [tile for image in images if (tile := embedding_tile(image, numbers=numbers)) is not None]


def _with_scores(images: Sequence[str], runs: Sequence[Pictured]) -> str:
    """Names of images with the SBD of each run."""
    return "; ".join(
        f"{name} (SBD: {', '.join(f'{run.title} {run.score(name):.3f}' for run in runs)})" for name in images
    )
