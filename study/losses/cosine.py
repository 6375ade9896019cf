"""Cosine embedding loss with local or global constraints (Chen et al. 2019, section 2.1; Wu et al. 2020, Eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from study.config import Loss
from study.losses.objects import between_mean, counted, object_sums, within_mean

_EPSILON = 1e-12
_SIMILARITIES = {"absolute": torch.abs, "squared": torch.square, "signed": torch.positive}


def cosine_embedding_loss(embedding: Tensor, labels: Tensor, neighbours: Tensor, settings: Loss) -> dict[str, Tensor]:
    """Between-instance and within-instance terms of Wu et al. 2020, Eq. 1, each averaged over the images.

    For unit embeddings the sums over objects are all that is needed: the mean over an object's pixels of their cosine
    to the object's mean direction is the length of the sum divided by the number of pixels.

    Parameters
    ----------
    embedding : (B, E, M, N) float tensor
        Unit vectors over the channels.
    labels : (B, M, N) int64 tensor
        Ids 0, ..., K of each image; 0 is the background.
    neighbours : (B, K + 1, K + 1) bool tensor
        Pairs that are pushed apart under local constraints; objects that are missing from `labels` are passed over.
    settings : Loss
        `constraints`, `similarity`, the two reductions, `balance` and `background_as_object`.

    Returns
    -------
    dict of 0-d tensors
        `inter` and `intra`, finite for any labels. An object without neighbours adds 0 to `inter` and counts in its
        mean.
    """
    sums, sizes = object_sums(embedding, labels, neighbours.shape[1])
    sizes = counted(sizes, settings)
    lengths = torch.sqrt(sums.square().sum(2) + _EPSILON)
    intra = within_mean(sizes - lengths, sizes, settings)
    means = sums / lengths.unsqueeze(2)
    similarity = _SIMILARITIES[settings.similarity](means @ means.transpose(1, 2))
    inter = between_mean(similarity, sizes > 0, neighbours, settings)
    return {"inter": inter.mean(), "intra": intra.mean()}
