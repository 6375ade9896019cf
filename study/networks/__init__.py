"""Networks: image -> the heads of `study.maps.NetworkOutput`."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from study.config import fields_of, registry
from study.networks.base import LossNeeds, Network
from study.networks.residual import AffinityNetwork, ResidualNetwork
from study.networks.resnet import ResNet50, ResNet101
from study.networks.three_class import ThreeClassUNet
from study.networks.unet import DistanceHead, EmbeddingHead, UNet
from study.networks.wnet import WNet

NETWORKS = registry(UNet, WNet, ThreeClassUNet, ResidualNetwork, AffinityNetwork, ResNet50, ResNet101)
CONCAT_LAYERS = {  # what can be forwarded, in the order of Table 1 of Wu et al. 2020 -> the network that has it
    layer: network.key for network in (UNet, WNet) for layer in fields_of(network)["concat_layer"].metadata["choices"]
}


def build_network(channels: int, network: Network, loss: LossNeeds, dims: int = 2) -> nn.Module:
    """A network with He-normal weights (Wu et al. 2020, section 4); see `Network.build`.

    The biases are zero but for the distance head's, which starts at a tenth of the largest target: a head that starts
    at or below zero everywhere would never learn.
    """
    module = network.build(channels, loss, dims)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for layer in module.modules():
        if isinstance(layer, DistanceHead):
            nn.init.constant_(layer.conv.bias, 0.1 * loss.target_scale)  # type: ignore[arg-type]
    return module


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
