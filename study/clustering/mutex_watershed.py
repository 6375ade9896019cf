"""Mutex watershed: neighbours merge in the order of their similarity, unless distant pixels have parted them."""

from __future__ import annotations

import numpy as np
from bioimage_cpp import affinities, segmentation

from study.config import Clustering

_ATTRACTIVE = ((1, 0), (0, 1))


def mutex_watershed(
    distance: np.ndarray, embedding: np.ndarray, settings: Clustering, foreground: np.ndarray
) -> np.ndarray:
    """Objects from the angles between the embeddings of pairs of pixels (clusterer of Wu et al. 2020, Table 2).

    With angles in radians, neighbours over an edge attract each other by 1 - angle; pixels that are `mutex_range`
    apart along a row, a column or both (a diagonal) repel each other by angle - `mutex_bias`. All pairs are visited
    by falling weight: an attractive pair merges the objects of its pixels unless they are parted, a repulsive one
    parts them for good if they are still two (Wolf et al. 2018). So attraction wins where the two angles sum to less
    than 1 + `mutex_bias`, and touching objects too small to hold a repulsive pair between them are merged. The paper
    leaves pairs and weights open; these are our choice.

    Takes O(M N (E + log(M N))) time and O(M N E) memory. Of the repulsive pairs, only those that start on every
    `mutex_stride`-th row and column count, which saves time.

    Parameters
    ----------
    distance : (M, N) float array
        Not used.
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction.
    settings : Clustering
    foreground : (M, N) bool array
        Pixels to cluster; pairs with any other are left out.

    Returns
    -------
    (M, N) int32 array
        0 outside of the foreground and where there is no direction, otherwise ids from 1, with gaps. Every object is
        connected over edges.
    """
    far = settings.mutex_range
    offsets = [*_ATTRACTIVE, (far, 0), (0, far), (far, far), (far, -far)]
    known = foreground & np.isfinite(embedding[..., 0])
    # what is unknown takes part in no pair, but must be comparable
    vectors = np.moveaxis(np.where(known[..., None], embedding, 0), 2, 0)
    chord = affinities.compute_embedding_distances(vectors, offsets, norm="l2")
    weights = 2 * np.arcsin(np.minimum(chord / 2, 1))
    attractive, repulsive = np.split(weights, [len(_ATTRACTIVE)])
    np.subtract(1, attractive, out=attractive)
    repulsive -= settings.mutex_bias
    strides = [settings.mutex_stride] * 2
    labels = segmentation.mutex_watershed(weights, offsets, len(_ATTRACTIVE), strides=strides, mask=known)
    return labels.astype(np.int32)
