"""Mutex watershed: neighbours merge in the order of their similarity, unless distant pixels have parted them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from bioimage_cpp import affinities, segmentation

from study.clustering.base import Clustering
from study.config import setting

_ATTRACTIVE = ((1, 0), (0, 1))


@dataclass(frozen=True)
class MutexWatershed(Clustering):
    """Objects from the angles between the embeddings of pairs of pixels (clusterer of Wu et al. 2020, Table 2).

    With angles in radians, neighbours over an edge attract each other by 1 - angle; pixels that are `range` apart along
    a row, a column or both (a diagonal) repel each other by angle - `bias`; `study.clustering.mutex.segment_affinities`
    says what follows from that. So attraction wins where the two angles sum to less than 1 + `bias`, and touching
    objects too small to hold a repulsive pair between them are merged. The paper leaves pairs and weights open; these
    are our choice.

    Takes O(M N (E + log(M N))) time and O(M N E) memory. Of the repulsive pairs, only those that start on every
    `stride`-th row and column count, which saves time. Every object is connected over edges.
    """

    key: ClassVar[str] = "mutex-watershed"
    metrics: ClassVar[tuple[str, ...]] = ("angle", "euclidean")

    # between pixels that repel each other, px along rows and columns
    range: int = setting(4, low=2, high=500, search=(2, 16, 1), label="repulsive range, px")
    # radians that a repulsive angle is reduced by
    bias: float = setting(0.2, low=0, high=3.14, search=(0.0, 1.0, 0.05), label="repulsive bias")
    # repulsive pairs start on every so many rows and columns
    stride: int = setting(1, low=1, high=500, search=(1, 5, 1), label="repulsive stride, px")

    @property
    def window_step(self) -> int:
        return self.stride

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        far = self.range
        offsets = [*_ATTRACTIVE, (far, 0), (0, far), (far, far), (far, -far)]
        known = foreground & np.isfinite(embedding[..., 0])
        # what is unknown takes part in no pair, but must be comparable
        vectors = np.moveaxis(np.where(known[..., None], embedding, 0), 2, 0)
        chord = affinities.compute_embedding_distances(vectors, offsets, norm="l2")
        weights = 2 * np.arcsin(np.minimum(chord / 2, 1))
        attractive, repulsive = np.split(weights, [len(_ATTRACTIVE)])
        np.subtract(1, attractive, out=attractive)
        repulsive -= self.bias
        strides = [self.stride] * 2
        labels = segmentation.mutex_watershed(weights, offsets, len(_ATTRACTIVE), strides=strides, mask=known)
        return labels.astype(np.int32)
