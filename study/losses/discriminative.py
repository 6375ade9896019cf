"""Discriminative loss on embeddings that are not normalised (De Brabandere et al. 2017)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from study.config import Loss
from study.losses.objects import between_mean, counted, flat_index, object_sums, of_pixels, within_mean

_EPSILON = 1e-12  # under a root, whose gradient is infinite at 0


def discriminative_loss(embedding: Tensor, labels: Tensor, neighbours: Tensor, settings: Loss) -> dict[str, Tensor]:
    """Pull each pixel to the mean of its object, and the means of objects away from each other.

    An object's pixels may lie within `pull_margin` of its mean, and two means `push_margin` times two apart, before
    the squared hinges [|e - mean| - pull_margin]+ and [2 push_margin - |mean_a - mean_b|]+ are 0. A small
    `regulariser_weight` keeps the means near the origin.

    Parameters
    ----------
    embedding : (B, E, M, N) float tensor
    labels : (B, M, N) int64 tensor
        Ids 0, ..., K of each image; 0 is the background.
    neighbours : (B, K + 1, K + 1) bool tensor
        Pairs that are pushed apart under local constraints; De Brabandere et al. push all, which is `global`.
    settings : Loss
        The margins, `constraints`, the two reductions, `balance` and `background_as_object`.

    Returns
    -------
    dict of 0-d tensors
        `inter` (push), `intra` (pull) and `regulariser` (mean length of the objects' means), averaged over the images;
        finite for any labels.
    """
    count = neighbours.shape[1]
    sums, sizes = object_sums(embedding, labels, count)
    means = sums / sizes.clamp(min=1).unsqueeze(2)
    sizes = counted(sizes, settings)
    present = sizes > 0

    index = flat_index(labels, count)
    pixels = embedding.permute(0, 2, 3, 1).reshape(-1, embedding.shape[1])
    away = _length(pixels - of_pixels(means.flatten(0, 1), index))
    hinges = F.relu(away - settings.pull_margin).square()
    pulled = means.new_zeros(sizes.numel()).index_add(0, index, hinges).view_as(sizes)
    intra = within_mean(pulled, sizes, settings)

    apart = _length(means.unsqueeze(1) - means.unsqueeze(2))
    pushed = F.relu(2 * settings.push_margin - apart).square()
    inter = between_mean(pushed, present, neighbours, settings)

    lengths = torch.where(present, _length(means), 0).sum(1) / present.sum(1).clamp(min=1)
    return {"inter": inter.mean(), "intra": intra.mean(), "regulariser": lengths.mean()}


def _length(vectors: Tensor) -> Tensor:
    """Euclidean length over the last axis."""
    return torch.sqrt(vectors.square().sum(-1) + _EPSILON)
