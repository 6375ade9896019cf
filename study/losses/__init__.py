"""Training losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from study.affinities import label_pairs, pyramid_offsets
from study.config import Loss
from study.losses.affinity import affinity_loss, cross_loss, pyramid_loss, self_loss
from study.losses.cosine import cosine_embedding_loss
from study.losses.discriminative import discriminative_loss
from study.losses.objects import balancing_weight
from study.losses.three_class import class_loss
from study.networks.unet import Maps
from study.ranges import parse_ranges

__all__ = ["LOSSES", "class_loss", "cosine_embedding_loss", "discriminative_loss", "distance_loss", "total_loss"]

# (embedding (B, E, M, N), labels (B, M, N), neighbours (B, K + 1, K + 1), settings) -> `inter`, `intra` and others;
# the loss of affinities is apart, since it needs all scales and a second view
LOSSES = {"cosine": cosine_embedding_loss, "discriminative": discriminative_loss}


def distance_loss(distance: Tensor, target: Tensor, settings: Loss) -> Tensor:
    """Mean squared error of the distance map (Wu et al. 2020, section 3).

    Unless `balance` is `none`, pixels are so weighted that foreground and background count the same in each image
    (Chen et al. 2019, section 2.1).

    Parameters
    ----------
    distance : (B, 1, M, N) tensor
        The network's map, which learns `distance_scale` times the target: that keeps this loss comparable with the
        embedding loss.
    target : (B, M, N) tensor in [0, 1]
        0 in the background alone.
    settings : Loss

    Returns
    -------
    0-d tensor
    """
    error = (distance[:, 0] - settings.distance_scale * target).square()
    if settings.balance == "none":
        return error.mean()
    inside = target > 0
    count, pixels = inside.sum((1, 2), keepdim=True), error[0].numel()
    whole = torch.full_like(count, pixels)
    weight = torch.where(inside, balancing_weight(count, whole), balancing_weight(whole - count, whole))
    return (weight * error).mean()


def total_loss(
    maps: Maps, target: Tensor, labels: Tensor, neighbours: Tensor, settings: Loss, other: Tensor | None = None
) -> dict[str, Tensor]:
    """All terms of the loss of a batch: `loss`, their weighted sum, and the terms by name, as 0-d tensors.

    Parameters
    ----------
    maps : Maps
    target : (B, M, N) tensor
        Distance maps in [0, 1].
    labels : (B, M, N) int64 tensor
        Ids 0, ..., K.
    neighbours : (B, K + 1, K + 1) bool tensor
    settings : Loss
    other : (B, E, M, N) tensor, optional
        Embedding of a second view of the images, as of `study.data.views.View.back`; without it the affinity loss has
        no cross term.
    """
    if maps.classes is not None:
        return {"loss": class_loss(maps.classes, labels, balanced=settings.balance != "none")}
    if maps.mask is not None:
        name, first = "loss_mask", F.binary_cross_entropy_with_logits(maps.mask[:, 0], (labels > 0).to(maps.mask.dtype))
    else:
        name, first = "loss_distance", distance_loss(maps.distance, target, settings)
    if settings.name == "affinity":
        terms = affinity_terms(maps, labels, settings, other)
        embedding_loss = torch.stack(list(terms.values())).sum()
    else:
        terms = LOSSES[settings.name](maps.embedding, labels, neighbours, settings)
        embedding_loss = _weighted(terms, settings)
    named = {name: first} | {f"loss_{name}": value for name, value in terms.items()}
    if maps.aux_embedding is not None:
        named["loss_aux"] = _weighted(LOSSES[settings.name](maps.aux_embedding, labels, neighbours, settings), settings)
        embedding_loss = embedding_loss + named["loss_aux"]
    return {"loss": first + settings.embedding_weight * embedding_loss, **named}


def affinity_terms(maps: Maps, labels: Tensor, settings: Loss, other: Tensor | None) -> dict[str, Tensor]:
    """Weighted terms of the affinity loss (Huang et al. 2022, Eq. 7): `self`, `cross`, `pyramid`.

    Of a network that predicts affinities, `self` is their own error, and there are no others.
    """
    ranges, neighbourhood = parse_ranges(settings.ranges), settings.neighbourhood
    how: dict[str, Any] = {"balance": settings.pair_balance, "scale": settings.affinity_scale}
    finest, *coarser = pyramid_offsets(ranges, neighbourhood=neighbourhood)
    pairs = label_pairs(labels, finest)
    if not maps.pyramid:
        return {"self": affinity_loss(maps.embedding, pairs, **how)}
    terms = {"self": self_loss(maps.embedding, pairs, **how)}
    if other is not None and settings.cross_weight:
        cross = cross_loss(maps.embedding, other, pairs, detach=settings.cross_detach, **how)
        terms["cross"] = settings.cross_weight * cross
    if settings.pyramid_weight:
        coarser = coarser[: len(maps.pyramid)]
        terms["pyramid"] = settings.pyramid_weight * pyramid_loss(maps.pyramid[: len(coarser)], labels, coarser, **how)
    return terms


def _weighted(terms: dict[str, Tensor], settings: Loss) -> Tensor:
    """Lambda times the between-instance term plus the within-instance term, which `only` leaves out."""
    if isinstance(settings.inter_weight, str):
        loss = terms["inter"]
    else:
        loss = settings.inter_weight * terms["inter"] + terms["intra"]
    if "regulariser" in terms:
        loss = loss + settings.regulariser_weight * terms["regulariser"]
    return loss
