"""How well an embedding keeps objects apart, whatever a clustering makes of it."""

from __future__ import annotations

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform

from study.metrics.registry import Metric, Score

AXIS = 30  # degrees; objects that share a direction are nearer, and those that are pushed apart are farther


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
    directions, directed = mean_directions(embedding, labels, count)
    directed[0] = False
    first, second = np.nonzero(np.triu(neighbours | neighbours.T, 1) & directed[:, None] & directed)
    if not first.size:
        return float("nan")
    cosines = (directions[first] * directions[second]).sum(axis=1)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


def distinct_axes(embedding: np.ndarray, labels: np.ndarray, within: float = AXIS) -> float:
    """Number of axes that the mean directions of an image's objects have, the background being one of the objects.

    A direction and its opposite are one axis, as they are for the absolute cosine. Directions are put together by
    complete linkage, so that no two of one axis are more than `within` degrees apart. Under global constraints |cos|
    leaves no more axes than there are dimensions (Wu et al. 2020, section 4.3: eight colours in Fig. 5c).

    Parameters
    ----------
    embedding : (M, N, E) float array
        Unit vectors, of any precision.
    labels : (M, N) int array
        Ids 0, ..., K.
    within : float
        Degrees.

    Returns
    -------
    float
        NaN where no object has a direction.
    """
    directions, directed = mean_directions(embedding, labels, int(labels.max(initial=0)) + 1)
    axes = directions[directed]
    if len(axes) < 2:
        return float(len(axes)) or float("nan")
    angles = np.degrees(np.arccos(np.clip(np.abs(axes @ axes.T), 0, 1)))
    tree = hierarchy.complete(squareform(angles, checks=False))
    return float(hierarchy.fcluster(tree, within, "distance").max())


def mean_directions(embedding: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean direction (K, E) of the embedding of each of `count` = K objects, ids from 0 on, and whether it has one."""
    ids = labels.ravel()
    channels = embedding.reshape(-1, embedding.shape[2]).T.astype(np.float64)
    sums = np.stack([np.bincount(ids, channel, minlength=count) for channel in channels], axis=1)
    lengths = np.linalg.norm(sums, axis=1)
    directed = np.isfinite(lengths) & (lengths > 1e-9 * np.bincount(ids, minlength=count))  # below: rounding errors
    return sums / np.where(directed, lengths, 1)[:, None], directed


_ANGLE = "mean angle between the embeddings of neighbours"
_AXES = f"axes of the embeddings of an image's objects that are more than {AXIS}° apart, the background's among them"
METRIC = Metric(
    (
        Score("neighbour_angle", "angle between neighbours, °", _ANGLE, None, ".1f", bounds=(0, 180)),
        Score("distinct_axes", "distinct axes", _AXES, None, ".1f", bounds=(0, None), summary=False),
    )
)
