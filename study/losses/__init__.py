"""Training losses."""

from __future__ import annotations

import torch
from torch import Tensor

from study.config import Loss
from study.losses.cosine import cosine_embedding_loss
from study.networks.unet import Maps

__all__ = ["LOSSES", "cosine_embedding_loss", "distance_loss", "total_loss"]

LOSSES = {"cosine": cosine_embedding_loss}


def distance_loss(distance: Tensor, target: Tensor, scale: float) -> Tensor:
    """Mean squared error of the distance map (Wu et al. 2020, section 3).

    Parameters
    ----------
    distance : (B, 1, M, N) tensor
        The network's map, which learns `scale` times the target.
    target : (B, M, N) tensor in [0, 1]
    scale : float
        Keeps the distance loss comparable with the embedding loss.

    Returns
    -------
    0-d tensor
    """
    return torch.mean((distance[:, 0] - scale * target) ** 2)


def total_loss(maps: Maps, target: Tensor, labels: Tensor, neighbours: Tensor, settings: Loss) -> dict[str, Tensor]:
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
    """
    inter, intra = LOSSES["cosine"](maps.embedding, labels, neighbours, settings)
    terms = {"loss_distance": distance_loss(maps.distance, target, settings.distance_scale)}
    terms |= {"loss_inter": inter, "loss_intra": intra}
    loss = settings.distance_weight * terms["loss_distance"] + _weighted(inter, intra, settings)
    if maps.aux_embedding is not None:
        terms["loss_aux"] = _weighted(*LOSSES["cosine"](maps.aux_embedding, labels, neighbours, settings), settings)
        loss = loss + terms["loss_aux"]
    return {"loss": loss, **terms}


def _weighted(inter: Tensor, intra: Tensor, settings: Loss) -> Tensor:
    """Lambda times the between-instance term plus the within-instance term, which `only` leaves out."""
    if isinstance(settings.inter_weight, str):
        return inter
    return settings.inter_weight * inter + intra
