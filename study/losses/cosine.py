"""Cosine embedding loss with local or global constraints (Chen et al. 2019, section 2.1; Wu et al. 2020, Eq. 1)."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csc_array
from torch import Tensor
from torch.autograd.function import once_differentiable

from study.config import Loss

_EPSILON = 1e-12
_SIMILARITIES = {"absolute": torch.abs, "squared": torch.square, "signed": torch.positive}


def object_sums(embedding: Tensor, labels: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Sum of the embeddings of each object, and its number of pixels.

    For unit embeddings this is all that Eq. 1 needs: the mean over an object's pixels of their cosine to the object's
    mean direction is the length of the sum divided by the number of pixels.

    Parameters
    ----------
    embedding : (B, E, M, N) float tensor
    labels : (B, M, N) int64 tensor
        Ids 0, ..., `count` - 1.
    count : int
        Number of objects, the background included.

    Returns
    -------
    sums : (B, count, E) float tensor
    sizes : (B, count) float tensor
    """
    batch, channels = embedding.shape[:2]
    rows = embedding.permute(0, 2, 3, 1).reshape(-1, channels)
    offsets = torch.arange(batch, device=labels.device).view(-1, 1, 1) * count
    index = (labels + offsets).reshape(-1)
    sums = _RowSums.apply(rows, index, batch * count)
    sizes = rows.new_zeros(batch * count).index_add(0, index, rows.new_ones(1).expand(len(index)))
    return sums.view(batch, count, channels), sizes.view(batch, count)


class _RowSums(torch.autograd.Function):
    """Sum of the rows (P, E) of each index (P,), as (count, E).

    On a CPU as the product with a sparse matrix of ones: it reads the rows once, in their order, so that sums are the
    same for any number of threads, and takes a third of the time of `index_add`.
    """

    @staticmethod
    def forward(ctx, rows: Tensor, index: Tensor, count: int) -> Tensor:
        ctx.save_for_backward(index)
        if rows.device.type != "cpu":
            return rows.new_zeros(count, rows.shape[1]).index_add(0, index, rows)
        pixels = len(rows)
        ones = np.ones(pixels, np.float32)
        members = csc_array((ones, index.numpy(), np.arange(pixels + 1)), shape=(count, pixels))
        return torch.from_numpy(members @ rows.numpy()).to(rows.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        (index,) = ctx.saved_tensors
        return grad.index_select(0, index), None, None


def cosine_embedding_loss(
    embedding: Tensor, labels: Tensor, neighbours: Tensor, settings: Loss
) -> tuple[Tensor, Tensor]:
    """Between-instance and within-instance terms of Wu et al. 2020, Eq. 1, each averaged over the images.

    Parameters
    ----------
    embedding : (B, E, M, N) float tensor
        Unit vectors over the channels.
    labels : (B, M, N) int64 tensor
        Ids 0, ..., K of each image; 0 is the background.
    neighbours : (B, K + 1, K + 1) bool tensor
        Pairs that are pushed apart under local constraints; objects that are missing from `labels` are passed over.
    settings : Loss
        `constraints`, `similarity`, the two reductions and `background_as_object`.

    Returns
    -------
    inter, intra : 0-d tensors
        Finite for any labels. An object without neighbours adds 0 to `inter` and counts in its mean.
    """
    sums, sizes = object_sums(embedding, labels, neighbours.shape[1])
    if not settings.background_as_object:
        sizes = torch.cat([torch.zeros_like(sizes[:, :1]), sizes[:, 1:]], dim=1)
    present = sizes > 0
    lengths = torch.sqrt(sums.square().sum(2) + _EPSILON)
    objects = present.sum(1).clamp(min=1)

    if settings.intra_reduction == "object":
        intra = torch.where(present, 1 - lengths / sizes.clamp(min=1), 0).sum(1) / objects
    else:
        intra = torch.where(present, sizes - lengths, 0).sum(1) / sizes.sum(1).clamp(min=1)

    means = sums / lengths.unsqueeze(2)
    cosines = means @ means.transpose(1, 2)
    similarity = _SIMILARITIES[settings.similarity](cosines)
    pairs = present.unsqueeze(1) & present.unsqueeze(2)
    if settings.constraints == "global":
        pairs = pairs & ~torch.eye(pairs.shape[1], dtype=torch.bool, device=pairs.device)
    else:
        pairs = pairs & neighbours
    similarity = torch.where(pairs, similarity, 0)
    if settings.inter_reduction == "object":
        inter = (similarity.sum(2) / pairs.sum(2).clamp(min=1)).sum(1) / objects
    else:
        inter = similarity.sum((1, 2)) / pairs.sum((1, 2)).clamp(min=1)
    return inter.mean(), intra.mean()
