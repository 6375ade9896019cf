"""How well an embedding keeps objects apart, whatever a clustering makes of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster import hierarchy
from scipy.sparse import csc_array
from scipy.spatial.distance import squareform

from study.metrics.registry import Metric, Score

AXIS = 30  # degrees; objects that share a direction are nearer, and those that are pushed apart are farther
_BLOCK = 2**18  # numbers that are summed at once: they stay in the cache


@dataclass(frozen=True)
class Directions:
    """Mean directions of the objects of an image, by their ids from 0 on.

    Attributes
    ----------
    vectors : (K, E) float64 array
        Unit vectors, where there is a direction.
    present : (K,) bool array
        Whether an object has one: not where it has no pixels, or its embeddings cancel out, are zero or not finite.
    """

    vectors: np.ndarray
    present: np.ndarray


def mean_directions(embedding: np.ndarray, labels: np.ndarray, count: int) -> Directions:
    """Mean directions of objects, which are those of the sums over their pixels.

    Parameters
    ----------
    embedding : (M, N, E) float array
        Unit vectors, of any precision.
    labels : (M, N) int array
        Ids 0, ..., `count` - 1.
    count : int

    Raises
    ------
    ValueError
        If the shapes do not fit, or `labels` has other ids.
    """
    if embedding.shape[:2] != labels.shape:
        raise ValueError(f"embedding {embedding.shape} and labels {labels.shape} differ in rows or columns")
    if labels.size and not 0 <= labels.min() <= labels.max() < count:
        raise ValueError(f"labels from {labels.min()} to {labels.max()} do not fit {count} objects")
    ids, rows = labels.ravel(), embedding.reshape(-1, embedding.shape[2])
    sums = np.zeros((count, rows.shape[1]))
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    for start in range(0, len(rows), step):
        block = rows[start : start + step].astype(np.float64)
        starts = np.arange(len(block) + 1)
        sums += csc_array((np.ones(len(block)), ids[start : start + step], starts), (count, len(block))) @ block
    lengths = np.linalg.norm(sums, axis=1)
    present = np.isfinite(lengths) & (lengths > 1e-9 * np.bincount(ids, minlength=count))  # below: rounding errors
    return Directions(sums / np.where(present, lengths, 1)[:, None], present)


def neighbour_angle(directions: Directions, neighbours: np.ndarray) -> float:
    """Mean angle between the mean directions of neighbouring objects, in degrees (Chen et al. 2019, Fig. 1).

    90 where neighbours are orthogonal, as the loss wants them, 0 where they share a direction. Every pair counts once,
    the background is no object. Objects without a direction are skipped.

    Parameters
    ----------
    directions : Directions
        Of objects 0, ..., K; 0 is the background.
    neighbours : (K + 1, K + 1) bool array
        Pairs of objects that count, in either triangle; the diagonal and the background's row and column are ignored.

    Returns
    -------
    float
        In [0, 180]; NaN where no pair counts.
    """
    objects = directions.present.copy()
    objects[0] = False
    first, second = np.nonzero(np.triu(neighbours | neighbours.T, 1) & objects[:, None] & objects)
    if not first.size:
        return float("nan")
    cosines = (directions.vectors[first] * directions.vectors[second]).sum(axis=1)
    return float(np.degrees(np.arccos(np.clip(cosines, -1, 1))).mean())


def distinct_axes(directions: Directions, within: float = AXIS) -> float:
    """Number of axes that the mean directions of an image's objects have, the background being one of the objects.

    A direction and its opposite are one axis, as they are for the absolute cosine. Directions are put together by
    complete linkage, so that no two of one axis are more than `within` degrees apart. Under global constraints |cos|
    leaves no more axes than there are dimensions (Wu et al. 2020, section 4.3: eight colours in Fig. 5c).

    Parameters
    ----------
    directions : Directions
    within : float
        Degrees.

    Returns
    -------
    float
        NaN where no object has a direction.
    """
    axes = directions.vectors[directions.present]
    if len(axes) < 2:
        return float(len(axes)) or float("nan")
    angles = np.degrees(np.arccos(np.clip(np.abs(axes @ axes.T), 0, 1)))
    tree = hierarchy.complete(squareform(angles, checks=False))
    return float(hierarchy.fcluster(tree, within, "distance").max())


_ANGLE = "mean angle between the embeddings of neighbours"
_AXES = f"axes of the embeddings of an image's objects that are more than {AXIS}° apart, the background's among them"
METRIC = Metric(
    (
        Score("neighbour_angle", "angle between neighbours, °", _ANGLE, None, ".1f", bounds=(0, 180)),
        Score("distinct_axes", "distinct axes", _AXES, None, ".1f", bounds=(0, None), summary=False),
    )
)
