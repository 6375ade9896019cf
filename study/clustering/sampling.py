"""What the methods share that fit a sample of the pixels and assign the others."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from cachetools import LRUCache, cached

from study.clustering.base import Clustering
from study.clustering.connected import connected_components

_SAMPLE_SEED = 0
_KEPT_BYTES = 2**27  # of clusters: those of 16 images of 512 x 512 px, by 30 settings each


@dataclass(frozen=True)
class FittedClustering(Clustering):
    """A method that clusters the directions of the foreground; objects are the connected components of clusters.

    Attributes
    ----------
    fitted_pixels : int
        At most so many pixels of an image are fitted; the others are assigned.
    """

    fitted_pixels: ClassVar[int]

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        known = foreground & np.isfinite(embedding[..., 0])
        clusters = np.zeros(known.shape, np.int32)
        if known.any():
            directions = embedding[known]
            clusters[known] = _clusters(self, directions, self.fit_settings(len(directions), known.size))
        return connected_components(clusters).astype(np.int32)

    def fit_settings(self, count: int, pixels: int) -> tuple[Any, ...]:
        """All that the clusters of so many directions in an image of so many pixels depend on, beside the directions.

        A search of thresholds clusters the same image tens of times, and often changes only what is done with the
        clusters later: the same directions with the same of these settings are clustered once.
        """
        raise NotImplementedError

    def clusters(self, directions: np.ndarray, *settings: Any) -> np.ndarray:
        """Cluster of each of the directions (P, E), from 1, 0 = noise, by what `fit_settings` gives."""
        raise NotImplementedError

    def sample(self, count: int) -> np.ndarray:
        """Indices of the pixels to fit among so many."""
        if count <= self.fitted_pixels:
            return np.arange(count)
        return np.random.default_rng(_SAMPLE_SEED).choice(count, self.fitted_pixels, replace=False)


def _key(method: FittedClustering, directions: np.ndarray, settings: tuple[Any, ...]) -> tuple[Any, ...]:
    return hashlib.sha256(np.ascontiguousarray(directions).data).digest(), directions.shape, method.key, settings


@cached(LRUCache(_KEPT_BYTES, lambda found: found.nbytes), key=_key, lock=threading.Lock())
def _clusters(method: FittedClustering, directions: np.ndarray, settings: tuple[Any, ...]) -> np.ndarray:
    """The clusters of the last images by the last settings are kept, in the least bytes."""
    found = method.clusters(directions, *settings)
    return found.astype(np.min_scalar_type(found.max()))
