"""Networks: image -> distance map and embedding."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from study.config import Settings
from study.errors import unknown_name
from study.networks.pea import PixelEmbeddedAffinity
from study.networks.three_class import ThreeClassUNet
from study.networks.unet import DistanceHead, EmbeddingHead, Maps, UNet
from study.networks.wnet import WNet
from study.ranges import parse_ranges

__all__ = ["NETWORKS", "Maps", "build_network", "centre_embeddings"]

NETWORKS: dict[str, Callable[[int, Settings], nn.Module]] = {
    "unet": lambda channels, settings: UNet(channels, settings.network, normalised=_normalised(settings)),
    "wnet": lambda channels, settings: WNet(
        channels, settings.network, aux_loss=settings.loss.aux_embedding_loss, normalised=_normalised(settings)
    ),
    "three-class": lambda channels, settings: ThreeClassUNet(channels, settings.network),
    "residual": lambda channels, settings: PixelEmbeddedAffinity(channels, settings),
    "affinity": lambda channels, settings: PixelEmbeddedAffinity(
        channels, settings, affinity_channels=len(parse_ranges(settings.loss.ranges)) * settings.loss.neighbourhood // 2
    ),
}


def _normalised(settings: Settings) -> bool:
    return settings.clustering.metric == "angle"


def build_network(channels: int, settings: Settings) -> nn.Module:
    """A network with He-normal weights (Wu et al. 2020, section 4), drawn from torch's default generator.

    The biases are zero but for the distance head's, which starts at a tenth of the largest target: a head that starts
    at or below zero everywhere would never learn.

    Parameters
    ----------
    channels : int
        Channels of the images.
    settings : Settings

    Returns
    -------
    Module
        (B, C, M, N) standardised images -> `Maps`.

    Raises
    ------
    StudyError
        If the network's name is unknown.
    """
    if settings.network.name not in NETWORKS:
        raise unknown_name("network", settings.network.name, NETWORKS)
    network = NETWORKS[settings.network.name](channels, settings)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, DistanceHead):
            nn.init.constant_(module.conv.bias, 0.1 * settings.loss.distance_scale)  # type: ignore[arg-type]
    return network


@torch.no_grad()
def centre_embeddings(network: nn.Module, images: Tensor) -> None:
    """Shift the bias of each embedding head so that its output over `images` has zero mean.

    At He-normal weights all pixels point in nearly one direction, where |cos| of all pairs is 1 and its gradient
    vanishes; centred embeddings start spread over the sphere.
    """
    heads = [module for module in network.modules() if isinstance(module, EmbeddingHead)]

    def shift(conv, _inputs, output):
        conv.bias -= output.float().mean(dim=(0, 2, 3))

    hooks = [head.conv.register_forward_hook(shift) for head in heads]
    network(images)
    for hook in hooks:
        hook.remove()
