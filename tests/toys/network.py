"""A network in one file: dilated convolutions at full resolution, without pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from study.config import setting
from study.maps import NetworkOutput
from study.networks.base import LossNeeds, Network
from study.networks.unet import unit


@dataclass(frozen=True)
class Dilated(Network):
    """Convolutions whose dilation doubles from layer to layer (Yu & Koltun 2016, section 3), with two heads.

    There are `depth` + 1 layers of `base_width` channels each, so that the receptive field grows as fast as that of a
    network with `depth` poolings, and boundaries keep their place.
    """

    key: ClassVar[str] = "dilated"
    heads: ClassVar[tuple[str, ...]] = ("distance", "embedding")

    embedding_dim: int = setting(8, low=1, high=1024, label="dimensions of the embedding", form="{} dimensions")

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> nn.Module:
        return DilatedModule(channels, self, normalised=loss.metric == "angle")


class DilatedModule(nn.Module):
    """The module of `Dilated`; `normalised` makes the embedding one of unit vectors."""

    def __init__(self, channels: int, settings: Dilated, *, normalised: bool):
        super().__init__()
        self.normalised = normalised
        layers: list[nn.Module] = []
        for level in range(settings.depth + 1):
            inputs, dilation = settings.base_width if level else channels, 2**level
            layers += [nn.Conv2d(inputs, settings.base_width, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        self.layers = nn.Sequential(*layers)
        self.distance = nn.Conv2d(settings.base_width, 1, 1)
        self.embedding = nn.Conv2d(settings.base_width, settings.embedding_dim, 1)

    def forward(self, images: Tensor) -> NetworkOutput:
        """Heads for standardised images (B, C, M, N)."""
        features = self.layers(images)
        distance = F.softplus(self.distance(features).float())  # positive, and never without gradient
        embedding = self.embedding(features).float()
        return NetworkOutput(distance=distance, embedding=unit(embedding) if self.normalised else embedding)
