"""Affinities -> neurons -> scores; what is to be chosen is chosen on the validation volume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from skimage.measure import label
from skimage.segmentation import watershed

from study.affinities import Offset, pair_slices
from study.clustering.mutex import affinity_watershed, merge_fragments
from study.metrics.contingency import Contingency
from study.metrics.neuron import adapted_rand_error, variation_of_information

THRESHOLDS = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)
MIN_SIZES = (0, 50, 200, 800, 3200)  # voxels
COMPONENT_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99)


class Choice(NamedTuple):
    """What gives the least ARAND on the validation volume.

    Attributes
    ----------
    threshold : float
        Of the watershed.
    min_size : int
        In voxels.
    component_threshold : float
        Of the connected components.
    """

    threshold: float
    min_size: int
    component_threshold: float


def neurons(
    affinity: np.ndarray, offsets: Sequence[Offset], *, threshold: float = 0.5, stride: int = 1, min_size: int = 0
) -> np.ndarray:
    """Neurons by affinity watershed; with 12 offsets it takes about 330 bytes of memory per voxel.

    Parameters
    ----------
    affinity : (K, P, M, N) float array
    offsets : sequence of K offsets
    threshold : float
        Attraction wins where an attractive and a repulsive affinity have a larger mean; the paper has 0.5.
    stride : int
        Repulsive pairs start on every so many rows and columns.
    min_size : int
        Smaller fragments are merged, voxels.

    Returns
    -------
    (P, M, N) int32 array
        Ids from 1; every voxel belongs to a neuron.
    """
    return affinity_watershed(
        affinity + np.float32(0.5 - threshold), offsets, strides=(1, stride, stride), min_size=min_size
    )


def mean_affinity(affinity: np.ndarray, offsets: Sequence[Offset]) -> np.ndarray:
    """(P, M, N) mean affinity of each voxel to its neighbours over faces, over those pairs that are in the volume."""
    near = [k for k, offset in enumerate(offsets) if _is_near(offset)]
    total, count = np.zeros(affinity.shape[1:], np.float32), np.zeros(affinity.shape[1:], np.float32)
    for k in near:
        first, second = pair_slices(offsets[k], total.shape)
        for end in (first, second):  # either voxel of a pair
            total[end] += affinity[k][first]
            count[end] += 1
    return total / np.maximum(count, 1)


def components(mean: np.ndarray, threshold: float) -> np.ndarray:
    """Neurons without embeddings' longer ranges: pieces of high mean affinity to neighbours, grown until they meet.

    Parameters
    ----------
    mean : (P, M, N) float array
        As of `mean_affinity`.
    threshold : float

    Returns
    -------
    (P, M, N) int32 array
        0 everywhere if nothing is above the threshold.
    """
    pieces = np.asarray(label(mean > threshold, connectivity=1))
    return watershed(-mean, pieces).astype(np.int32) if pieces.any() else pieces.astype(np.int32)


def choose(affinity: np.ndarray, offsets: Sequence[Offset], truth: np.ndarray, stride: int) -> Choice:
    """The settings of `neurons` and of `components` with the least ARAND; of equals the first."""
    near = [k for k, offset in enumerate(offsets) if _is_near(offset)]
    near_offsets = [offsets[k] for k in near]
    errors = {}
    for threshold in THRESHOLDS:
        fragments = neurons(affinity, offsets, threshold=threshold, stride=stride)
        for size in MIN_SIZES:
            errors[threshold, size] = adapted_rand_error(
                truth, merge_fragments(fragments, affinity[near], near_offsets, size)
            )
    mean = mean_affinity(affinity, offsets)
    baseline = {t: adapted_rand_error(truth, components(mean, t)) for t in COMPONENT_THRESHOLDS}
    threshold, size = min(errors, key=errors.__getitem__)
    return Choice(threshold, size, min(baseline, key=baseline.__getitem__))


def scores(truth: np.ndarray, found: np.ndarray, suffix: str = "") -> dict[str, float]:
    """VOI and ARAND of a volume, and the number of neurons; a suffix is added to the names."""
    table = Contingency.of(truth, found)
    split, merge = variation_of_information(table)
    values = {"voi_split": split, "voi_merge": merge, "voi": split + merge, "arand": adapted_rand_error(table)}
    return {f"{name}{suffix}": value for name, value in (values | {"n_pred": len(table.pred_area)}).items()}


def _is_near(offset: Offset) -> bool:
    return sum(map(abs, offset)) == 1
