"""Cosine embedding loss with local or global constraints (Chen et al. 2019, section 2.1; Wu et al. 2020, Eq. 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from study.config import setting
from study.losses.embedding import EmbeddingLoss
from study.losses.objects import between_mean, counted, object_sums, within_mean

_EPSILON = 1e-12
_SIMILARITIES = {"absolute": torch.abs, "squared": torch.square, "signed": torch.positive}


@dataclass(frozen=True)
class CosineLoss(EmbeddingLoss):
    """Between-instance and within-instance terms of Wu et al. 2020, Eq. 1, each averaged over the images.

    For unit embeddings the sums over objects are all that is needed: the mean over an object's pixels of their cosine
    to the object's mean direction is the length of the sum divided by the number of pixels. An object without
    neighbours adds 0 to `inter` and counts in its mean.
    """

    key: ClassVar[str] = "cosine"

    similarity: str = setting("absolute", choices=("absolute", "signed", "squared"))

    def embedding_terms(self, embedding: Tensor, labels: Tensor, neighbours: Tensor) -> dict[str, Tensor]:
        sums, sizes = object_sums(embedding, labels, neighbours.shape[1])
        sizes = counted(sizes, self)
        lengths = torch.sqrt(sums.square().sum(2) + _EPSILON)
        intra = within_mean(sizes - lengths, sizes, self)
        means = sums / lengths.unsqueeze(2)
        similarity = _SIMILARITIES[self.similarity](means @ means.transpose(1, 2))
        inter = between_mean(similarity, sizes > 0, neighbours, self)
        return {"inter": inter.mean(), "intra": intra.mean()}
