"""A foreground mask from the network's own maps, where the truth is not to be used."""

from __future__ import annotations

from math import cos, radians

import numpy as np

from study.clustering.embedding import mean_direction, unit_embedding

_NEARLY_ZERO = 0.05  # of the largest distance; below it lies the background, and thin rims of objects


def predicted_foreground(distance: np.ndarray, embedding: np.ndarray, angle: float) -> np.ndarray:
    """Pixels whose embedding is not that of the background.

    For networks trained with the background as an object of its own (`loss.background_as_object`), so that it has a
    direction. That is the mean over the pixels of nearly no distance, taken a second time over those of them within
    `angle` of the first, which leaves out the objects' rims. An image without background has no such direction.

    Parameters
    ----------
    distance : (M, N) float array
        Distance map, finite, at least 0.
    embedding : (M, N, E) float array
        Normalised here.
    angle : float
        Degrees between the background and what is foreground.

    Returns
    -------
    (M, N) bool array
        False where the embedding is zero or not finite.
    """
    vectors = unit_embedding(embedding)
    limit = cos(radians(angle))
    low = vectors[distance <= _NEARLY_ZERO * distance.max(initial=0)]
    first = mean_direction(low)
    background = mean_direction(low[low @ first >= limit])
    return np.isfinite(vectors[..., 0]) & ~(vectors @ background >= limit)
