"""Losses of an embedding and a distance map (or a foreground): what they have in common."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from study.config import setting
from study.data.batches import Batch
from study.losses.base import Loss, weighted_mask
from study.losses.objects import balancing_weight
from study.maps import NetworkOutput


@dataclass(frozen=True)
class EmbeddingLoss(Loss):
    """Distance loss plus embedding loss, whose terms push objects apart (inter) and pull each together (intra).

    A network with a foreground head in place of the distance head has its cross-entropy in place of the distance loss.
    """

    # lambda; only: no within-instance term
    inter_weight: float | str = setting(
        1.0, low=0, high=1e6, also=("only",), label="weight λ of the between-instance term", form="λ = {}"
    )
    constraints: str = setting("local", choices=("local", "global"), form="{} constraints")
    # closer objects are neighbours; px of an image 512 px wide, of others as many more or fewer as they are wider
    neighbour_distance: int = setting(10, low=1, high=4096, label="distance d of neighbours, px", form="d = {} px")
    intra_reduction: str = setting("object", choices=("object", "pixel"))
    inter_reduction: str = setting("object", choices=("object", "pair"))
    background_as_object: bool = True
    # of the cross-entropy of the foreground, where the network has that head; auto: 1 where the foreground is
    # predicted, 0 where it is given
    mask_weight: float | str = setting(1.0, low=0, high=1e6, also=("auto",), needs="foreground")
    embedding_weight: float = setting(1.0, low=0, high=1e6)  # of the embedding loss; that of the distance loss is 1
    # give foreground and background equal weight, pixel by pixel: in the distance loss, in the embedding loss too
    # (where it has a mean over pixels), or nowhere
    balance: str = setting("none", choices=("none", "distance", "both"))
    # the network learns the target times this
    distance_scale: float = setting(10.0, low=1e-3, high=1e3, needs="distance")

    @property
    def reach(self) -> int:
        return self.neighbour_distance

    @property
    def target_scale(self) -> float:
        return self.distance_scale

    def terms(self, output: NetworkOutput, batch: Batch, other: Tensor | None = None) -> dict[str, Tensor]:
        if output.foreground is not None:
            name, first = "loss_mask", weighted_mask(self.mask_weight, output.foreground, batch.labels)
        else:
            assert output.distance is not None
            name, first = "loss_distance", self.distance_loss(output.distance, batch.distance)
        assert output.embedding is not None
        terms = self.embedding_terms(output.embedding, batch.labels, batch.neighbours)
        embedding_loss = self._weighted(terms)
        named = {name: first} | {f"loss_{name}": value for name, value in terms.items()}
        if output.aux_embedding is not None:
            named["loss_aux"] = self._weighted(
                self.embedding_terms(output.aux_embedding, batch.labels, batch.neighbours)
            )
            embedding_loss = embedding_loss + named["loss_aux"]
        return {"loss": first + self.embedding_weight * embedding_loss, **named}

    def embedding_terms(self, embedding: Tensor, labels: Tensor, neighbours: Tensor) -> dict[str, Tensor]:
        """The terms `inter` and `intra` of an embedding, and maybe others, which `extra_terms` weighs.

        Parameters
        ----------
        embedding : (B, E, M, N) float tensor
            Unit vectors over the channels where the `metric` is `angle`.
        labels : (B, M, N) int64 tensor
            Ids 0, ..., K of each image; 0 is the background.
        neighbours : (B, K + 1, K + 1) bool tensor
            Pairs that are pushed apart under local constraints; objects that are missing from `labels` are skipped.

        Returns
        -------
        dict of 0-d tensors
            Averaged over the images; finite for any labels.
        """
        raise NotImplementedError

    def extra_terms(self, terms: dict[str, Tensor]) -> Tensor | float:
        """The weighted sum of all terms but `inter` and `intra`."""
        return 0.0

    def distance_loss(self, distance: Tensor, target: Tensor) -> Tensor:
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

        Returns
        -------
        0-d tensor
        """
        error = (distance[:, 0] - self.distance_scale * target).square()
        if self.balance == "none":
            return error.mean()
        inside = target > 0
        count, pixels = inside.sum((1, 2), keepdim=True), error[0].numel()
        whole = torch.full_like(count, pixels)
        weight = torch.where(inside, balancing_weight(count, whole), balancing_weight(whole - count, whole))
        return (weight * error).mean()

    def _weighted(self, terms: dict[str, Tensor]) -> Tensor:
        """Lambda times the between-instance term plus the within-instance term, which `only` leaves out."""
        if isinstance(self.inter_weight, str):
            loss = terms["inter"]
        else:
            loss = self.inter_weight * terms["inter"] + terms["intra"]
        extra = self.extra_terms(terms)
        return loss if isinstance(extra, float) else loss + extra
