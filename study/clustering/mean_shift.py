"""Mean shift: objects are the connected components of the modes that the directions form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from study.clustering.sampling import FittedClustering, sample
from study.config import setting

_MAX_SEEDS = 200  # from which mean shift climbs


@dataclass(frozen=True)
class MeanShift(FittedClustering):
    """Objects as components of the modes of the foreground's directions (clusterer of Wu et al. 2020, Table 2).

    A flat kernel of radius `bandwidth` climbs from directions in the 200 most populous cells of a grid as wide as the
    radius, over at most 20 000 foreground pixels, sampled by a fixed seed. Every foreground pixel then goes to the
    nearest mode. Local constraints let distant objects share a direction: they are separated as connected components.

    Bounded for P foreground pixels and K <= 200 modes by O(20 000 E) time for each of the at most 200 x 300 steps and
    O(P K E) for the assignment, and by O(P E) memory: about 1 s at 512 x 512, even for random directions.
    """

    key: ClassVar[str] = "mean-shift"
    metrics: ClassVar[tuple[str, ...]] = ("angle", "euclidean")

    # between unit embeddings
    bandwidth: float = setting(0.5, low=0.01, high=2, search=(0.3, 0.8, 0.02), label="bandwidth")

    def clusters(self, directions: np.ndarray, pixels: int) -> np.ndarray:
        from sklearn.cluster import MeanShift as Model  # takes a second, which runs by other methods need not wait for

        fitted = directions[sample(len(directions))]
        modes = Model(bandwidth=self.bandwidth, seeds=_populous(fitted, self.bandwidth)).fit(fitted)
        return 1 + modes.predict(directions)


def _populous(directions: np.ndarray, width: float) -> np.ndarray:
    """One direction of each of the most populous cells of a grid; their middles may have none within the bandwidth."""
    cells = np.round(directions / width).astype(np.int64)  # embeddings that are no unit vectors have no bound
    _, first, count = np.unique(cells, axis=0, return_index=True, return_counts=True)
    return directions[first[np.argsort(-count, kind="stable")[:_MAX_SEEDS]]]
