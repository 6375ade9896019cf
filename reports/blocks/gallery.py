"""The test images that runs keep for a closer look, and which of them a page shows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, heading, paragraph, table_block, text_column
from study import figures
from study.figures import Tile, dimmed, label_picture, masks_of, matched_to
from study.figures.names import variant_label
from study.metrics.mistakes import mistakes
from study.runs.gallery import GalleryImage, gallery_of
from study.runs.job import Result

KINDS = ("merged", "split", "missed")  # of mistakes
ABOUT_MISTAKES = (
    "A true object is covered by the predicted one that holds more than half of its pixels; it is merged where that "
    "one covers another true object too, missed where there is none, and split where two or more predicted objects lie "
    "in it by more than half of their own pixels."
)
NO_GALLERY = (
    "Missing: the finished runs keep no labels of test images to choose from; those of versions before this figure do "
    "not, and a launch with reuse=0 makes them anew."
)


@dataclass(frozen=True)
class Pictured:
    """A run with the test images that it keeps, by name, and the scores of these."""

    title: str
    result: Result
    run_id: str
    images: Mapping[str, GalleryImage]

    def score(self, image: str, name: str = "sbd") -> float:
        """A score of an image; NaN where there is none."""
        table = self.result.table
        if name not in table:
            return float("nan")
        return dict(zip(table["image"].astype(str), table[name].astype(float), strict=True)).get(image, float("nan"))


def pictured(launch: LaunchResults, variants: Sequence[dict[str, Any]], titles: Sequence[str] = ()) -> list[Pictured]:
    """The runs of some variants that keep test images, all of one seed: the first that most of them have."""
    titles = titles or [variant_label(variant) for variant in variants]
    of_seed: dict[int, list[Pictured]] = {}
    for title, variant in zip(titles, variants, strict=True):
        for result in launch.of(variant):
            run_id = launch.run_of(result)
            if images := {image.name: image for image in gallery_of(run_id)}:
                of_seed.setdefault(result.seed, []).append(Pictured(title, result, run_id, images))
    return max((of_seed[seed] for seed in sorted(of_seed)), key=len, default=[])


def common_images(runs: Sequence[Pictured]) -> list[str]:
    """Names of the images that all of some runs keep, in the order of the test images."""
    return [name for name in runs[0].images if all(name in run.images for run in runs)] if runs else []


def chosen_images(names: Sequence[str], count: int, by: Callable[[str], Any]) -> list[str]:
    """The first `count` images when sorted by what `by` gives, and by their place where that is the same."""
    return sorted(names, key=by)[:count]


def truth_tile(image: GalleryImage) -> Tile:
    """The true labels."""
    return Tile(label_picture(image.scaled(image.truth)))


def embedding_tile(
    image: GalleryImage,
    outlines: Sequence[tuple[str, np.ndarray]] = (),
    numbers: Mapping[int, np.ndarray] | None = None,
) -> Tile | None:
    """The embedding, darker outside of the true objects; None where there is none."""
    if image.embedding is None:
        return None
    return Tile(dimmed(image.embedding, image.scaled(image.truth)), outlines, numbers or {})


def label_tile(image: GalleryImage, marked: Collection[str] = ()) -> Tile:
    """The labels of a run in the colours of the true ones; true objects with mistakes of some `KINDS` are outlined."""
    truth, found = image.scaled(image.truth), mistakes(image.truth, image.labels)
    ids = {"merged": [*chain(*found.merged)], "split": found.split, "missed": found.missed}
    outlines = [(kind, mask) for kind in marked for mask in masks_of(truth, ids[kind])]
    return Tile(label_picture(matched_to(truth, image.scaled(image.labels))), outlines)


def data_of(runs: Sequence[Pictured], images: Sequence[str]) -> pd.DataFrame:
    """What a figure of images shows: `image`, `variant`, `sbd`, objects with each kind of mistake, `seed`, `run_id`."""
    rows = []
    for image in images:
        for run in (run for run in runs if image in run.images):
            counts = _counts(run.images[image])
            about = {"seed": run.result.seed, "run_id": run.run_id}
            rows.append({"image": image, "variant": run.title, "sbd": run.score(image), **counts, **about})
    return pd.DataFrame(rows)


def _counts(image: GalleryImage) -> dict[str, int]:
    """True objects of an image, and those with each kind of mistake."""
    found = mistakes(image.truth, image.labels)
    objects = len(set(image.truth[image.truth > 0].tolist()))
    merged = sum(map(len, found.merged))
    return {"objects": objects, "merged": merged, "split": len(found.split), "missed": len(found.missed)}


def mistake_table(runs: Sequence[Pictured], what: str) -> tuple[Block, pd.DataFrame]:
    """How many objects each run merges, splits and misses, over all images that all of them keep."""
    names = common_images(runs)
    counts = ({"variant": run.title} | _sum([_counts(run.images[name]) for name in names]) for run in runs)
    sums = pd.DataFrame(counts)
    columns = [text_column("run", sums["variant"])]
    columns += [Column(name, [f"{value:,}" for value in sums[name]]) for name in ("objects", *KINDS)]
    caption = f"Mistakes in all {len(names)} test images that the runs keep labels of. {ABOUT_MISTAKES} {what}"
    return table_block(columns, caption), sums


def _sum(counts: Sequence[dict[str, int]]) -> dict[str, int]:
    return {name: sum(of_image[name] for of_image in counts) for name in ("objects", *KINDS)}


def missing_gallery(title: str) -> Block:
    """What a page says in place of a figure where no run keeps test images."""
    return heading(title) + paragraph(NO_GALLERY, "soft")


def mistake_figure(runs: Sequence[Pictured], names: Sequence[str], kinds: Collection[str]) -> Any:
    """Test images, their truth and the labels of some runs with their mistakes outlined: Wu et al. 2020, Fig. 8."""
    rows = []
    for name in names:
        first = runs[0].images[name]
        tiles = [Tile(first.picture), truth_tile(first), *(label_tile(run.images[name], kinds) for run in runs)]
        rows.append((name, tiles))
    titles = ["image", "truth", *(run.title for run in runs)]
    return figures.grid_figure(titles, rows, kinds)
