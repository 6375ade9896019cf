"""W-Net: two U-Nets in a row, with intermediate distance regression supervision (Wu et al. 2020, Fig. 1 and 3b)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from study.config import Network
from study.networks.unet import Branches, DistanceHead, EmbeddingHead, Maps, unit


class ConcatenativeLayer(nn.Module):
    """What the first net forwards to the second, beside the image (Wu et al. 2020, section 3.2 and Table 1).

    `distmap` forwards the distance map. The others name kinds of features and their number of channels, such as
    `dfeat.32` or `dfeat.16+efeat.16`: a convolution brings the features to that many channels, which are L2 normalised
    pixel by pixel (without it training is unstable).
    """

    def __init__(self, settings: Network):
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


class WNet(nn.Module):
    """Distance regression module, concatenative layer, embedding module.

    The first net keeps its distance head in every variant, since the seeds come from it. Where it is trained with the
    embedding loss too (the `efeat` layers, or `aux_loss`), it has an embedding head of its own.

    Parameters
    ----------
    channels : int
        Channels of the images.
    settings : Network
    aux_loss : bool
        An embedding head on the first net, whatever the concatenative layer.
    normalised : bool
        Whether embeddings consist of unit vectors.
    """

    def __init__(self, channels: int, settings: Network, *, aux_loss: bool = False, normalised: bool = True):
        super().__init__()
        two_tasks = aux_loss or "efeat" in settings.concat_layer
        self.first = Branches(channels, settings, two_tasks=two_tasks)
        self.distance = DistanceHead(settings)
        self.aux_embedding = EmbeddingHead(settings, normalised=normalised) if two_tasks else None
        self.concat = ConcatenativeLayer(settings)
        self.second = Branches(channels + self.concat.width, settings, two_tasks=False)
        self.embedding = EmbeddingHead(settings, normalised=normalised)

    def forward(self, images: Tensor) -> Maps:
        """Maps of standardised images (B, C, M, N); M and N are multiples of 2 to the depth."""
        distance, aux, stacked = self._first_net(images)
        features, _ = self.second(stacked)
        return Maps(distance, self.embedding(features), aux)

    def _first_net(self, images: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Distance map, embedding of the first net if it has one, and the input of the second net.

        Apart from `forward`, so that the features of the first net are freed before the second needs memory.
        """
        d_features, e_features = self.first(images)
        distance = self.distance(d_features)
        aux = self.aux_embedding(e_features) if self.aux_embedding is not None else None
        forwarded = self.concat(distance, d_features, e_features)
        return distance, aux, torch.cat([images, forwarded.to(images.dtype)], dim=1)
