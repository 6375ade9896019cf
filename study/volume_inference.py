"""Volume -> affinities, by overlapping tiles."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from study.affinities import Offset, affinities, pair_slices
from study.device import autocast
from study.maps import ImageMaps
from study.settings import Settings


def maps_of_volume(network: nn.Module, pixels: np.ndarray, settings: Settings, device: torch.device) -> ImageMaps:
    """Affinities of a volume at the trained offsets, and their mean over the neighbours of each voxel.

    Parameters
    ----------
    network : Module
        In evaluation mode, on the device.
    pixels : (P, M, N, C) float16 array
        Standardised.
    settings : Settings
    device : torch.device
    """
    offsets = settings.loss.offsets(3)[0]

    def predict(tile: Tensor) -> Tensor:
        with autocast(settings.training.precision, device):
            output = network(tile.float().to(device))
        return output.affinities if output.affinities is not None else affinities(output.embedding, offsets)

    crop = (settings.data.crop_planes, settings.data.crop_size, settings.data.crop_size)
    found = tiled_affinities(predict, pixels, offsets, crop, multiple=2**settings.network.depth)
    named = {"near_affinity": near_affinity(found, offsets), "affinities": np.moveaxis(found, 0, -1)}
    return ImageMaps({name: array.astype(np.float16) for name, array in named.items()})


@torch.no_grad()
def tiled_affinities(
    predict: Callable[[Tensor], Tensor],
    pixels: np.ndarray,
    offsets: Sequence[Offset],
    tile: Sequence[int],
    *,
    multiple: int = 1,
) -> np.ndarray:
    """Affinities of a volume of any size from those of tiles that overlap by half.

    Embeddings of different tiles need not agree; so affinities are computed within each tile, and averaged over the
    tiles that hold the pair. A pair counts by how far its voxels are from the borders of the tile, where the network
    sees least. Next to the result, memory is needed for one tile.

    Parameters
    ----------
    predict : callable
        (1, C, P, M, N) tensor on the CPU -> affinities (1, K, P, M, N) on any device.
    pixels : (P, M, N, C) array
        Where a side is no multiple of `multiple`, it is continued by its last voxels for the network.
    offsets : sequence of K offsets
        At most half a tile along each axis.
    tile : (planes, rows, columns)
        Rows and columns at least twice `multiple`.
    multiple : int
        Tiles begin at multiples of this along rows and columns, so that the network pools the same voxels in each.

    Returns
    -------
    (K, P, M, N) float32 array
        0 where there is no pair.
    """
    shape = pixels.shape[:3]
    padded = [(0, 0), *((0, -size % multiple) for size in shape[1:]), (0, 0)]
    pixels = np.pad(pixels, padded, mode="edge")
    multiples = (1, multiple, multiple)
    tiles = [tiles_along(*sizes) for sizes in zip(pixels.shape[:3], tile, multiples, strict=True)]
    shares = [
        [pair_shares(size, own, offset[axis]) for offset in offsets]
        for axis, (size, own) in enumerate(zip(shape, tiles, strict=True))
    ]
    result = np.zeros((len(offsets), *pixels.shape[:3]), np.float32)
    for place in itertools.product(*(range(len(own)) for own in tiles)):
        block = tuple(own[i] for own, i in zip(tiles, place, strict=True))
        image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(pixels[block], -1, 0)))[None]
        for k, affinity in enumerate(predict(image)[0].float().cpu().numpy()):
            planes, rows, columns = (shares[axis][k][i] for axis, i in enumerate(place))
            result[k][block] += affinity * planes[:, None, None] * rows[:, None] * columns
    return result[:, :, : shape[1], : shape[2]]


def tiles_along(size: int, tile: int, multiple: int = 1) -> list[slice]:
    """Tiles along an axis, which begin at multiples of `multiple`; neighbours share about half a tile.

    Raises
    ------
    ValueError
        If a tile is so short that neighbours would share nothing.
    """
    if tile < 2 * multiple:
        raise ValueError(f"tiles of {tile} that begin at multiples of {multiple} do not overlap")
    last = -(-(size - tile) // multiple) * multiple
    if last <= 0:
        return [slice(0, size)]
    step = max(tile // 2 // multiple, 1) * multiple
    return [*(slice(start, start + tile) for start in range(0, last, step)), slice(last, size)]


def pair_shares(size: int, tiles: Sequence[slice], distance: int) -> list[np.ndarray]:
    """What each tile along an axis contributes to the pairs (i, i + distance); the sum over all tiles is 1.

    Parameters
    ----------
    size : int
        Of the volume; the last tiles may reach beyond it, where there are no pairs.
    tiles : sequence of slice
    distance : int

    Returns
    -------
    list of (length of the tile,) float32 arrays
        By i; 0 where i + distance is outside of the tile or of the volume.
    """
    total, weights = np.zeros(tiles[-1].stop), []
    for own in tiles:
        length = own.stop - own.start
        inside = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))  # voxels to the tile's border
        weight = np.zeros(length)
        first, second = (slices[0] for slices in pair_slices((distance,), (min(length, size - own.start),)))
        weight[first] = np.minimum(inside[first], inside[second])
        total[own] += weight
        weights.append(weight)
    total[total == 0] = 1  # pairs that leave the volume
    return [(weight / total[own]).astype(np.float32) for weight, own in zip(weights, tiles, strict=True)]


def near_affinity(affinity: np.ndarray, offsets: Sequence[Offset]) -> np.ndarray:
    """(P, M, N) mean affinity of each voxel to its neighbours over faces, over those pairs that are in the volume."""
    total, count = np.zeros(affinity.shape[1:], np.float32), np.zeros(affinity.shape[1:], np.float32)
    for k, offset in enumerate(offsets):
        if sum(map(abs, offset)) == 1:
            first, second = pair_slices(offset, total.shape)
            for end in (first, second):  # either voxel of a pair
                total[end] += affinity[k][first]
                count[end] += 1
    return total / np.maximum(count, 1)
