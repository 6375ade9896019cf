"""Sums and means over objects, which all embedding losses are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csc_array
from torch import Tensor
from torch.autograd.function import once_differentiable

if TYPE_CHECKING:  # it is made of what is here
    from study.losses.embedding import EmbeddingLoss


def flat_index(labels: Tensor, count: int) -> Tensor:
    """Row of each pixel's object in a table of `count` rows per image: (B, M, N) labels -> (B M N,) int64 tensor."""
    offsets = torch.arange(len(labels), device=labels.device).view(-1, 1, 1) * count
    return (labels + offsets).reshape(-1)


def object_sums(embedding: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sum of the embeddings of each object (B, count, E), and its number of pixels (B, count).

    The embedding is (B, E, M, N), and the labels (B, M, N) are int64 ids 0, ..., `count` - 1.
    """
    batch, channels = embedding.shape[:2]
    rows, index = rows_of(embedding), flat_index(labels, count)
    sums = _RowSums.apply(rows, index, batch * count)
    return sums.view(batch, count, channels), object_sizes(rows, index, batch * count).view(batch, count)


def rows_of(embedding: Tensor) -> Tensor:
    """A row for each pixel, in float32 at least: (B, E, M, N) -> (B M N, E) tensor."""
    rows = embedding.permute(0, 2, 3, 1).reshape(-1, embedding.shape[1])
    return rows.to(torch.promote_types(rows.dtype, torch.float32))


def object_sizes(rows: Tensor, index: Tensor, count: int) -> Tensor:
    """Number of pixels of each object: (count,) tensor like `rows`."""
    if rows.device.type == "cpu":
        return torch.bincount(index, minlength=count).to(rows.dtype)  # which a GPU would have to wait for
    return rows.new_zeros(count).index_add(0, index, rows.new_ones(1).expand(len(index)))


def sum_rows(rows: Tensor, index: Tensor, count: int, weights: Tensor | None = None) -> Tensor:
    """Sum of the rows (P, E) of each index (P,), maybe weighted by (P,), as (count, E); without a gradient.

    On a CPU as the product with a sparse matrix: it reads the rows once, in their order, so that sums are the same for
    any number of threads, and takes a third of the time of `index_add`.
    """
    if rows.device.type != "cpu":
        weighted = rows if weights is None else rows * weights[:, None]
        return rows.new_zeros(count, rows.shape[1]).index_add(0, index, weighted)
    pixels = len(rows)
    entries = np.ones(pixels, np.float32) if weights is None else weights.detach().numpy()
    members = csc_array((entries, index.numpy(), np.arange(pixels + 1)), shape=(count, pixels))
    return torch.from_numpy(members @ rows.detach().numpy()).to(rows.dtype)


class _RowSums(torch.autograd.Function):
    """`sum_rows`, whose gradient is a lookup."""

    @staticmethod
    def forward(ctx, rows: Tensor, index: Tensor, count: int) -> Tensor:
        ctx.save_for_backward(index)
        return sum_rows(rows, index, count)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return grad.index_select(0, index), None, None


def counted(sizes: Tensor, settings: EmbeddingLoss) -> Tensor:
    """`sizes` (B, K + 1), that of the background 0 where it is no object."""
    if settings.background_as_object:
        return sizes
    return torch.cat([torch.zeros_like(sizes[:, :1]), sizes[:, 1:]], dim=1)


def within_mean(totals: Tensor, sizes: Tensor, settings: EmbeddingLoss) -> Tensor:
    """Within-instance term of each image, from the sum over the pixels of each object.

    `intra_reduction` = `object`: mean over objects of the mean over their pixels; `pixel`: mean over all pixels, with
    `balance` = `both` so weighted that the background and all objects together count the same (Chen et al. 2019,
    section 2.1).

    Parameters
    ----------
    totals, sizes : (B, K + 1) float tensors
        Objects of size 0 are skipped.
    settings : EmbeddingLoss

    Returns
    -------
    (B,) tensor
        0 without objects.
    """
    present = sizes > 0
    totals = torch.where(present, totals, 0)
    if settings.intra_reduction == "object":
        return (totals / sizes.clamp(min=1)).sum(1) / present.sum(1).clamp(min=1)
    pixels = sizes.sum(1)
    if settings.balance == "both":
        background = balancing_weight(sizes[:, 0], pixels)
        foreground = balancing_weight(pixels - sizes[:, 0], pixels)
        return (background * totals[:, 0] + foreground * totals[:, 1:].sum(1)) / pixels.clamp(min=1)
    return totals.sum(1) / pixels.clamp(min=1)


def balancing_weight(part: Tensor, whole: Tensor) -> Tensor:
    """Weight of a pixel of one of two parts, by which both count the same and all weights sum to `whole`.

    1 where there is only one part.
    """
    return torch.where((part > 0) & (part < whole), whole / (2 * part.clamp(min=1)), 1)


def between_mean(values: Tensor, present: Tensor, neighbours: Tensor, settings: EmbeddingLoss) -> Tensor:
    """Between-instance term of each image, from a value for each pair of objects.

    `constraints` = `local` counts pairs of neighbours, `global` all. `inter_reduction` = `object`: mean over objects of
    the mean over their partners, 0 without; `pair`: mean over ordered pairs.

    Parameters
    ----------
    values : (B, K + 1, K + 1) float tensor
    present : (B, K + 1) bool tensor
    neighbours : (B, K + 1, K + 1) bool tensor
    settings : EmbeddingLoss

    Returns
    -------
    (B,) tensor
        0 without pairs.
    """
    pairs = present.unsqueeze(1) & present.unsqueeze(2)
    if settings.constraints == "global":
        pairs = pairs & ~torch.eye(pairs.shape[1], dtype=torch.bool, device=pairs.device)
    else:
        pairs = pairs & neighbours
    values = torch.where(pairs, values, 0)
    if settings.inter_reduction == "object":
        return (values.sum(2) / pairs.sum(2).clamp(min=1)).sum(1) / present.sum(1).clamp(min=1)
    return values.sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
