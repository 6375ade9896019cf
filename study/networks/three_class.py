"""U-Net that tells object, contour and background apart, a baseline of Chen et al. 2019 (section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from study.config import Network
from study.networks.unet import Branches, Head, Maps


class ThreeClassUNet(nn.Module):
    """U-Net with one head of three classes; it has no embedding.

    Parameters
    ----------
    channels : int
        Channels of the images.
    settings : Network
    """

    def __init__(self, channels: int, settings: Network):
        super().__init__()
        self.branches = Branches(channels, settings, two_tasks=False)
        self.classes = Head(settings, 3)

    def forward(self, images: Tensor) -> Maps:
        """Maps of standardised images (B, C, M, N); M and N are multiples of 2 to the depth."""
        features, _ = self.branches(images)
        classes = self.classes(features)
        background, of_object, contour = classes.split(1, dim=1)
        share = torch.sigmoid(of_object - torch.maximum(background, contour))  # p / (p + p of the likelier other one)
        return Maps(share, classes[:, :0], classes=classes)
