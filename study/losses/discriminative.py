"""Discriminative loss on embeddings that are not normalised (De Brabandere et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from study.config import setting
from study.losses.embedding import EmbeddingLoss
from study.losses.objects import between_mean, counted, flat_index, object_sums, of_pixels, within_mean

_EPSILON = 1e-12  # under a root, whose gradient is infinite at 0


@dataclass(frozen=True)
class DiscriminativeLoss(EmbeddingLoss):
    """Pull each pixel to the mean of its object, and the means of objects away from each other.

    An object's pixels may lie within `pull_margin` of its mean, and two means `push_margin` times two apart, before
    the squared hinges [|e - mean| - pull_margin]+ and [2 push_margin - |mean_a - mean_b|]+ are 0. A small
    `regulariser_weight` keeps the means near the origin. De Brabandere et al. push all pairs of objects apart, which is
    `constraints` = `global`.
    """

    key: ClassVar[str] = "discriminative"
    metric: ClassVar[str] = "euclidean"

    pull_margin: float = setting(0.5, low=0, high=100)  # an object's pixels may be this far from its mean
    push_margin: float = setting(1.5, low=1e-3, high=100)  # the means of two objects must be twice this far apart
    regulariser_weight: float = setting(1e-3, low=0, high=1e3)  # of the length of the means

    @property
    def embedding_scale(self) -> float:
        return 2**0.5 / (2 * self.push_margin)

    def embedding_terms(self, embedding: Tensor, labels: Tensor, neighbours: Tensor) -> dict[str, Tensor]:
        count = neighbours.shape[1]
        sums, sizes = object_sums(embedding, labels, count)
        means = sums / sizes.clamp(min=1).unsqueeze(2)
        sizes = counted(sizes, self)
        present = sizes > 0

        index = flat_index(labels, count)
        pixels = embedding.permute(0, 2, 3, 1).reshape(-1, embedding.shape[1])
        away = _length(pixels - of_pixels(means.flatten(0, 1), index))
        hinges = F.relu(away - self.pull_margin).square()
        pulled = means.new_zeros(sizes.numel()).index_add(0, index, hinges).view_as(sizes)
        intra = within_mean(pulled, sizes, self)

        apart = _length(means.unsqueeze(1) - means.unsqueeze(2))
        pushed = F.relu(2 * self.push_margin - apart).square()
        inter = between_mean(pushed, present, neighbours, self)

        lengths = torch.where(present, _length(means), 0).sum(1) / present.sum(1).clamp(min=1)
        return {"inter": inter.mean(), "intra": intra.mean(), "regulariser": lengths.mean()}

    def extra_terms(self, terms: dict[str, Tensor]) -> Tensor:
        return self.regulariser_weight * terms["regulariser"]


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length over the last axis."""
    return torch.sqrt(vectors.square().sum(-1) + _EPSILON)
