"""Embeddings as clusterers take them: NaN marks pixels without a direction or place."""

from __future__ import annotations

import numpy as np


def unit_embedding(embedding: np.ndarray) -> np.ndarray:
    """`embedding` (..., E) scaled to unit vectors in float32, NaN where a vector is zero or not finite.

    Every comparison with the cosine of NaN is false, so that a pixel without a direction belongs to nothing.
    """
    vectors = np.array(embedding, dtype=np.float32)
    norm = np.sqrt(np.einsum("...e,...e->...", vectors, vectors))
    vectors /= np.where(np.isfinite(norm) & (norm > 0), norm, np.float32(np.nan))[..., None]
    return vectors


def finite_embedding(embedding: np.ndarray) -> np.ndarray:
    """`embedding` (..., E) in float32, NaN where a vector is not finite."""
    vectors = np.asarray(embedding, dtype=np.float32)
    return np.where(np.isfinite(vectors).all(axis=-1, keepdims=True), vectors, np.float32(np.nan))
