"""Discriminative loss on embeddings that are not normalised (De Brabandere et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from study.config import setting
from study.losses.embedding import EmbeddingLoss
from study.losses.objects import (
    between_mean,
    counted,
    flat_index,
    object_sizes,
    rows_of,
    sum_rows,
    within_mean,
)

_EPSILON = 1e-12  # under a root, whose gradient is infinite at 0
_SMALLEST = 1e-6  # length that is divided by
_BLOCK = 2**17  # numbers, of which a few times as many stay in the cache of a core


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
        rows, index = rows_of(embedding), flat_index(labels, count)
        sizes = object_sizes(rows, index, len(labels) * count)
        means, pulled = _MeansAndPull.apply(rows, index, sizes, self.pull_margin)
        means, sizes = means.view(len(labels), count, -1), counted(sizes.view(-1, count), self)
        present = sizes > 0
        intra = within_mean(pulled.view_as(sizes), sizes, self)

        apart = torch.cdist(means, means, compute_mode="donot_use_mm_for_euclid_dist")
        pushed = F.relu(2 * self.push_margin - apart).square()
        inter = between_mean(pushed, present, neighbours, self)

        lengths = torch.where(present, _length(means), 0).sum(1) / present.sum(1).clamp(min=1)
        return {"inter": inter.mean(), "intra": intra.mean(), "regulariser": lengths.mean()}

    def extra_terms(self, terms: dict[str, Tensor]) -> Tensor:
        return self.regulariser_weight * terms["regulariser"]


class _MeansAndPull(torch.autograd.Function):
    """Mean of the rows (P, E) of each object (R, E), and the sum of its squared hinges (R,).

    Rows are looked at in blocks that stay in the cache. Kept for the gradient are the rows themselves and a number for
    each, and neither the means of all rows nor their differences.
    """

    @staticmethod
    def forward(ctx, rows: Tensor, index: Tensor, sizes: Tensor, margin: float) -> tuple[Tensor, Tensor]:
        means = sum_rows(rows, index, len(sizes)) / sizes.clamp(min=1).unsqueeze(1)
        away = rows.new_empty(len(rows))
        for block in _blocks(rows):
            away[block] = torch.linalg.vector_norm(rows[block] - means.index_select(0, index[block]), dim=1)
        hinges = F.relu(away - margin)
        ctx.save_for_backward(rows, index, sizes, means, 2 * hinges / away.clamp(min=_SMALLEST))
        return means, torch.zeros_like(sizes).index_add(0, index, hinges.square())

    @staticmethod
    @once_differentiable
    def backward(ctx, of_means: Tensor, of_pull: Tensor) -> tuple[Tensor, None, None, None]:
        rows, index, sizes, means, slope = ctx.saved_tensors
        slope = slope * of_pull.index_select(0, index)  # of a row, the mean kept fixed, along their difference
        total = torch.zeros_like(sizes).index_add(0, index, slope).unsqueeze(1)
        sums = sum_rows(rows, index, len(sizes), slope) - total * means
        shared = (of_means - sums) / sizes.clamp(min=1).unsqueeze(1)  # to each row by way of its mean
        grad = torch.empty_like(rows)
        for block in _blocks(rows):
            objects = index[block]
            apart = rows[block] - means.index_select(0, objects)
            torch.addcmul(shared.index_select(0, objects), apart, slope[block].unsqueeze(1), out=grad[block])
        return grad, None, None, None


def _blocks(rows: Tensor) -> list[slice]:
    """Parts of the rows; on a GPU, which needs much work at once, all of them."""
    step = len(rows) if rows.device.type != "cpu" else max(1, _BLOCK // max(1, rows.shape[1]))
    return [slice(start, start + step) for start in range(0, len(rows), max(1, step))]


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length over the last axis."""
    return torch.sqrt(vectors.square().sum(-1) + _EPSILON)
