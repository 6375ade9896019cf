"""From affinities to labels: mutex watershed, then merging of small fragments (Huang et al. 2022, inference)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from bioimage_cpp import segmentation
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from study.affinities import Offset, pair_slices


def segment_affinities(
    affinity: np.ndarray,
    offsets: Sequence[Offset],
    *,
    strides: Sequence[int] | None = None,
    bias: float = 0.0,
    min_size: int = 0,
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Objects of an image or volume from the affinities of its pixels.

    Pixels that are at most 1 apart along every axis attract each other by their affinity a, those farther apart repel
    each other by 1 - a + `bias`. All pairs are visited by falling weight: an attractive pair merges the objects of its
    pixels unless they are parted, a repulsive one parts them for good if they are still two (Wolf et al. 2018). So
    touching objects between which no repulsive pair lies are merged, whatever their affinity. Fragments below
    `min_size` are then merged by `merge_fragments`.

    Parameters
    ----------
    affinity : (N, *S) float array
        Of any range, 1 within an object and 0 between two; `*S` are (rows, columns) or (planes, rows, columns). What is
        not finite counts as 0.
    offsets : sequence of N offsets
        See `study.affinities.pair_offsets`. Diagonal ones of range 1 attract, too, so that objects may be connected
        over corners only.
    strides : sequence of int, optional
        Steps along each axis between the pixels whose repulsive pairs count, which saves time; default is 1.
    bias : float
        0 in the paper. A network that learns from many more pairs of one object than of two merges rather than parts,
        one that learns from both equally does the opposite.
    min_size : int
        In pixels.
    mask : (*S) bool array, optional
        Pixels to cluster; pairs with any other are left out. Without it the background is an object like others.

    Returns
    -------
    (*S) int32 array
        Ids 1, 2, ... without gaps; 0 outside of the mask.

    Raises
    ------
    ValueError
        If no offset attracts, or the shapes do not fit.
    """
    if len(affinity) != len(offsets):
        raise ValueError(f"{len(affinity)} affinities per pixel do not fit {len(offsets)} offsets")
    attracts = np.array([max(map(abs, offset)) == 1 for offset in offsets])
    if not attracts.any():
        raise ValueError(f"no offset of range 1 among {list(offsets)}: nothing would attract")
    weights = np.concatenate([affinity[attracts], 1 + bias - affinity[~attracts]]).astype(np.float32, copy=False)
    np.nan_to_num(weights[: attracts.sum()], copy=False, nan=0, posinf=0, neginf=0)
    np.nan_to_num(weights[attracts.sum() :], copy=False, nan=1 + bias, posinf=1 + bias, neginf=1 + bias)
    near = [offset for offset, attractive in zip(offsets, attracts, strict=True) if attractive]
    far = [offset for offset, attractive in zip(offsets, attracts, strict=True) if not attractive]
    labels = segmentation.mutex_watershed(weights, [*near, *far], len(near), strides=strides, mask=mask)
    return merge_fragments(labels.astype(np.int32), weights[: len(near)], near, min_size)


def merge_fragments(labels: np.ndarray, affinity: np.ndarray, offsets: Sequence[Offset], min_size: int) -> np.ndarray:
    """Merge each object that is too small with the neighbour of the highest mean affinity.

    The mean runs over all pairs between the two; of equal neighbours the larger one is chosen, then that of the lower
    id. All too small objects choose at once, and objects linked by choices, directly or in a chain, become one. This
    repeats until no object below `min_size` has a neighbour; those without any stay.

    Parameters
    ----------
    labels : (*S) int array
        Ids 1, ..., K, each of which occurs; 0 is nobody's neighbour.
    affinity : (N, *S) float array
    offsets : sequence of N offsets
        Pairs that make two objects neighbours.
    min_size : int
        In pixels.

    Returns
    -------
    (*S) int32 array
        Ids 1, 2, ... without gaps.
    """
    area = np.bincount(labels.ravel(), minlength=1)
    area[0] = min_size  # the background never merges
    if area.min() >= min_size:
        return labels.astype(np.int32, copy=False)
    contacts = _contacts(labels, affinity, offsets)
    region = np.arange(area.size)  # of each id
    while True:
        one, two, total, count = contacts = _joined(*contacts)
        source, target = np.concatenate([one, two]), np.concatenate([two, one])
        mean = np.tile(total / count, 2)
        chosen = np.flatnonzero(area[source] < min_size)
        if not chosen.size:
            return region.astype(np.int32)[labels]
        source, target, mean = source[chosen], target[chosen], mean[chosen]
        order = np.lexsort((target, -area[target], -mean, source))
        source, first = np.unique(source[order], return_index=True)
        choices = csr_array((np.ones(source.size), (source, target[order[first]])), shape=(area.size, area.size))
        merged = connected_components(choices, directed=False)[1]  # numbered by first id: 0 stays 0
        region = merged[region]
        area = np.bincount(merged, area).astype(np.int64)
        contacts = (merged[one], merged[two], total, count)


def _contacts(labels: np.ndarray, affinity: np.ndarray, offsets: Sequence[Offset]) -> tuple[np.ndarray, ...]:
    """Both ids, the affinity and the number (one) of all pairs of pixels between two objects."""
    found = []
    for values, offset in zip(affinity, offsets, strict=True):
        first, second = pair_slices(offset, labels.shape)
        one, two = labels[first], labels[second]
        between = (one != two) & (one > 0) & (two > 0)
        found.append((one[between], two[between], values[first][between].astype(np.float64)))
    one, two, total = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return one, two, total, np.ones(one.size)


def _joined(one: np.ndarray, two: np.ndarray, total: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, ...]:
    """The contacts with one entry per pair of objects, the lower id first, and without those inside of one object."""
    between = one != two
    low, high = np.minimum(one, two)[between].astype(np.int64), np.maximum(one, two)[between]
    bound = int(high.max(initial=0)) + 1
    pairs, index = np.unique(low * bound + high, return_inverse=True)
    total, count = (np.bincount(index, values[between], pairs.size) for values in (total, count))
    return pairs // bound, pairs % bound, total, count
