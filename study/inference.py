"""Image -> maps."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from study.config import Settings
from study.data.batches import NetworkImage
from study.device import autocast


@dataclass(frozen=True)
class ImageMaps:
    """What the network gives for an image, kept in half precision.

    Attributes
    ----------
    distance : (M, N) float16 array
        Distance map; 1 at the middle of an object.
    embedding : (M, N, E) float16 array
        Unit vectors; or, from the discriminative loss, vectors of any length in a unit in which objects that the loss
        is content with are at least the square root of 2 apart, as orthogonal unit vectors are; or the affinities
        that a network predicts, a channel for each offset. E = 0 where the network has no embedding.
    """

    distance: np.ndarray
    embedding: np.ndarray


def predict_maps(
    network: nn.Module, images: Sequence[NetworkImage], settings: Settings, *, pixels_at_once: int = 0
) -> list[ImageMaps]:
    """Maps of each image, as of `maps_of_pixels`."""
    return maps_of_pixels(network, [image.pixels for image in images], settings, pixels_at_once=pixels_at_once)


@torch.no_grad()
def maps_of_pixels(
    network: nn.Module, images: Sequence[np.ndarray], settings: Settings, *, pixels_at_once: int = 0
) -> list[ImageMaps]:
    """Maps of each image, in evaluation mode.

    Images of one shape share a batch. Sizes are brought to multiples of 2 to the depth by reflection, and the maps are
    cut back.

    Parameters
    ----------
    network : Module
    images : sequence of (M, N, C) float16 arrays
        Standardised, at the network's scale.
    settings : Settings
    pixels_at_once : int
        Bound on the pixels of a batch; 0 chooses: a GPU is quicker with many, a CPU needs less memory with few.
    """
    device = next(network.parameters()).device
    pixels_at_once = pixels_at_once or (2**21 if device.type == "cuda" else 2**17)
    was_training = network.training
    network.eval()
    maps: list[ImageMaps | None] = [None] * len(images)
    by_shape: dict[tuple, list[int]] = {}
    for i, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(i)
    for shape, indices in by_shape.items():
        _return_freed_memory(shape)
        size = max(1, pixels_at_once // (shape[0] * shape[1]))
        for start in range(0, len(indices), size):
            chunk = indices[start : start + size]
            stack = torch.from_numpy(np.stack([images[i] for i in chunk])).to(device)
            for i, result in zip(chunk, _predict(network, stack, settings), strict=True):
                maps[i] = result
    network.train(was_training)
    return [result for result in maps if result is not None]


_last: dict[str, tuple[int, ...]] = {"shape": ()}  # of the images that the network saw last


def _return_freed_memory(shape: tuple[int, ...]) -> None:
    """Give what was freed back to the operating system before images of another shape, where the C library can.

    The GNU C library keeps the memory of freed tensors, in pieces that do not fit those of another shape.
    """
    if shape == _last["shape"]:
        return  # it would be taken again at once, page by page
    _last["shape"] = shape
    trim = getattr(ctypes.pythonapi, "malloc_trim", None)
    if trim is not None:
        trim(0)


def _predict(network: nn.Module, pixels: torch.Tensor, settings: Settings) -> list[ImageMaps]:
    """Maps of a stack (B, M, N, C) of images."""
    images = pixels.permute(0, 3, 1, 2).float()
    height, width = images.shape[2:]
    divisor = 2**settings.network.depth
    padded = _pad(_pad(images, 3, -width % divisor), 2, -height % divisor)
    with autocast(settings.training.precision, images.device):
        output = network(padded)
    distance = output.distance[:, 0, :height, :width]
    embedding = output.embedding[:, :, :height, :width].permute(0, 2, 3, 1)
    if output.classes is None and output.mask is None:
        distance = distance / settings.loss.distance_scale
    if settings.clustering.metric == "euclidean":
        embedding = embedding * (2**0.5 / (2 * settings.loss.push_margin))
    return [
        ImageMaps(d, e)
        for d, e in zip(distance.half().cpu().numpy(), embedding.half().contiguous().cpu().numpy(), strict=True)
    ]


def _pad(images: torch.Tensor, axis: int, amount: int) -> torch.Tensor:
    """`images` with `amount` rows or columns more at the end, reflected, or repeated where they are too small."""
    if not amount:
        return images
    mode = "reflect" if amount < images.shape[axis] else "replicate"
    return F.pad(images, (0, amount, 0, 0) if axis == 3 else (0, 0, 0, amount), mode=mode)
