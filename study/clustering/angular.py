"""Angular clustering: an object is what surrounds its seed within an angle of the seed's embedding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, inf, radians
from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from study.clustering.base import SeededClustering
from study.clustering.connected import connected_components as components_of
from study.clustering.reaches import Group, Reaches
from study.clustering.seeds import Seeds, find_peaks, region_seeds
from study.config import setting

_COSINE_ROUNDING = 1e-6  # of float32: a pixel at exactly `angle` counts as within
_SIMILARITIES_AT_ONCE = 2**20  # bounds the memory of the similarities to the seeds of a group


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
    of the objects, not of the image. Seeds of one object, of which noise makes many, are grown together: what all of
    them reach is found once, and only the pixels at the verge of their reaches are compared with each.

    Different reaches that fill the image, as the maps of an untrained network can have, would take time without end.
    So once the windows that were looked at have 64 times the pixels of the image (2^24 px at least), a seed that
    another one has reached is taken for part of that one's object, and the reach of any other is cut 24 px away from
    it.

    Parameters
    ----------
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction.
    seeds : Seeds
        At different pixels.
    angle : float
        Degrees, in (0, 180].

    Returns
    -------
    (M, N) int32 array
        0 where no object is, otherwise ids from 1, maybe with gaps.
    """
    order = np.lexsort(seeds.pixels.T[::-1])
    pixels, directions = seeds.pixels[order], seeds.directions[order]
    groups = Reaches(embedding, pixels, directions, cos(radians(angle)) - _COSINE_ROUNDING).groups()
    if not groups:
        return np.zeros(embedding.shape[:2], np.int32)
    objects = _merge(groups, len(pixels))
    labels = _owned(embedding, directions, groups, objects)
    grown = objects > 0
    return _connected_to_seeds(labels, pixels[grown], objects[grown])


def _merge(groups: Sequence[Group], seeds: int) -> np.ndarray:
    """Object of each of so many seeds, from 1; 0 without a group. Seeds that reach each other are of one object."""
    group_of = np.full(seeds, -1)
    for n, group in enumerate(groups):
        group_of[group.seeds] = n
    whole = np.concatenate([np.stack([np.full(len(g.inside), n), g.inside]) for n, g in enumerate(groups)], axis=1)
    group, reached = whole[:, group_of[whole[1]] >= 0]  # all seeds of the group reach that seed
    one, other = np.concatenate([g.partial for g in groups], axis=1)  # that seed reaches the other
    in_contact = csr_array((np.ones(len(group), bool), (group, group_of[reached])), shape=(len(groups), len(groups)))
    in_contact = in_contact.minimum(in_contact.T)
    back = np.isin(group_of[other] * seeds + one, group * seeds + reached) | np.isin(
        other * seeds + one, one * seeds + other
    )
    back &= group_of[other] >= 0
    pairs = group_of[one[back]], group_of[other[back]]
    in_contact = in_contact + csr_array((np.ones(len(pairs[0]), bool), pairs), shape=in_contact.shape)
    objects = connected_components(in_contact, directed=False)[1] + 1
    return np.where(group_of >= 0, objects[group_of], 0)


def _owned(embedding: np.ndarray, directions: np.ndarray, groups: Sequence[Group], objects: np.ndarray) -> np.ndarray:
    """Object of each pixel: of the one of the seeds reaching it that is most similar, if they differ in object."""
    labels = np.zeros(embedding.shape[:2], np.int32)
    contested = np.zeros(labels.shape, bool)
    for group in groups:
        own, core, outside = objects[group.seeds[0]], group.core, tuple(group.outside.T)
        inside = labels[group.window]
        contested[group.window] |= core & (inside > 0) & (inside != own)
        inside[core] = own
        contested[outside] |= (labels[outside] > 0) & (labels[outside] != own)
        labels[outside] = own
    best = np.full(labels.shape, -inf, np.float32)
    nearest = np.zeros(labels.shape, np.int64)
    for group in groups:
        rivals = group.core & contested[group.window]
        if rivals.any():
            rows, columns = np.nonzero(rivals)
            pixels = rows + group.window[0].start, columns + group.window[1].start
            _keep_nearer(best, nearest, pixels, *_nearest_seed(embedding[pixels], directions, group.seeds))
        if len(group.outside):
            rivals = contested[tuple(group.outside.T)]
            pixels = tuple(group.outside[rivals].T)
            _keep_nearer(best, nearest, pixels, group.similarity[rivals], group.nearest[rivals])
    labels[contested] = objects[nearest[contested]]
    return labels


def _nearest_seed(vectors: np.ndarray, directions: np.ndarray, seeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Similarity to the most similar of some seeds, and that seed, for each vector."""
    similarity, nearest = np.empty(len(vectors), np.float32), np.empty(len(vectors), np.int64)
    step = max(1, _SIMILARITIES_AT_ONCE // len(seeds))
    for start in range(0, len(vectors), step):
        part = slice(start, start + step)
        found = vectors[part] @ directions[seeds].T
        similarity[part], nearest[part] = found.max(axis=1), seeds[found.argmax(axis=1)]
    return similarity, nearest


def _keep_nearer(
    best: np.ndarray, nearest: np.ndarray, pixels: tuple[np.ndarray, ...], similarity: np.ndarray, seed: np.ndarray
) -> None:
    """Give pixels to other seeds where these are more similar, or as similar and earlier."""
    before = best[pixels]
    better = (similarity > before) | ((similarity == before) & (seed < nearest[pixels]))
    changed = tuple(axis[better] for axis in pixels)
    best[changed], nearest[changed] = similarity[better], seed[better]


def _connected_to_seeds(labels: np.ndarray, pixels: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """`labels` without the components that hold no seed (`pixels`) of their own object (`objects`)."""
    components = components_of(labels)
    at_seeds = tuple(pixels.T)
    kept = np.zeros(components.max(initial=0) + 1, bool)
    kept[components[at_seeds][labels[at_seeds] == objects]] = True
    return np.where(kept[components], labels, 0).astype(np.int32)
