"""Affinity watershed of an embedding, or of affinities that a network predicts (Huang et al. 2022, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from study.affinities import affinities, pair_offsets, parse_ranges
from study.clustering.base import Clustering
from study.clustering.embedding import unit_embedding
from study.clustering.mutex import segment_affinities
from study.config import setting
from study.errors import StudyError


@dataclass(frozen=True)
class AffinityWatershed(Clustering):
    """Mutex watershed of the affinities at `ranges`, and merging of fragments.

    Affinities are the cosines of the embeddings of each pair of pixels, so that ranges and neighbourhood may be others
    than in training (adaptive affinity), or those that a network predicts. Embeddings of any length, as of the
    discriminative loss, are compared by the cosine too, as in Table 2 of the paper.
    """

    key: ClassVar[str] = "affinity-watershed"
    metrics: ClassVar[tuple[str, ...]] = ("angle", "euclidean", "affinity")
    dims: ClassVar[tuple[int, ...]] = (2, 3)

    # distances of the pairs, px; the first ones attract
    ranges: str = setting("1+3+5+9+27", check=parse_ranges, form="ranges {}")
    neighbourhood: int = setting(4, choices=(4, 8), form="N = {}")
    axial: str = setting(
        "1+2+3+4", check=parse_ranges, needs="volumes", form="axial ranges {}"
    )  # in planes of a volume
    # repulsive pairs start on every so many rows and columns
    stride: int = setting(5, low=1, high=500, search=(1, 10, 1), label="repulsive stride, px")
    # added to the weight of repulsive pairs: above 0 objects part
    bias: float = setting(0.0, low=-2, high=2, search=(-0.8, 0.8, 0.1), label="repulsive bias")
    # smaller objects join a neighbour, px
    fragment_size: int = setting(20, low=0, search=(0, 200, 20), label="minimum fragment, px")

    @property
    def window_step(self) -> int:
        return self.stride

    def check(self, settings) -> None:
        super().check(settings)
        if settings.embedding_metric != "affinity":
            return
        for name in ("ranges", "neighbourhood", *(["axial"] if settings.dims == 3 else [])):
            if getattr(self, name) != (trained := getattr(settings.loss, name)):
                raise StudyError(
                    "the only affinities that are known are those that were trained, as the network predicts them or "
                    f"as a volume is predicted in tiles: set clustering.{name}={trained}"
                )

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        axial = parse_ranges(self.axial) if objectness.ndim == 3 else None
        offsets = pair_offsets(parse_ranges(self.ranges), neighbourhood=self.neighbourhood, axial=axial)
        if metric == "euclidean":
            embedding = unit_embedding(embedding)
        known = foreground & np.isfinite(embedding[..., 0])
        channels = np.moveaxis(np.where(known[..., None], embedding, 0), -1, 0)
        if metric != "affinity":
            channels = affinities(torch.from_numpy(np.ascontiguousarray(channels))[None], offsets)[0].numpy()
        strides = [1] * (objectness.ndim - 2) + [self.stride] * 2
        return segment_affinities(
            channels, offsets, strides=strides, bias=self.bias, min_size=self.fragment_size, mask=known
        )
