"""A loss in one file: neighbours repel each other only while their embeddings are too similar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from study.config import setting
from study.losses.embedding import EmbeddingLoss
from study.losses.objects import between_mean, counted, object_sums, within_mean

_EPSILON = 1e-12  # under a root, whose gradient is infinite at 0


@dataclass(frozen=True)
class MarginLoss(EmbeddingLoss):
    """Cosine loss with the hinge of contrastive losses (Hadsell et al. 2006, section 2.1).

    Each pixel is pulled to the mean direction of its object. Two neighbours whose mean directions have a cosine of at
    most `margin` are left alone, so that more objects fit into few dimensions than if all had to be orthogonal.
    """

    key: ClassVar[str] = "margin"

    margin: float = setting(0.3, low=0, high=1, label="margin of the cosine", form="margin {}")

    def embedding_terms(self, embedding: Tensor, labels: Tensor, neighbours: Tensor) -> dict[str, Tensor]:
        sums, sizes = object_sums(embedding, labels, neighbours.shape[1])
        sizes = counted(sizes, self)
        lengths = torch.sqrt(sums.square().sum(2) + _EPSILON)
        # the cosines of an object's pixels to its mean direction add up to the length of the sum
        intra = within_mean(sizes - lengths, sizes, self)
        directions = sums / lengths.unsqueeze(2)
        too_similar = F.relu(directions @ directions.transpose(1, 2) - self.margin)
        inter = between_mean(too_similar, sizes > 0, neighbours, self)
        return {"inter": inter.mean(), "intra": intra.mean()}
