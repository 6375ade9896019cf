"""What a network gives: for a batch, head by head, and for an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

# maps that tell where objects are, of which a network has one
OBJECTNESS = ("distance", "foreground", "object_share", "near_affinity")
EMBEDDINGS = {"embedding": "angle", "euclidean_embedding": "euclidean", "affinities": "affinity"}  # map -> its metric


class NetworkOutput(NamedTuple):
    """What a network gives for a batch, a field for each head; None where a network lacks it.

    `*S` are (rows, columns) or (planes, rows, columns); all are float32.

    Attributes
    ----------
    distance : (B, 1, *S) tensor, at least 0
        Distance map, at the scale of the loss's `distance_scale`.
    foreground : (B, 1, *S) tensor
        Logits.
    classes : (B, 3, *S) tensor
        Background, object and contour, before the softmax.
    embedding : (B, E, *S) tensor
        Unit vectors over the channels, or, for a loss that uses Euclidean distances, vectors of any length.
    affinities : (B, N, *S) tensor in [0, 1]
        That a pixel and the one at each of N offsets belong together.
    aux_embedding : (B, E, *S) tensor
        Embedding of W-Net's first net.
    pyramid : tuple of (B, E, *S') tensors
        Embeddings at 1/2, 1/4, ... of the size.
    """

    distance: Tensor | None = None
    foreground: Tensor | None = None
    classes: Tensor | None = None
    embedding: Tensor | None = None
    affinities: Tensor | None = None
    aux_embedding: Tensor | None = None
    pyramid: tuple[Tensor, ...] = ()

    def maps(self, metric: str) -> dict[str, Tensor]:
        """The maps of `ImageMaps` that these heads give: (B, C, *S) tensors by name.

        Parameters
        ----------
        metric : str
            Of the embedding: one of the values of `EMBEDDINGS`.
        """
        found = {}
        if self.distance is not None:
            found["distance"] = self.distance
        if self.foreground is not None:
            found["foreground"] = self.foreground.sigmoid()
        if self.classes is not None:
            background, of_object, contour = self.classes.split(1, dim=1)
            # p / (p + p of the likelier other one)
            found["object_share"] = torch.sigmoid(of_object - torch.maximum(background, contour))
        if self.embedding is not None:
            found["embedding" if metric == "angle" else "euclidean_embedding"] = self.embedding
        if self.affinities is not None:
            found["affinities"] = self.affinities
        return found


@dataclass(frozen=True)
class ImageMaps:
    """What a network gives for an image or a volume, by name; kept in half precision.

    `*S` are (rows, columns) or (planes, rows, columns).

    Attributes
    ----------
    named : dict
        One of `OBJECTNESS`: a (*S) array, high inside of objects. `distance` is 1 at the middle of an object;
        `foreground` is a probability; `object_share` is the share of the object class in its sum with the likelier of
        background and contour, so that it is above 1/2 where an object is likeliest; `near_affinity`, of volumes, is
        the mean affinity to the neighbours over faces.
        At most one of `EMBEDDINGS`: a (*S, E) array. `embedding` has unit vectors. `euclidean_embedding` has vectors in
        a unit in which objects that the loss is content with are at least the square root of 2 apart, as orthogonal
        unit vectors are. `affinities` has a channel for each offset.
    """

    named: Mapping[str, np.ndarray]

    @property
    def objectness(self) -> np.ndarray:
        """The (*S) map that tells where objects are."""
        return next(self.named[name] for name in OBJECTNESS if name in self.named)

    @property
    def embedding(self) -> np.ndarray:
        """(*S, E) embedding or affinities; E = 0 where the network has neither."""
        found = next((self.named[name] for name in EMBEDDINGS if name in self.named), None)
        return np.zeros((*self.objectness.shape, 0), np.float16) if found is None else found

    @property
    def metric(self) -> str:
        """By what two pixels are compared: `angle`, `euclidean`, `affinity`, or `none`."""
        return next((metric for name, metric in EMBEDDINGS.items() if name in self.named), "none")

    @property
    def shape(self) -> tuple[int, ...]:
        """Size in pixels or voxels."""
        return self.objectness.shape
