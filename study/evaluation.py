"""Maps -> labels -> scores per image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.clustering import Clustering
from study.data.batches import NetworkImage
from study.maps import ImageMaps
from study.metrics import distinct_axes, kind_of, mean_directions, neighbour_angle, scores, summary_scores
from study.metrics.registry import LEGACY, Score
from study.segmentation import label_image


@dataclass(frozen=True)
class Evaluation:
    """What clustering and scoring of a split gives.

    Attributes
    ----------
    table : DataFrame
        A row per image: `image`, the scores of `study.metrics.scores`, `neighbour_angle` in degrees and
        `distinct_axes` (NaN where the embedding is not compared by angles); or a row per quarter of a volume, see
        `scores_of_volume`.
    labels : list of (M, N) or (P, M, N) int32 arrays
        Of the first images, as many as were to be kept.
    """

    table: pd.DataFrame
    labels: list[np.ndarray]


REFERENCE_SCORES = ("sbd", "sbd_legacy", "arand")  # also with the reference's thresholds


def evaluate(
    maps: Sequence[ImageMaps],
    images: Sequence[NetworkImage],
    settings: Clustering,
    threads: int = 1,
    reference: Clustering | None = None,
    *,
    keep: int | None = None,
) -> Evaluation:
    """Cluster the maps of images and score the labels at the images' original size.

    Parameters
    ----------
    maps, images : sequences of the same length
    settings : Clustering
    threads : int
        Images are clustered in that many threads.
    reference : Clustering, optional
        With the paper's thresholds: what these give stands in further columns `{score}_paper_thresholds`.
    keep : int, optional
        Keep the labels of that many images; of all by default, which of many images fills the memory.
    """

    def one(pair: tuple[ImageMaps, NetworkImage]) -> tuple[list[dict], np.ndarray]:
        labels, rows = _scored(*pair, settings)
        if labels.ndim == 2:
            rows[0] |= _of_embedding(*pair)
        if reference is not None:
            others = rows if reference == settings else _scored(*pair, reference)[1]
            for row, other in zip(rows, others, strict=True):
                row |= {f"{key}_paper_thresholds": other[key] for key in REFERENCE_SCORES if key in other}
        return rows, labels

    rows: list[dict] = []
    kept: list[np.ndarray] = []
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for found, labels in pool.map(one, list(zip(maps, images, strict=True))):
            rows += found
            if keep is None or len(kept) < keep:
                kept.append(labels)
    return Evaluation(pd.DataFrame(rows), kept)


def _scored(maps: ImageMaps, image: NetworkImage, settings: Clustering) -> tuple[np.ndarray, list[dict]]:
    """Labels, and a row of scores for an image or for each quarter of a volume."""
    labels = label_image(maps, image, settings)
    if labels.ndim == 3:
        named = scores_of_volume(image.name, image.original, labels)
    else:
        named = [(image.name, scores(image.original, labels))]
    return labels, [{"image": name, **values} for name, values in named]


def _of_embedding(maps: ImageMaps, image: NetworkImage) -> dict[str, float]:
    if maps.metric != "angle":
        return {"neighbour_angle": np.nan, "distinct_axes": np.nan}
    directions = mean_directions(maps.embedding, image.labels, len(image.adjacent))
    return {
        "neighbour_angle": neighbour_angle(directions, image.adjacent),
        "distinct_axes": distinct_axes(directions),
    }


def scores_of_volume(name: str, true: np.ndarray, labels: np.ndarray) -> list[tuple[str, dict[str, float]]]:
    """Scores of the quarters of a volume along rows and columns, which intervals run over, with their names.

    Quarters without a labelled voxel are left out.

    Parameters
    ----------
    name : str
    true, labels : (P, M, N) int arrays
    """
    halves = ([slice(0, -(-side // 2)), slice(-(-side // 2), side)] for side in true.shape[1:])
    found = []
    for rows, columns in itertools.product(*halves):
        block = (slice(None), rows, columns)
        if true[block].any():
            place = f"rows {rows.start}-{rows.stop - 1}, columns {columns.start}-{columns.stop - 1}"
            found.append((f"{name}, {place}", scores(true[block], labels[block], "volumes")))
    return found


def means(table: pd.DataFrame) -> dict[str, float]:
    """Mean of each score over the images; nothing where there are none, or none has the score."""
    if table.empty:
        return {}
    return {str(name): float(value) for name, value in table.drop(columns="image").mean().dropna().items()}


def in_words(table: pd.DataFrame, split: str) -> str:
    """The means of a table of scores in a line, such as `20 test images: SBD 0.831, …`."""
    scores = means(table)
    shown = [s for s in summary_scores(scores) if s.group != LEGACY and not s.with_paper_thresholds]
    values = ", ".join(_in_words(score, scores[score.key]) for score in shown)
    return f"{len(table)} {split} {kind_of(table).item}{'s' * (len(table) != 1)}: {values}"


def _in_words(score: Score, value: float) -> str:
    """Such as `SBD 0.831` or `angle between neighbours 62.7°`."""
    name, _, unit = score.label.partition(", ")
    return f"{name} {value:{score.form}}{unit}"
