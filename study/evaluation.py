"""Labels -> scores per image."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from study.config import Clustering
from study.data.batches import NetworkImage
from study.inference import ImageMaps, label_image
from study.metrics import scores


def evaluate(
    maps: Sequence[ImageMaps], images: Sequence[NetworkImage], settings: Clustering, threads: int = 1
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Scores of each image at its original size, and its labels.

    Parameters
    ----------
    maps, images : sequences of the same length
    settings : Clustering
    threads : int
        Images are clustered in that many threads.

    Returns
    -------
    table : DataFrame
        A row per image: `image`, then the scores of `study.metrics.scores`.
    labels : list of (M, N) int32 arrays
    """

    def one(pair: tuple[ImageMaps, NetworkImage]) -> tuple[dict, np.ndarray]:
        labels = label_image(*pair, settings)
        return {"image": pair[1].name, **scores(pair[1].original, labels)}, labels

    pairs = list(zip(maps, images, strict=True))
    with ThreadPoolExecutor(max(1, threads)) as pool:
        results = list(pool.map(one, pairs))
    return pd.DataFrame([row for row, _ in results]), [labels for _, labels in results]


def means(table: pd.DataFrame) -> dict[str, float]:
    """Mean of each score over the images; nothing where there are none."""
    if table.empty:
        return {}
    return {str(name): float(value) for name, value in table.drop(columns="image").mean().items()}
