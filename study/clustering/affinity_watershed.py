"""Affinity watershed of an embedding, or of affinities that a network predicts (Huang et al. 2022, section 3.4)."""

from __future__ import annotations

import numpy as np
import torch

from study.affinities import affinities, pair_offsets
from study.clustering.mutex import affinity_watershed as watershed
from study.config import Clustering
from study.ranges import parse_ranges


def affinity_watershed(
    distance: np.ndarray, embedding: np.ndarray, settings: Clustering, foreground: np.ndarray
) -> np.ndarray:
    """Mutex watershed of the affinities at `affinity_ranges`, and merging of fragments.

    Affinities are the cosines of the embeddings of each pair of pixels, so that ranges and neighbourhood may be others
    than in training (adaptive affinity); with the `metric` `affinity` they are the network's own.

    Parameters
    ----------
    distance : (M, N) float array
        Not used.
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction; or an affinity for each offset.
    settings : Clustering
    foreground : (M, N) bool array
        Pixels to cluster.

    Returns
    -------
    (M, N) int32 array
        0 outside of the foreground and where there is no direction.
    """
    offsets = pair_offsets(parse_ranges(settings.affinity_ranges), neighbourhood=settings.affinity_neighbourhood)
    known = foreground & np.isfinite(embedding[..., 0])
    channels = np.moveaxis(np.where(known[..., None], embedding, 0), 2, 0)
    if settings.metric != "affinity":
        channels = affinities(torch.from_numpy(np.ascontiguousarray(channels))[None], offsets)[0].numpy()
    strides = [settings.affinity_stride] * 2
    return watershed(
        channels,
        offsets,
        strides=strides,
        bias=settings.affinity_bias,
        min_size=settings.fragment_size,
        mask=known,
    )
