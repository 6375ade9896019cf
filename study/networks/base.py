"""What all networks have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import nn

from study.config import Component, setting


class LossNeeds(Protocol):
    """What a network is told of the loss that trains it, see `study.losses.base.Loss`."""

    metric: ClassVar[str]

    @property
    def target_scale(self) -> float: ...

    def affinity_channels(self, dims: int) -> int: ...


@dataclass(frozen=True)
class Network(Component):
    """From standardised images to the heads of `study.maps.NetworkOutput`.

    Attributes
    ----------
    heads : tuple of str
        Fields of `NetworkOutput` that the network gives, see also `heads_of`.
    dims : tuple of int
        Whether it takes images (2), volumes (3) or both.
    """

    heads: ClassVar[tuple[str, ...]] = ()
    dims: ClassVar[tuple[int, ...]] = (2,)

    base_width: int = setting(32, low=1, high=512)  # channels of the first level, doubled at each pooling
    depth: int = setting(4, low=1, high=7)  # number of poolings

    @property
    def name(self) -> str:
        """The key of the network."""
        return self.key

    @property
    def widths(self) -> list[int]:
        """Channels of each level, the finest first."""
        return [self.base_width * 2**level for level in range(self.depth + 1)]

    def heads_of(self, dims: int) -> tuple[str, ...]:
        """The heads for images (2) or volumes (3), whose foreground is everything."""
        return tuple(head for head in self.heads if dims == 2 or head != "foreground")

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> nn.Module:
        """An untrained network, drawn from torch's default generator.

        Parameters
        ----------
        channels : int
            Channels of the images.
        loss : LossNeeds
            A component of `study.losses`.
        dims : int
            One of `self.dims`.

        Returns
        -------
        Module
            (B, C, *S) standardised images -> `NetworkOutput`; rows and columns are multiples of 2 to the `depth`.
        """
        raise NotImplementedError
