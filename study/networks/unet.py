"""U-Net backbone and the U-Net with two heads (Ronneberger et al. 2015; Chen et al. 2019, Fig. 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from study.config import setting
from study.maps import NetworkOutput
from study.networks.base import LossNeeds, Network


@dataclass(frozen=True)
class ConvolutionalNetwork(Network):
    """What networks of plain convolutions have in common (Ronneberger et al. 2015)."""

    norm: str = setting("none", choices=("none", "batch", "group"))
    dropout: float = setting(0.5, low=0, high=0.95)  # at the two deepest levels and before each head
    head_layers: int = setting(1, low=1, high=4)  # convolutions of a head


@dataclass(frozen=True)
class EmbeddingNetwork(ConvolutionalNetwork):
    """What networks with a distance head and an embedding head have in common."""

    heads: ClassVar[tuple[str, ...]] = ("distance", "embedding")

    embedding_dim: int = setting(8, low=1, high=1024, label="dimensions of the embedding", form="{} dimensions")
    centre_embedding: bool = False  # start the embedding head at zero mean over the first batch
    leaky_distance_gradient: bool = False  # let the gradient pass where the distance head gives zero


@dataclass(frozen=True)
class UNet(EmbeddingNetwork):
    """U-Net with a distance head and an embedding head (Chen et al. 2019, Fig. 2; Wu et al. 2020, Fig. 3a)."""

    key: ClassVar[str] = "unet"

    # coordinate: two more input channels (Wu et al. 2020, section 4.2)
    concat_layer: str = setting(
        "none",
        choices=("none", "coordinate"),
        values={"none": "none (U-Net)", "coordinate": "coordinate (U-Net)"},
    )
    decoders: str = setting("shared", choices=("shared", "separate"))  # of the two heads

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> UNetModule:
        return UNetModule(channels, self, normalised=loss.metric == "angle")


def unit(features: Tensor) -> Tensor:
    """L2 normalisation over the channels of each pixel, in float32."""
    return F.normalize(features.float(), dim=1)


def _block(inputs: int, width: int, norm: str) -> nn.Sequential:
    """Two 3 x 3 convolutions, each with ReLU, with a normalisation layer between where asked."""
    return nn.Sequential(*_layer(inputs, width, norm), *_layer(width, width, norm))


def _layer(inputs: int, width: int, norm: str) -> nn.Sequential:
    """A 3 x 3 convolution with ReLU, with a normalisation layer between where asked."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, width, 3, padding=1, bias=norm == "none")]
    if norm == "batch":
        layers.append(nn.BatchNorm2d(width))
    elif norm == "group":
        layers.append(nn.GroupNorm(min(8, width), width))
    return nn.Sequential(*layers, nn.ReLU(inplace=True))


class Encoder(nn.Module):
    """Contracting path: `depth` poolings, widths doubling from `base_width`, dropout at the two deepest levels."""

    def __init__(self, inputs: int, settings: ConvolutionalNetwork):
        super().__init__()
        widths = [settings.base_width * 2**level for level in range(settings.depth + 1)]
        self.blocks = nn.ModuleList(
            _block(before, width, settings.norm) for before, width in zip([inputs, *widths], widths, strict=False)
        )
        self.dropout = nn.Dropout(settings.dropout)

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = []
        for level, block in enumerate(self.blocks):
            x = block(F.max_pool2d(x, 2) if level else x)
            if level >= len(self.blocks) - 2:
                x = self.dropout(x)
            levels.append(x)
        return levels


class Decoder(nn.Module):
    """Expanding path: nearest upsampling with a 2 x 2 convolution, skip connection, two 3 x 3 convolutions."""

    def __init__(self, settings: ConvolutionalNetwork):
        super().__init__()
        widths = [settings.base_width * 2**level for level in reversed(range(settings.depth))]
        # a 2 x 2 convolution keeps the size if padded at the lower right: padded all around, and the first row and
        # column cut off, which needs no padded copy of the features
        self.ups = nn.ModuleList(nn.Conv2d(2 * width, width, 2, padding=1) for width in widths)
        self.blocks = nn.ModuleList(_block(2 * width, width, settings.norm) for width in widths)

    def forward(self, levels: list[Tensor]) -> Tensor:
        x = levels[-1]
        for up, block, skip in zip(self.ups, self.blocks, reversed(levels[:-1]), strict=True):
            x = F.relu(up(F.interpolate(x, scale_factor=2.0))[:, :, 1:, 1:])
            x = block(torch.cat([skip, x], dim=1))
        return x


class Head(nn.Module):
    """Dropout and `head_layers` convolutions, the last one linear and 1 x 1, those before it 3 x 3 with ReLU."""

    def __init__(self, settings: ConvolutionalNetwork, outputs: int):
        super().__init__()
        width, norm = settings.base_width, settings.norm
        layers = [_layer(width, width, norm) for _ in range(settings.head_layers - 1)]
        self.before = nn.Sequential(nn.Dropout(settings.dropout), *layers)
        self.conv = nn.Conv2d(width, outputs, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.conv(self.before(features)).float()


class DistanceHead(Head):
    """Distance map: a head with ReLU.

    With `leaky_distance_gradient` the gradient passes where the output is zero, so that the head cannot die: the
    squared error of a zero output either vanishes (background) or pulls the output up.
    """

    def __init__(self, settings: EmbeddingNetwork):
        super().__init__(settings, 1)
        self.leaky_gradient = settings.leaky_distance_gradient

    def forward(self, features: Tensor) -> Tensor:
        x = super().forward(features)
        if self.leaky_gradient and self.training:
            return x + (F.relu(x) - x).detach()
        return F.relu(x)


class EmbeddingHead(Head):
    """Embedding: a linear head, with L2 normalisation where the loss uses angular distance."""

    def __init__(self, settings: EmbeddingNetwork, *, normalised: bool):
        super().__init__(settings, settings.embedding_dim)
        self.normalised = normalised

    def forward(self, features: Tensor) -> Tensor:
        x = super().forward(features)
        return unit(x) if self.normalised else x


class Branches(nn.Module):
    """One encoder with a feature map for each of the two tasks, from a shared or from separate decoders."""

    def __init__(self, inputs: int, settings: ConvolutionalNetwork, *, separate: bool):
        super().__init__()
        self.encoder = Encoder(inputs, settings)
        self.decoders = nn.ModuleList(Decoder(settings) for _ in range(2 if separate else 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        levels = self.encoder(x)
        features = [decoder(levels) for decoder in self.decoders]
        return features[0], features[-1]


def with_coordinates(images: Tensor) -> Tensor:
    """Images with two more channels: row and column coordinate, each from -1 to 1 (Wu et al. 2020, section 4.2)."""
    rows, columns = (  # torch.linspace would freeze the size in an exported program
        torch.arange(side, device=images.device, dtype=images.dtype) * (2 / max(side - 1, 1)) - 1
        for side in images.shape[2:]
    )
    grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
    return torch.cat([images, grid.expand(images.shape[0], -1, -1, -1)], dim=1)


class UNetModule(nn.Module):
    """The module of `UNet`; `normalised` makes the embedding one of unit vectors."""

    def __init__(self, channels: int, settings: UNet, *, normalised: bool):
        super().__init__()
        self.coordinates = settings.concat_layer == "coordinate"
        self.branches = Branches(channels + 2 * self.coordinates, settings, separate=settings.decoders == "separate")
        self.distance = DistanceHead(settings)
        self.embedding = EmbeddingHead(settings, normalised=normalised)

    def forward(self, images: Tensor) -> NetworkOutput:
        """Heads for standardised images (B, C, M, N); M and N are multiples of 2 to the depth."""
        d_features, e_features = self.branches(with_coordinates(images) if self.coordinates else images)
        return NetworkOutput(distance=self.distance(d_features), embedding=self.embedding(e_features))
