"""The residual U-Net in the harness: pixel-embedded affinity, and affinities learned directly (Huang et al. 2022)."""

from __future__ import annotations

from torch import Tensor, nn

from study.config import Settings
from study.networks.residual import ResidualUNet
from study.networks.unet import Maps


class PixelEmbeddedAffinity(nn.Module):
    """Residual U-Net with a mask head, and an embedding at each scale or affinities.

    Parameters
    ----------
    channels : int
        Channels of the images.
    settings : Settings
        `network.base_width` and `depth` give the widths, doubled at each pooling; it has batch normalisation and no
        dropout.
    affinity_channels : int
        Number of offsets whose affinities are predicted in place of an embedding; 0 for an embedding.
    """

    def __init__(self, channels: int, settings: Settings, *, affinity_channels: int = 0):
        super().__init__()
        network = settings.network
        self.network = ResidualUNet(
            channels,
            widths=[network.base_width * 2**level for level in range(network.depth + 1)],
            embedding_dim=network.embedding_dim,
            unit=settings.clustering.metric == "angle",
            affinity_channels=affinity_channels,
            mask_head=True,
        )

    def forward(self, images: Tensor) -> Maps:
        """Maps of standardised images (B, C, M, N); M and N are multiples of 2 to the depth."""
        embeddings, affinity, mask = self.network(images)
        assert mask is not None
        if affinity is not None:
            return Maps(mask.sigmoid(), affinity, mask=mask)
        return Maps(mask.sigmoid(), embeddings[0], mask=mask, pyramid=embeddings[1:])
