"""W-Net: two U-Nets in a row, with intermediate distance regression supervision (Wu et al. 2020, Fig. 1 and 3b)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from study.config import setting
from study.maps import NetworkOutput
from study.networks.base import LossNeeds
from study.networks.unet import Branches, DistanceHead, EmbeddingHead, EmbeddingNetwork, unit


@dataclass(frozen=True)
class WNet(EmbeddingNetwork):
    """W-Net: two U-Nets in a row (Wu et al. 2020, Fig. 3b)."""

    key: ClassVar[str] = "wnet"

    # what the first net forwards (Table 1)
    concat_layer: str = setting("dfeat.32", choices=("distmap", "dfeat.8", "dfeat.32", "efeat.32", "dfeat.16+efeat.16"))
    stop_gradient: bool = False  # no gradient through the forwarded features
    aux_embedding: bool = False  # an embedding head and loss on the first net, whatever it forwards

    @property
    def two_tasks(self) -> bool:
        """Whether the first net is trained with the embedding loss, too; it then has a decoder for each task."""
        return self.aux_embedding or "efeat" in self.concat_layer

    def build(self, channels: int, loss: LossNeeds, dims: int = 2) -> WNetModule:
        return WNetModule(channels, self, normalised=loss.metric == "angle")


class ConcatenativeLayer(nn.Module):
    """What the first net forwards to the second with the image (Wu et al. 2020, section 3.2 and Table 1).

    `distmap` forwards the distance map. The others name kinds of features and their number of channels, such as
    `dfeat.32` or `dfeat.16+efeat.16`: a convolution brings the features to that many channels, which are L2 normalised
    pixel by pixel (without it training is unstable).
    """

    def __init__(self, settings: WNet):
        super().__init__()
        parts = [part.split(".") for part in settings.concat_layer.split("+") if "." in part]
        self.kinds = [kind for kind, _ in parts]
        self.convs = nn.ModuleList(nn.Conv2d(settings.base_width, int(width), 1) for _, width in parts)
        self.width = sum(int(width) for _, width in parts) or 1
        self.stop_gradient = settings.stop_gradient

    def forward(self, distance: Tensor, d_features: Tensor, e_features: Tensor) -> Tensor:
        features = {"dfeat": d_features, "efeat": e_features}
        parts = [unit(conv(features[kind])) for kind, conv in zip(self.kinds, self.convs, strict=True)]
        forwarded = torch.cat(parts, dim=1) if parts else distance
        return forwarded.detach() if self.stop_gradient else forwarded


class WNetModule(nn.Module):
    """The module of `WNet`: distance regression module, concatenative layer, embedding module.

    The first net keeps its distance head in every variant, since the seeds come from it. Where it is trained with the
    embedding loss too, it has an embedding head and a decoder of its own for that task. `normalised` makes embeddings
    unit vectors.
    """

    def __init__(self, channels: int, settings: WNet, *, normalised: bool):
        super().__init__()
        two_tasks = settings.two_tasks
        # features of one decoder would be the same under both names, whatever is forwarded
        self.first = Branches(channels, settings, separate=two_tasks)
        self.distance = DistanceHead(settings)
        self.aux_embedding = EmbeddingHead(settings, normalised=normalised) if two_tasks else None
        self.concat = ConcatenativeLayer(settings)
        self.second = Branches(channels + self.concat.width, settings, separate=False)
        self.embedding = EmbeddingHead(settings, normalised=normalised)

    def forward(self, images: Tensor) -> NetworkOutput:
        """Heads for standardised images (B, C, M, N); M and N are multiples of 2 to the depth."""
        distance, aux, stacked = self._first_net(images)
        features, _ = self.second(stacked)
        return NetworkOutput(distance=distance, embedding=self.embedding(features), aux_embedding=aux)

    def _first_net(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Distance map, embedding of the first net if it has one, and the input of the second net.

        Apart from `forward`, so that the features of the first net are freed before the second needs memory.
        """
        d_features, e_features = self.first(images)
        distance = self.distance(d_features)
        aux = self.aux_embedding(e_features) if self.aux_embedding is not None else None
        forwarded = self.concat(distance, d_features, e_features)
        return distance, aux, torch.cat([images, forwarded.to(images.dtype)], dim=1)
