"""ResNet-50 and ResNet-101 with an embedding at every scale, the larger backbones of Huang et al. 2022, Table 1.

The encoder is that of He, Zhang, Ren, Sun 2016, *Deep Residual Learning for Image Recognition*, Table 1, up to its
third stage (conv4_x), at 1/16 of the image's size, where the coarsest embedding of Huang et al. is. Its stride stands
in the 3 x 3 convolution of a block, as in the programs that all use, and not in the first 1 x 1 as in the text.

Huang et al. say neither how the decoder is made nor whether weights are pretrained. What they print, 15.3 and 34.3
million parameters, leaves no room for the fourth stage of either network, and 6.8 million for decoder and heads. Ours
has that size: it is the decoder of the residual U-Net (nearest upsampling, a 3 x 3 convolution, the skip connection
added, two residual blocks) with the encoder's widths and kind of block, and half the stem's width at full size, which
no skip connection leads to. In all it has 15.35 and 34.34 million. Weights are random; nothing is pretrained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn
from torch.nn import functional as F

from study.affinities import unit_vectors
from study.config import setting
from study.maps import NetworkOutput
from study.networks.base import LossNeeds, Network

_EXPANSION = 4  # channels of a block's output, relative to those of its 3 x 3 convolution


@dataclass(frozen=True)
class ResNet(Network):
    """A ResNet and a decoder with a foreground head and an embedding at every scale, at 1/16 with `depth` 4.

    `base_width` is the number of channels at full size, half of those of the stem: 32 for the widths of He et al. With
    less depth the last stages are left out.
    """

    heads: ClassVar[tuple[str, ...]] = ("foreground", "embedding", "pyramid")
    blocks: ClassVar[tuple[int, ...]]  # in each stage

    depth: int = setting(4, low=1, high=4)
    embedding_dim: int = setting(16, low=1, high=1024, label="dimensions of the embedding", form="{} dimensions")

    @property
    def widths(self) -> list[int]:
        """Channels at each scale: full size, stem, and the stages."""
        stages = [2 * self.base_width * _EXPANSION * 2**stage for stage in range(self.depth - 1)]
        return [self.base_width, 2 * self.base_width, *stages]

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> ResNetUNet:
        return ResNetUNet(channels, self.widths, self.blocks, self.embedding_dim, unit=loss.metric == "angle")


@dataclass(frozen=True)
class ResNet50(ResNet):
    """ResNet-50 (He et al. 2016) with a decoder of ours, as a backbone of Huang et al. 2022."""

    key: ClassVar[str] = "resnet-50"
    blocks: ClassVar[tuple[int, ...]] = (3, 4, 6)


@dataclass(frozen=True)
class ResNet101(ResNet):
    """ResNet-101 (He et al. 2016) with a decoder of ours, as a backbone of Huang et al. 2022."""

    key: ClassVar[str] = "resnet-101"
    blocks: ClassVar[tuple[int, ...]] = (3, 4, 23)


def _activated(inputs: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(*_normalised(inputs, width, kernel, stride), nn.ReLU(inplace=True))


def _normalised(inputs: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation."""
    convolution = nn.Conv2d(inputs, width, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width))


class Bottleneck(nn.Module):
    """Convolutions of 1 x 1, 3 x 3 (with the stride) and 1 x 1, added to the input, which is projected if need be."""

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__()
        narrow = max(1, width // _EXPANSION)
        self.layers = nn.Sequential(
            _activated(inputs, narrow, 1), _activated(narrow, narrow, 3, stride), _normalised(narrow, width, 1)
        )
        self.shortcut = nn.Identity() if inputs == width and stride == 1 else _normalised(inputs, width, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.layers(x))


class ResNetEncoder(nn.Module):
    """Stem and stages of a ResNet: features at 1/2, 1/4, ... of the image's size, with `widths` channels."""

    def __init__(self, channels: int, widths: Sequence[int], blocks: Sequence[int]):
        super().__init__()
        self.stem = _activated(channels, widths[0], 7, stride=2)
        self.stages = nn.ModuleList()
        for stage, (before, width) in enumerate(pairwise(widths)):
            first = Bottleneck(before, width, stride=2 if stage else 1)  # the first one follows a pooling
            self.stages.append(nn.Sequential(first, *(Bottleneck(width, width) for _ in range(blocks[stage] - 1))))

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.stem(images)
        features = [x]
        for stage, blocks in enumerate(self.stages):
            x = blocks(x if stage else F.max_pool2d(x, 3, stride=2, padding=1))
            features.append(x)
        return features


class UpStep(nn.Module):
    """One level up: nearest upsampling, a convolution, the skip connection added if there is one, two blocks."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        self.up = _activated(inputs, width, 3)
        self.blocks = nn.Sequential(Bottleneck(width, width), Bottleneck(width, width))

    def forward(self, x: Tensor, size: Sequence[int], skip: Tensor | None) -> Tensor:
        x = self.up(F.interpolate(x, size=size))
        return self.blocks(x if skip is None else x + skip)


class ResNetUNet(nn.Module):
    """A ResNet up to 1/2 to the number of scales below full size, and a decoder with an embedding head per scale.

    Parameters
    ----------
    channels : int
        Channels of the images.
    widths : sequence of int
        Channels at each scale, the finest first.
    blocks : sequence of int
        Residual blocks in each stage of the encoder.
    embedding_dim : int
    unit : bool
        Whether embeddings are scaled to unit vectors.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: Sequence[int], embedding_dim: int, *, unit: bool):
        super().__init__()
        self.unit = unit
        self.encoder = ResNetEncoder(channels, widths[1:], blocks)
        steps = list(zip(widths[1:], widths, strict=False))
        self.up = nn.ModuleList(UpStep(below, width) for below, width in reversed(steps))
        self.embedding = nn.ModuleList(nn.Conv2d(width, embedding_dim, 1) for width in widths)
        self.mask = nn.Conv2d(widths[0], 1, 1)

    def forward(self, images: Tensor) -> NetworkOutput:
        """Heads for standardised images (B, C, M, N), M and N multiples of 2^(scales - 1)."""
        *skips, x = self.encoder(images)
        features = [x]
        for step, skip in zip(self.up, [*reversed(skips), None], strict=True):
            x = step(x, images.shape[2:] if skip is None else skip.shape[2:], skip)
            features.append(x)
        features.reverse()
        embeddings = [head(scale).float() for head, scale in zip(self.embedding, features, strict=True)]
        finest, *coarser = map(unit_vectors, embeddings) if self.unit else embeddings
        return NetworkOutput(foreground=self.mask(x).float(), embedding=finest, pyramid=tuple(coarser))
