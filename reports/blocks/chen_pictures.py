"""Labels of methods side by side, and embeddings that are not consistent: Fig. 3 and 4 of Chen et al. 2019."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reports.blocks.gallery import (
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
from reports.blocks.page import Block, figure_block, heading
from reports.blocks.results import Competitor
from study import figures
from study.figures import Tile, found_colours
from study.figures.names import variant_label
from study.metrics.mistakes import matched
from study.runs.gallery import GalleryImage, gallery_of

_SHOWN = 2  # images of a figure
_MATCH = 0.6  # IoU from which a label is drawn as found, as in the paper
_APART = 45  # degrees; a pixel that is farther off lies nearer to an orthogonal object


def methods(launch: LaunchResults, baseline: str, competitors: Sequence[Competitor]) -> list[Pictured]:
    """The runs that Fig. 3 sets side by side: the system `baseline`, imported labels, and the control of the launch."""
    first = pictured(launch, [{"system": baseline}])
    imported = [(other, {image.name: image for image in gallery_of(other.run_id)}) for other in competitors]
    others = [Pictured(other.name, other.result, other.run_id, images) for other, images in imported if images]
    return [*first, *others, *own_run(launch)]


def own_run(launch: LaunchResults) -> list[Pictured]:
    """The run of the control of the launch; none where it keeps no test images."""
    control = launch.ablation.control
    return pictured(launch, [control], [f"E-LC, {variant_label(control)}"])


def labels_figure(runs: Sequence[Pictured], on_leaves: bool, measured_on: str, folder: Path) -> Block:
    """Labels of the same test images by all methods, of which the first chooses the images by its worst SBD."""
    title = "Fig. 3: labels of all methods"
    if not (names := common_images(runs)):
        return missing_gallery(title)
    images = chosen_images(names, _SHOWN, runs[0].score)
    rows = []
    for name in images:
        first = runs[0].images[name]
        tiles = [label_tile(run.images[name]) if on_leaves else _found_tile(run.images[name]) for run in runs]
        rows.append((name, [Tile(first.picture), truth_tile(first), *tiles]))
    figure = figures.grid_figure(["image", "truth", *(run.title for run in runs)], rows)
    colours = (
        "Labels have the colours of the true objects that they cover most"
        if on_leaves
        else f"Blue: labels whose IoU with a true object is above {_MATCH:g}; red: all others"
    )
    seeds = ", ".join(dict.fromkeys(str(run.result.seed) for run in runs))
    caption = (
        f"Fig. 3. The {len(images)} of {len(names)} test images with the lowest SBD of the {runs[0].title}: "
        f"{', '.join(images)}; seed {seeds}. {colours}. {measured_on}"
    )
    return heading(title) + figure_block(folder, "figure_3", figure, caption, data_of(runs, images))


def _found_tile(image: GalleryImage) -> Tile:
    return Tile(found_colours(image.scaled(image.labels), matched(image.truth, image.labels, _MATCH).tolist()))


def inconsistent_figure(runs: Sequence[Pictured], measured_on: str, folder: Path) -> Block:
    """Embeddings of the test images in which most pixels lie far off the mean direction of their object."""
    title = "Fig. 4: embeddings that are not consistent within an object"
    own = {run.title: run for run in runs if all(image.turn is not None for image in run.images.values())}
    if not own:
        return missing_gallery(title)
    (run,) = own.values()
    share = {name: _share(image) for name, image in run.images.items()}
    images = chosen_images(list(share), _SHOWN, lambda name: -share[name])
    figure = figures.grid_figure(
        ["image", "truth", "embedding", "labels"],
        [(name, _inconsistent_tiles(run.images[name])) for name in images],
        ("apart",),
    )
    shares = ", ".join(f"{name} ({100 * share[name]:.1f} %)" for name in images)
    caption = (
        f"Fig. 4. Embeddings of {run.title}: the {len(images)} of {len(share)} test images with the largest share of "
        f"object pixels that lie more than {_APART}° off the mean direction of their true object (apart), {shares}; "
        f"mean over all of them {100 * float(np.mean([*share.values()])):.1f} %. Seed {run.result.seed}. {measured_on}"
    )
    data = data_of([run], images).assign(share_apart=[share[name] for name in images])
    return heading(title) + figure_block(folder, "figure_4", figure, caption, data)


def _apart(image: GalleryImage) -> np.ndarray:
    assert image.turn is not None
    return image.turn > _APART


def _share(image: GalleryImage) -> float:
    """Share of object pixels that lie far off, 0 where there is no object."""
    inside = image.scaled(image.truth) > 0
    return float(_apart(image)[inside].mean()) if inside.any() else 0.0


def _inconsistent_tiles(image: GalleryImage) -> list[Tile | None]:
    far = _apart(image)
    outlines = [("apart", far)] if far.any() else []
    return [Tile(image.picture), truth_tile(image), embedding_tile(image, outlines), label_tile(image)]
