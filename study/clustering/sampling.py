"""What the methods share that fit a sample of the pixels and assign the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from study.clustering.base import Clustering
from study.clustering.connected import connected_components

FITTED_PIXELS = 20_000  # at most so many pixels of an image are fitted: HDBSCAN's time goes with their square
_SAMPLE_SEED = 0


@dataclass(frozen=True)
class FittedClustering(Clustering):
    """A method that clusters the directions of the foreground; objects are the connected components of clusters."""

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        known = foreground & np.isfinite(embedding[..., 0])
        clusters = np.zeros(known.shape, np.int32)
        if known.any():
            clusters[known] = self.clusters(embedding[known], known.size)
        return connected_components(clusters).astype(np.int32)

    def clusters(self, directions: np.ndarray, pixels: int) -> np.ndarray:
        """Cluster of each of the directions (P, E), from 1, 0 = noise, in an image of so many pixels."""
        raise NotImplementedError


def sample(count: int) -> np.ndarray:
    """Indices of the pixels to fit."""
    if count <= FITTED_PIXELS:
        return np.arange(count)
    return np.random.default_rng(_SAMPLE_SEED).choice(count, FITTED_PIXELS, replace=False)
