"""Volume -> affinities, by overlapping tiles."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from study.affinities import Offset, affinities, pair_slices


@torch.no_grad()
def tiled_affinities(
    embed: Callable[[Tensor], Tensor],
    raw: np.ndarray,
    offsets: Sequence[Offset],
    tile: Sequence[int],
    *,
    multiple: int = 1,
) -> np.ndarray:
    """Affinities of a volume of any size from the embeddings of tiles that overlap by half.

    Embeddings of different tiles need not agree; so affinities are computed within each tile, and averaged over the
    tiles that hold the pair. A pair counts by how far its voxels are from the borders of the tile, where the network
    sees least. Beside the result, memory is needed for one tile.

    Parameters
    ----------
    embed : callable
        (1, 1, P, M, N) float32 tensor on the CPU -> unit vectors (1, E, P, M, N) on any device.
    raw : (P, M, N) float32 array
    offsets : sequence of K offsets
        At most half a tile along each axis.
    tile : (planes, rows, columns)
        The last tile of rows and of columns may be longer, by less than `multiple`.
    multiple : int
        Tiles begin at multiples of this along rows and columns, so that the network pools the same voxels in each.

    Returns
    -------
    (K, P, M, N) float32 array
        In [-1, 1], 0 where there is no pair.
    """
    multiples = (1, multiple, multiple)
    tiles = [tiles_along(*sizes) for sizes in zip(raw.shape, tile, multiples, strict=True)]
    shares = [
        [pair_shares(size, own, offset[axis]) for offset in offsets]
        for axis, (size, own) in enumerate(zip(raw.shape, tiles, strict=True))
    ]
    result = np.zeros((len(offsets), *raw.shape), np.float32)
    for place in itertools.product(*(range(len(own)) for own in tiles)):
        block = tuple(own[i] for own, i in zip(tiles, place, strict=True))
        unit = embed(torch.from_numpy(np.ascontiguousarray(raw[block]))[None, None])
        for k, affinity in enumerate(affinities(unit, offsets)[0].cpu().numpy()):
            planes, rows, columns = (shares[axis][k][i] for axis, i in enumerate(place))
            result[k][block] += affinity * planes[:, None, None] * rows[:, None] * columns
    return result


def tiles_along(size: int, tile: int, multiple: int = 1) -> list[slice]:
    """Tiles along an axis, which begin at multiples of `multiple`; neighbours share half a tile or more."""
    last = (size - tile) // multiple * multiple
    if last <= 0:
        return [slice(0, size)]
    step = max(tile // 2 // multiple, 1) * multiple
    return [*(slice(start, start + tile) for start in range(0, last, step)), slice(last, size)]


def pair_shares(size: int, tiles: Sequence[slice], distance: int) -> list[np.ndarray]:
    """What each tile along an axis contributes to the pairs (i, i + distance); the sum over all tiles is 1.

    Returns
    -------
    list of (length of the tile,) float32 arrays
        By i; 0 where i + distance is outside of the tile.
    """
    total, weights = np.zeros(size), []
    for own in tiles:
        length = own.stop - own.start
        inside = np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1))  # voxels to the tile's border
        weight = np.zeros(length)
        first, second = (slices[0] for slices in pair_slices((distance,), (length,)))
        weight[first] = np.minimum(inside[first], inside[second])
        total[own] += weight
        weights.append(weight)
    total[total == 0] = 1  # pairs that leave the volume
    return [(weight / total[own]).astype(np.float32) for weight, own in zip(weights, tiles, strict=True)]
