"""How well an embedding keeps objects apart, whatever a clustering makes of it."""

from __future__ import annotations

import numpy as np

from study.metrics.registry import Metric, Score


def neighbour_angle(embedding: np.ndarray, labels: np.ndarray, neighbours: np.ndarray) -> float:
    """Mean angle between the mean directions of neighbouring objects, in degrees (Chen et al. 2019, Fig. 1).

    90 where neighbours are orthogonal, as the loss wants them, 0 where they share a direction. Every pair counts once,
    the background is no object. Skipped are objects that `labels` lacks, and objects without a direction: their
    embeddings cancel out, are zero or are not finite.

    Parameters
    ----------
    embedding : (M, N, E) float array
        Unit vectors, of any precision; the mean direction of an object is that of the sum over its pixels.
    labels : (M, N) int array
        Ids 0, ..., K; 0 is the background.
    neighbours : (K + 1, K + 1) bool array
        Pairs of objects that count, in either triangle; the diagonal and the background's row and column are ignored.

    Returns
    -------
    float
        In [0, 180]; NaN where no pair counts.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `labels` has ids beyond `neighbours`.
    """
    if embedding.shape[:2] != labels.shape:
        raise ValueError(f"embedding {embedding.shape} and labels {labels.shape} differ in rows or columns")
    count = len(neighbours)
    if labels.size and not 0 <= labels.min() <= labels.max() < count:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} do not fit {count} rows of neighbours")
    means = directions(embedding, labels, count)
    directed = (means != 0).any(axis=1)
    directed[0] = False
    first, second = np.nonzero(np.triu(neighbours | neighbours.T, 1) & directed[:, None] & directed)
    if not first.size:
        return float("nan")
    cosines = (means[first] * means[second]).sum(axis=1)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


def directions(embedding: np.ndarray, labels: np.ndarray, count: int = 0) -> np.ndarray:
    """Mean direction of the embedding (M, N, E) of each object of `labels` (M, N) and of the background.

    Gives (K, E) unit vectors for the ids 0, ..., K - 1, K being `count` at least; 0 where there are no such pixels, or
    their embeddings cancel out, are zero or are not finite.
    """
    ids = labels.ravel()
    channels = embedding.reshape(-1, embedding.shape[2]).T.astype(np.float64)
    sums = np.stack([np.bincount(ids, channel, minlength=count) for channel in channels], axis=1)
    lengths = np.linalg.norm(sums, axis=1)
    areas = np.bincount(ids, minlength=count)
    directed = np.isfinite(lengths) & (lengths > 1e-9 * areas) & (areas > 0)  # below: rounding errors
    return np.divide(sums, lengths[:, None], out=np.zeros_like(sums), where=directed[:, None])


_NAME = "mean angle between the embeddings of neighbours"
METRIC = Metric((Score("neighbour_angle", "angle between neighbours, °", _NAME, None, ".1f", bounds=(0, 180)),))
