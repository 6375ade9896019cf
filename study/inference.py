"""Image -> maps."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from study.data.batches import NetworkImage
from study.device import autocast
from study.maps import OBJECTNESS, ImageMaps
from study.settings import Settings
from study.volume_inference import maps_of_volume


def predict_maps(network: nn.Module, images: Sequence[NetworkImage], settings: Settings) -> list[ImageMaps]:
    """Maps of each image or volume, see `maps_of_pixels`."""
    return maps_of_pixels(network, [image.pixels for image in images], settings)


def maps_of_pixels(network: nn.Module, images: Sequence[np.ndarray], settings: Settings) -> list[ImageMaps]:
    """Maps of each image, all in memory, see `maps_in_turn`."""
    found = dict(maps_in_turn(network, images, settings))
    return [found[i] for i in range(len(images))]


@torch.no_grad()
def maps_in_turn(
    network: nn.Module, images: Sequence[np.ndarray], settings: Settings
) -> Iterator[tuple[int, ImageMaps]]:
    """Maps of each image, in evaluation mode; volumes are predicted in tiles, see `study.volume_inference`.

    Images of one shape share a batch, so that the order is another than theirs: each comes with its index. Sizes are
    brought to multiples of 2 to the depth by reflection, and the maps are cut back.

    Parameters
    ----------
    network : Module
        In training mode again when all maps have been taken, if it was before.
    images : sequence of (M, N, C) or (P, M, N, C) float16 arrays
        Standardised, at the network's scale.
    settings : Settings
    """
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    if settings.dims == 3:
        for i, pixels in enumerate(images):
            yield i, maps_of_volume(network, pixels, settings, device)
    else:
        for batch in batches([image.shape for image in images], device.type):
            _return_freed_memory(images[batch[0]].shape)
            stack = torch.from_numpy(np.stack([images[i] for i in batch])).to(device)
            yield from zip(batch, _predict(network, stack, settings), strict=True)
    network.train(was_training)


def batches(shapes: Sequence[tuple[int, ...]], device: str) -> list[list[int]]:
    """Which of the images (M, N, C) or volumes (P, M, N, C) of some shapes the network takes at once on a device.

    Volumes are taken one by one.
    """
    # a GPU is quicker with many, a CPU needs less memory with few
    pixels_at_once = 2**21 if device == "cuda" else 2**17
    by_shape: dict[tuple, list[int]] = {}
    for i, shape in enumerate(shapes):
        by_shape.setdefault(shape, []).append(i)
    found = []
    for shape, indices in by_shape.items():
        size = max(1, pixels_at_once // (shape[0] * shape[1])) if len(shape) == 3 else 1
        found += [indices[start : start + size] for start in range(0, len(indices), size)]
    return found


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
    maps = output.maps(settings.embedding_metric)
    arrays = {name: _array(name, values[:, :, :height, :width], settings) for name, values in maps.items()}
    return [ImageMaps({name: array[i] for name, array in arrays.items()}) for i in range(len(pixels))]


def _array(name: str, values: torch.Tensor, settings: Settings) -> np.ndarray:
    """A map (B, C, M, N) as `ImageMaps` has it: (B, M, N), or (B, M, N, C) of an embedding, in float16."""
    if name == "foreground" and not getattr(settings.loss, "mask_weight", 1):
        values = torch.ones_like(values)  # a head that was not trained tells nothing
    if name in OBJECTNESS:
        scale = settings.loss.target_scale if name == "distance" else 1
        return (values[:, 0] / scale).half().cpu().numpy()
    if name == "euclidean_embedding":
        values = values * settings.loss.embedding_scale
    return values.permute(0, 2, 3, 1).half().contiguous().cpu().numpy()


def _pad(images: torch.Tensor, axis: int, amount: int) -> torch.Tensor:
    """`images` with `amount` rows or columns more at the end, reflected, or repeated where they are too small."""
    if not amount:
        return images
    mode = "reflect" if amount < images.shape[axis] else "replicate"
    return F.pad(images, (0, amount, 0, 0) if axis == 3 else (0, 0, 0, amount), mode=mode)
