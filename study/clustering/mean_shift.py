"""Mean shift: objects are the connected components of the modes that the directions form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.spatial import KDTree

from study.clustering.sampling import FittedClustering
from study.config import setting

_MAX_SEEDS = 200  # from which mean shift climbs
_MAX_STEPS = 300
_BLOCK = 2048  # points that are compared at a time, so that the products stay in the cache


@dataclass(frozen=True)
class MeanShift(FittedClustering):
    """Objects as components of the modes of the foreground's directions (clusterer of Wu et al. 2020, Table 2).

    A flat kernel of radius `bandwidth` climbs from directions in the 200 most populous cells of a grid as wide as the
    radius, over at most 20 000 foreground pixels, sampled by a fixed seed: what scikit-learn's MeanShift does start by
    start, all at once. Every foreground pixel then goes to the nearest mode. Local constraints let distant objects
    share a direction: they are separated as connected components.

    Bounded for P foreground pixels and K <= 200 modes by O(20 000 E) time for each of the at most 200 x 300 steps and
    O(P K E) for the assignment, and by O(P E) memory: under a second at 512 x 512 and E = 8.
    """

    key: ClassVar[str] = "mean-shift"
    metrics: ClassVar[tuple[str, ...]] = ("angle", "euclidean")
    fitted_pixels: ClassVar[int] = 20_000  # with 5000 a small bandwidth finds modes of the noise

    # between unit embeddings
    bandwidth: float = setting(0.5, low=0.01, high=2, search=(0.3, 0.8, 0.02), label="bandwidth")

    def fit_settings(self, count: int, pixels: int) -> tuple[float]:
        return (self.bandwidth,)

    def clusters(self, directions: np.ndarray, bandwidth: float) -> np.ndarray:
        fitted = directions[self.sample(len(directions))]
        modes = _modes(fitted, _populous(fitted, bandwidth), bandwidth)
        _, nearest = KDTree(modes).query(directions)
        return 1 + np.asarray(nearest)


def _modes(points: np.ndarray, starts: np.ndarray, width: float) -> np.ndarray:
    """Where a flat kernel climbs to, of modes within its radius the one with most points around it.

    All starts climb at once; each ends where a step is shorter than a thousandth of the radius.
    """
    points, means = points.astype(np.float64), starts.astype(np.float64)
    counts, climbing = np.zeros(len(means), np.int64), np.arange(len(means))
    for _ in range(_MAX_STEPS):
        moved, counts[climbing] = _means_within(points, means[climbing], width)
        step = np.linalg.norm(moved - means[climbing], axis=1)
        means[climbing] = moved
        climbing = climbing[step > width / 1000]
        if not len(climbing):
            break
    kept: list[np.ndarray] = []
    for mean in means[np.lexsort((*means.T[::-1], counts))[::-1]]:
        if not kept or np.linalg.norm(np.array(kept) - mean, axis=1).min() > width:
            kept.append(mean)
    return np.array(kept)


def _means_within(points: np.ndarray, means: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean (S, E) of the points within the radius around each of some means, and their number."""
    sums, counts = np.zeros_like(means), np.zeros(len(means), np.int64)
    for block in np.split(points, range(_BLOCK, len(points), _BLOCK)):
        within = 2 * means @ block.T - np.square(block).sum(1) >= np.square(means).sum(1)[:, None] - width**2
        counts += within.sum(1)
        sums += within.astype(np.float64) @ block
    empty = counts == 0  # it stays where it is
    return np.where(empty[:, None], means, sums / np.maximum(counts, 1)[:, None]), counts


def _populous(directions: np.ndarray, width: float) -> np.ndarray:
    """One direction of each of the most populous cells of a grid; their middles may have none within the bandwidth."""
    cells = np.round(directions / width).astype(np.int64)  # embeddings that are no unit vectors have no bound
    _, first, count = np.unique(cells, axis=0, return_index=True, return_counts=True)
    return directions[first[np.argsort(-count, kind="stable")[:_MAX_SEEDS]]]
