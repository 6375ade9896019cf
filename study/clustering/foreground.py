"""A foreground mask from the network's own maps, where the truth is not to be used."""

from __future__ import annotations

from math import cos, radians

import numpy as np

from study.clustering.embedding import unit_embedding

_NEARLY_ZERO = 0.05  # of the largest distance; below it lies the background, and thin rims of objects


def predicted_foreground(distance: np.ndarray, embedding: np.ndarray, angle: float) -> np.ndarray:
    """Pixels whose embedding is not that of the background.

    For networks trained with the background as an object of its own (`loss.background_as_object`), so that it has a
    direction: the mean over the pixels of nearly no distance, taken again over the quarter of them most similar to it,
    because the first mean includes the objects' rims. An image without background has no such direction.

    Parameters
    ----------
    distance : (M, N) float array
        Distance map, finite, at least 0.
    embedding : (M, N, E) float array
        Normalised here.
    angle : float
        Degrees from the background's direction, beyond which a pixel is foreground.

    Returns
    -------
    (M, N) bool array
        False where the embedding is zero or not finite.
    """
    vectors = unit_embedding(embedding)
    known = np.isfinite(vectors[..., 0])
    low = vectors[known & (distance <= _NEARLY_ZERO * distance.max(initial=0))]
    if not len(low):
        return known
    similarity = low @ unit_embedding(low.sum(axis=0))
    background = unit_embedding(low[similarity >= np.quantile(similarity, 0.75)].sum(axis=0))
    return known & ~(vectors @ background >= cos(radians(angle)))
