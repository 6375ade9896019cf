"""U-Net that separates object, contour and background, a baseline of Chen et al. 2019 (section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from study.maps import NetworkOutput
from study.networks.base import LossNeeds
from study.networks.unet import Branches, ConvolutionalNetwork, Head


@dataclass(frozen=True)
class ThreeClassUNet(ConvolutionalNetwork):
    """U-Net with one head of three classes; it has no embedding."""

    key: ClassVar[str] = "three-class"
    heads: ClassVar[tuple[str, ...]] = ("classes",)

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> ThreeClassModule:
        return ThreeClassModule(channels, self)


class ThreeClassModule(nn.Module):
    """The module of `ThreeClassUNet`."""

    def __init__(self, channels: int, settings: ThreeClassUNet):
        super().__init__()
        self.branches = Branches(channels, settings, separate=False)
        self.classes = Head(settings, 3)

    def forward(self, images: Tensor) -> NetworkOutput:
        """Heads for standardised images (B, C, M, N); M and N are multiples of 2 to the depth."""
        features, _ = self.branches(images)
        return NetworkOutput(classes=self.classes(features))
