"""Maps -> labels -> scores per image."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study.config import Clustering
from study.data.batches import NetworkImage
from study.inference import ImageMaps, label_image
from study.metrics import neighbour_angle, scores


@dataclass(frozen=True)
class Evaluation:
    """What clustering and scoring of a split gives.

    Attributes
    ----------
    table : DataFrame
        A row per image: `image`, the scores of `study.metrics.scores`, and `neighbour_angle` in degrees (NaN where
        the embedding does not go by angles).
    labels : list of (M, N) int32 arrays
    """

    table: pd.DataFrame
    labels: list[np.ndarray]


def evaluate(
    maps: Sequence[ImageMaps], images: Sequence[NetworkImage], settings: Clustering, threads: int = 1
) -> Evaluation:
    """Cluster the maps of images and score the labels at the images' original size.

    Parameters
    ----------
    maps, images : sequences of the same length
    settings : Clustering
    threads : int
        Images are clustered in that many threads.
    """

    def one(pair: tuple[ImageMaps, NetworkImage]) -> tuple[dict, np.ndarray]:
        found, image = pair
        labels = label_image(found, image, settings)
        goes_by_angles = settings.metric == "angle" and found.embedding.shape[2]
        angle = neighbour_angle(found.embedding, image.labels, image.adjacent) if goes_by_angles else np.nan
        return {"image": image.name, **scores(image.original, labels), "neighbour_angle": angle}, labels

    with ThreadPoolExecutor(max(1, threads)) as pool:
        results = list(pool.map(one, list(zip(maps, images, strict=True))))
    return Evaluation(pd.DataFrame([row for row, _ in results]), [labels for _, labels in results])


def means(table: pd.DataFrame) -> dict[str, float]:
    """Mean of each score over the images; nothing where there are none, or none has the score."""
    if table.empty:
        return {}
    return {str(name): float(value) for name, value in table.drop(columns="image").mean().dropna().items()}


def in_words(table: pd.DataFrame, split: str) -> str:
    """The means of a table of scores in a line, such as `20 test images: SBD 0.831, …`."""
    scores = means(table)
    shown = {"SBD": "sbd", "foreground Dice": "fbd", "|DiC|": "abs_dic", "mAP": "map"}
    values = ", ".join(f"{name} {scores[key]:.3f}" for name, key in shown.items() if key in scores)
    return f"{len(table)} {split} images: {values}"
