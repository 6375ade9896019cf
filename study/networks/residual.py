"""Residual U-Net with an embedding at every scale, for images and volumes (Huang et al. 2022).

The paper names the widths, batch normalisation and about 4.7 million parameters. Two residual blocks per level, which
give that size, the nearest upsampling and the kernels of volumes are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from study.affinities import unit_vectors
from study.config import setting
from study.maps import NetworkOutput
from study.networks.base import LossNeeds, Network

WIDTHS = (16, 32, 64, 128, 256)
_CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
_NORMS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOLS = {2: F.max_pool2d, 3: F.max_pool3d}


@dataclass(frozen=True)
class ResidualNetwork(Network):
    """Residual U-Net with a foreground head and an embedding at every scale (Huang et al. 2022).

    It has batch normalisation and no dropout.
    """

    key: ClassVar[str] = "residual"
    heads: ClassVar[tuple[str, ...]] = ("foreground", "embedding", "pyramid")
    dims: ClassVar[tuple[int, ...]] = (2, 3)

    base_width: int = setting(16, low=1, high=512)
    embedding_dim: int = setting(16, low=1, high=1024, label="dimensions of the embedding", form="{} dimensions")

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> ResidualUNet:
        return ResidualUNet(
            channels,
            dims=dims,
            widths=self.widths,
            embedding_dim=self.embedding_dim,
            unit=loss.metric == "angle",
            foreground_head=dims == 2,
        )


@dataclass(frozen=True)
class AffinityNetwork(Network):
    """Residual U-Net with a foreground head that predicts affinities, the baseline of Huang et al. 2022."""

    key: ClassVar[str] = "affinity"
    heads: ClassVar[tuple[str, ...]] = ("foreground", "affinities")
    dims: ClassVar[tuple[int, ...]] = (2, 3)

    base_width: int = setting(16, low=1, high=512)

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> ResidualUNet:
        return ResidualUNet(
            channels,
            dims=dims,
            widths=self.widths,
            affinity_channels=loss.affinity_channels(dims),
            foreground_head=dims == 2,
        )


def _convolution(dims: int, inputs: int, width: int, kernel: Sequence[int], *, bias: bool = False) -> nn.Module:
    """Convolution that keeps the size; `kernel` is (planes, in-plane), of which an image has the latter."""
    sides = (kernel[1],) * 2 if dims == 2 else (kernel[0], kernel[1], kernel[1])
    return _CONVOLUTIONS[dims](inputs, width, sides, padding=tuple(side // 2 for side in sides), bias=bias)


def _activated(dims: int, inputs: int, width: int, kernel: Sequence[int]) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU."""
    return nn.Sequential(_convolution(dims, inputs, width, kernel), _NORMS[dims](width), nn.ReLU(inplace=True))


class ResidualBlock(nn.Module):
    """Two convolutions that are added to their input; in a volume the first one stays within the plane."""

    def __init__(self, dims: int, width: int):
        super().__init__()
        self.layers = nn.Sequential(
            _activated(dims, width, width, (1, 3)), _convolution(dims, width, width, (3, 3)), _NORMS[dims](width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.layers(x))


def _blocks(dims: int, width: int) -> nn.Sequential:
    return nn.Sequential(ResidualBlock(dims, width), ResidualBlock(dims, width))


class UpStep(nn.Module):
    """One level up: nearest upsampling, a convolution, the skip connection added, residual blocks."""

    def __init__(self, dims: int, inputs: int, width: int):
        super().__init__()
        self.up = _activated(dims, inputs, width, (1, 3))
        self.blocks = _blocks(dims, width)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.up(F.interpolate(x, size=skip.shape[2:]))
        return self.blocks(x + skip)


class ResidualUNet(nn.Module):
    """Residual U-Net with one 1 x 1 embedding head per scale, or one affinity head.

    In a volume planes are neither pooled nor upsampled, and of two convolutions of a residual block one is 1 x 3 x 3,
    one 3 x 3 x 3; all others are within the plane. Weights are He-normal, drawn from torch's default generator; biases
    are zero.

    Parameters
    ----------
    channels : int
        Channels of the images.
    dims : 2 or 3
        Images or volumes.
    widths : sequence of int
        Channels at each scale, the finest first.
    embedding_dim : int
    unit : bool
        Whether embeddings are scaled to unit vectors.
    affinity_channels : int
        Number of offsets; not 0: affinities come from a head of their own in place of the embeddings (the affinity
        learning that the paper compares with).
    foreground_head : bool
        Whether there is a head for the foreground, too.

    Raises
    ------
    ValueError
        If `dims` is neither 2 nor 3.
    """

    def __init__(
        self,
        channels: int,
        *,
        dims: int = 2,
        widths: Sequence[int] = WIDTHS,
        embedding_dim: int = 16,
        unit: bool = False,
        affinity_channels: int = 0,
        foreground_head: bool = False,
    ):
        super().__init__()
        if dims not in _CONVOLUTIONS:
            raise ValueError(f"dims must be 2 or 3, not {dims}")
        self.pool, self.halved, self.unit = _POOLS[dims], (2, 2) if dims == 2 else (1, 2, 2), unit
        self.down = nn.ModuleList(
            nn.Sequential(_activated(dims, before, width, (1, 3)), _blocks(dims, width))
            for before, width in zip([channels, *widths], widths, strict=False)
        )
        steps = list(zip(widths[1:], widths, strict=False))
        self.up = nn.ModuleList(UpStep(dims, below, width) for below, width in reversed(steps))

        def head(width: int, outputs: int) -> nn.Module:
            return _convolution(dims, width, outputs, (1, 1), bias=True)

        self.embedding = nn.ModuleList(head(width, embedding_dim) for width in widths if not affinity_channels)
        self.affinity = head(widths[0], affinity_channels) if affinity_channels else None
        self.mask = head(widths[0], 1) if foreground_head else None
        self.apply(_he_normal)

    def forward(self, images: Tensor) -> NetworkOutput:
        """Heads for standardised images (B, C, *S) of at least 2^(scales - 1) rows and columns.

        Where these are no multiple of that, the coarser embeddings have their size rounded down.
        """
        x, passed = images, []
        for level, block in enumerate(self.down):
            x = block(self.pool(x, self.halved) if level else x)
            passed.append(x)
        features = [x]
        for step, skip in zip(self.up, reversed(passed[:-1]), strict=True):
            features.append(x := step(x, skip))
        features.reverse()
        embeddings = [head(scale).float() for head, scale in zip(self.embedding, features, strict=False)]
        finest, *coarser = (map(unit_vectors, embeddings) if self.unit else embeddings) if embeddings else (None,)
        return NetworkOutput(
            foreground=None if self.mask is None else self.mask(x).float(),
            embedding=finest,
            affinities=None if self.affinity is None else torch.sigmoid(self.affinity(x).float()),
            pyramid=tuple(coarser),
        )


def _he_normal(module: nn.Module) -> None:
    """Weights of a convolution (He et al. 2015), and a bias of zero."""
    if isinstance(module, nn.Conv2d | nn.Conv3d):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
