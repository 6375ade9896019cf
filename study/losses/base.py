"""What all losses have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from study.affinities import Offset
from study.config import Component
from study.data.batches import Batch
from study.data.views import View
from study.errors import StudyError
from study.maps import NetworkOutput


@dataclass(frozen=True)
class Loss(Component):
    """From the heads of a network and the targets of a batch to the terms of a loss.

    Attributes
    ----------
    metric : str
        By what it compares embeddings: `angle`, for which networks give unit vectors, or `euclidean`.
    trains : tuple of str
        Heads of `study.maps.NetworkOutput`, one of which a network must have.
    dims : tuple of int
        Whether it takes images (2), volumes (3) or both.
    """

    metric: ClassVar[str] = "angle"
    trains: ClassVar[tuple[str, ...]] = ("embedding",)
    dims: ClassVar[tuple[int, ...]] = (2,)

    @property
    def name(self) -> str:
        """The key of the loss."""
        return self.key

    @property
    def reach(self) -> int:
        """Objects closer than that are neighbours, px; 0 where the loss has no use for neighbours."""
        return 0

    @property
    def embedding_scale(self) -> float:
        """What brings embeddings to the unit in which clustering takes them, see `study.maps.ImageMaps`."""
        return 1.0

    @property
    def target_scale(self) -> float:
        """A distance head learns its target times this."""
        return 1.0

    @property
    def detaches_view(self) -> bool:
        """Whether the second view gets no gradient."""
        return False

    def affinity_channels(self, dims: int) -> int:
        """Number of offsets of an image (2) or a volume (3) whose affinities it trains."""
        return 0

    def offsets(self, dims: int) -> tuple[tuple[Offset, ...], ...]:
        """Offsets of the pairs whose affinities it trains, at each scale; none where it trains no affinities."""
        return ()

    def check(self, settings) -> None:
        if settings.dims not in self.dims:
            raise StudyError(
                f"loss.name={self.key} does not take the {settings.kind} of data.name={settings.data.name}: set "
                f"loss.name={' or '.join(settings.losses_that_fit())}"
            )
        if not set(self.trains) & set(settings.heads):
            raise StudyError(
                f"loss.name={self.key} trains {' or '.join(self.trains)}, which network.name={settings.network.key} "
                f"does not have: set network.name={' or '.join(settings.networks_that_fit())}"
            )

    def second_view(self, batch: Batch, heads: tuple[str, ...], generator: torch.Generator) -> View | None:
        """A second view of the images whose embedding `terms` takes; None where the loss needs none."""
        return None

    def terms(self, output: NetworkOutput, batch: Batch, other: Tensor | None = None) -> dict[str, Tensor]:
        """All terms of the loss of a batch: `loss`, their weighted sum, and the terms by name, as 0-d tensors.

        Parameters
        ----------
        output : NetworkOutput
        batch : Batch
        other : (B, E, *S) tensor, optional
            Embedding of the second view, brought back to the pixels of the images.
        """
        raise NotImplementedError


def weighted_mask(weight: float | str, foreground: Tensor, labels: Tensor) -> Tensor:
    """Weighted cross-entropy of the foreground: (B, 1, *S) logits, (B, *S) labels -> 0-d tensor.

    The weight `auto` counts as 1, see `study.runs.resources.resolve`.
    """
    scale = 1.0 if isinstance(weight, str) else weight
    return scale * F.binary_cross_entropy_with_logits(foreground[:, 0], (labels > 0).to(foreground.dtype))
