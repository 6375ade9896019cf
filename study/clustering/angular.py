"""Angular clustering: an object is what surrounds its seed within an angle of the seed's embedding."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, inf, radians
from typing import ClassVar, NamedTuple

import numpy as np
from scipy import ndimage
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from study.clustering.base import SeededClustering
from study.clustering.connected import connected_components as components_of
from study.clustering.seeds import Seeds, find_peaks, region_seeds
from study.config import setting

_COSINE_ROUNDING = 1e-6  # of float32: a pixel at exactly `angle` counts as within
_ANGLE_ROUNDING = 1e-3  # the same in radians, where the cosine is flat
_FIRST_RADIUS = 24  # px, of the first window around a seed
_SEEDS_AT_ONCE = 16  # bounds the memory of the similarities of seeds that share a reach


@dataclass(frozen=True)
class Angular(SeededClustering):
    """Objects around the seeds of a distance map (Wu et al. 2020, section 3); see `cluster_seeds`."""

    key: ClassVar[str] = "angular"

    seeds: str = setting("peaks", choices=("peaks", "regions"))
    seed_min_distance: int = setting(3, low=1, high=500)  # between two peaks, px

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        if self.seeds == "peaks":
            seeds = find_peaks(objectness, embedding, self, self.seed_min_distance)
        else:
            seeds = region_seeds(objectness, embedding, self)
        return cluster_seeds(embedding, seeds, self.angle)


def cluster_seeds(embedding: np.ndarray, seeds: Seeds, angle: float) -> np.ndarray:
    """One object per seed, or per chain of seeds that reach one another.

    The reach of a seed is the connected component, around its pixel, of the pixels within `angle` of its direction.
    Two seeds in each other's reach are one object, and so are chains of such pairs: an object with two maxima is not
    cut in two. A pixel in several reaches goes to the seed most similar to it (equals are decided in row-major order
    of the seeds), and of an object only what stays connected to one of its seeds is kept. The order in which seeds
    are given has no influence.

    A reach is found in a window that grows until the reach does not touch its sides, so that time goes with the area
    of the objects, not of the image; seeds whose reaches are provably equal are grown once. Worst case: K different
    reaches that all fill the image, O(K M N E) time and O(M N E + K^2) memory.

    Parameters
    ----------
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction.
    seeds : Seeds
    angle : float
        Degrees, in (0, 180].

    Returns
    -------
    (M, N) int32 array
        0 where no object is, otherwise ids from 1, maybe with gaps.
    """
    order = np.lexsort(seeds.pixels.T[::-1])
    pixels, directions = seeds.pixels[order], seeds.directions[order]
    limit = cos(radians(angle)) - _COSINE_ROUNDING
    best = np.full(embedding.shape[:2], -inf, np.float32)
    owner = np.zeros(embedding.shape[:2], np.int32)  # 1 + the group of seeds that a pixel belongs to so far
    group_of = np.full(len(pixels), -1, np.int32)  # seeds of one reach form a group
    reached = []  # seeds in the reach of each group
    for k in range(len(pixels)):
        if group_of[k] >= 0:
            continue
        reach = _grow(embedding, pixels[k], directions[k], limit)
        inside = _seeds_inside(reach, pixels)
        members = np.append(k, _same_reach(reach, inside[group_of[inside] < 0], directions, k, limit))
        group_of[members] = len(reached)
        reached.append(inside.astype(np.int32))
        similarity = reach.similarity
        if len(members) > 1:
            similarity = _largest_similarity(embedding[reach.window], directions[members])
        better = reach.mask & (similarity > best[reach.window])
        np.copyto(best[reach.window], similarity, where=better)
        np.copyto(owner[reach.window], len(reached), where=better)
    objects = _merge(group_of, reached)
    return _connected_to_seeds(np.append(0, objects)[owner], pixels, objects[group_of])


class _Reach(NamedTuple):
    window: tuple[slice, slice]
    similarity: np.ndarray  # (h, w) float32, cosine to the seed's direction in the window
    mask: np.ndarray  # (h, w) bool; the reach, empty where the seed's own pixel is not within the angle


def _grow(embedding: np.ndarray, pixel: np.ndarray, direction: np.ndarray, limit: float) -> _Reach:
    """The connected component of cosines of at least `limit` that contains `pixel`."""
    shape = np.array(embedding.shape[:2])
    low, high = np.maximum(pixel - _FIRST_RADIUS, 0), np.minimum(pixel + _FIRST_RADIUS + 1, shape)
    while True:
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        similarity = embedding[window] @ direction
        components = components_of(similarity >= limit)
        mask = components == (components[tuple(pixel - low)] or -1)
        beyond_low = (low > 0) & [mask[0].any(), mask[:, 0].any()]
        beyond_high = (high < shape) & [mask[-1].any(), mask[:, -1].any()]
        if not (beyond_low | beyond_high).any():
            return _Reach(window, similarity, mask)
        size = high - low
        low, high = np.maximum(low - size * beyond_low, 0), np.minimum(high + size * beyond_high, shape)


def _seeds_inside(reach: _Reach, pixels: np.ndarray) -> np.ndarray:
    """Indices of the seeds whose pixels lie in a reach."""
    local = pixels - [side.start for side in reach.window]
    near = np.flatnonzero(((local >= 0) & (local < reach.mask.shape)).all(axis=1))
    return near[reach.mask[tuple(local[near].T)]]


def _same_reach(reach: _Reach, candidates: np.ndarray, directions: np.ndarray, k: int, limit: float) -> np.ndarray:
    """Those of the seeds `candidates` in the reach of seed `k` that certainly have the same reach.

    Turning the direction by t changes each pixel's angle to it by at most t: a reach stays the same as long as its
    outermost pixel stays within the limit and no pixel around it comes within.
    """
    candidates = candidates[candidates != k]
    if candidates.size:
        turned = _angle(directions[candidates] @ directions[k]) + _ANGLE_ROUNDING
        keeps_all = turned < _angle(limit) - _angle(reach.similarity[reach.mask].min())
        candidates, turned = candidates[keeps_all], turned[keeps_all]
    if candidates.size:
        around = ndimage.binary_dilation(reach.mask) & ~reach.mask
        nearest = np.fmax.reduce(reach.similarity[around], initial=-inf)  # NaN is never near
        candidates = candidates[(turned < _angle(nearest) - _angle(limit)) | (nearest == -inf)]
    return candidates


def _angle(cosine: np.ndarray | float) -> np.ndarray:
    """Angle in radians."""
    return np.arccos(np.clip(cosine, -1, 1))


def _largest_similarity(embedding: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """For each pixel of (h, w, E), the largest cosine to one of the directions (n, E)."""
    vectors = embedding.reshape(-1, embedding.shape[2]).T
    largest = np.full(vectors.shape[1], -inf, np.float32)
    for i in range(0, len(directions), _SEEDS_AT_ONCE):
        np.maximum(largest, (directions[i : i + _SEEDS_AT_ONCE] @ vectors).max(axis=0), out=largest)
    return largest.reshape(embedding.shape[:2])


def _merge(group_of: np.ndarray, reached: list[np.ndarray]) -> np.ndarray:
    """Object (from 1) of each group of seeds, given the seeds that each group reached."""
    groups = len(reached)
    rows = np.repeat(np.arange(groups, dtype=np.int32), [len(inside) for inside in reached])
    columns = group_of[np.concatenate([np.empty(0, np.int32), *reached])]
    contact = csr_array((np.ones(len(rows), bool), (rows, columns)), shape=(groups, groups))
    return connected_components(contact.minimum(contact.T), directed=False)[1] + 1


def _connected_to_seeds(labels: np.ndarray, pixels: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """`labels` without the components that hold no seed (`pixels`) of their own object (`objects`)."""
    components = components_of(labels)
    at_seeds = tuple(pixels.T)
    kept = np.zeros(components.max(initial=0) + 1, bool)
    kept[components[at_seeds][labels[at_seeds] == objects]] = True
    return np.where(kept[components], labels, 0).astype(np.int32)
