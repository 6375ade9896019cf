"""What the methods share that fit a sample of the pixels and assign the others."""

from __future__ import annotations

import numpy as np

from study.clustering.connected import connected_components

FITTED_PIXELS = 20_000  # at most so many pixels of an image are fitted: HDBSCAN's time goes with their square
_SAMPLE_SEED = 0


def known_pixels(embedding: np.ndarray, foreground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the foreground pixels that have a direction, and their directions (P, E)."""
    known = foreground & np.isfinite(embedding[..., 0])
    return known, embedding[known]


def sample(count: int) -> np.ndarray:
    """Indices of the pixels to fit."""
    if count <= FITTED_PIXELS:
        return np.arange(count)
    return np.random.default_rng(_SAMPLE_SEED).choice(count, FITTED_PIXELS, replace=False)


def component_image(known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Image of the connected components of `labels` (P,), which belong to the pixels `known`."""
    image = np.zeros(known.shape, np.int32)
    image[known] = labels
    return connected_components(image).astype(np.int32)
