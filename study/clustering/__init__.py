"""From maps to labels: seeds, clustering of the embedding, removal of unlikely objects, foreground."""

from __future__ import annotations

import numpy as np

from study.clustering.affinity_watershed import AffinityWatershed
from study.clustering.angular import Angular
from study.clustering.base import Clustering, SeededClustering
from study.clustering.components import Components
from study.clustering.embedding import finite_embedding, unit_embedding
from study.clustering.growing import Growing
from study.clustering.hdbscan import Hdbscan
from study.clustering.mean_shift import MeanShift
from study.clustering.mutex_watershed import MutexWatershed
from study.clustering.seeds import NO_DISTANCE
from study.config import registry
from study.errors import StudyError
from study.maps import ImageMaps

CLUSTERERS = registry(Angular, Growing, MutexWatershed, MeanShift, Hdbscan, AffinityWatershed, Components)


def segment(maps: ImageMaps, settings: Clustering, foreground: np.ndarray | None = None) -> np.ndarray:
    """Objects of an image from its maps.

    Clusters are dropped if smaller than `min_size` px, or if their mean objectness is below `min_distance` times the
    map's maximum. Angular clustering and growing need no foreground, which is applied to their objects last, so that a
    mask can leave less than `min_size` px of them. The other methods have no seeds and cluster the foreground only.
    Where that is the whole image, the background is a cluster like others, which `min_distance` drops.

    Parameters
    ----------
    maps : ImageMaps
        Values that are not finite count as 0 in the objectness, which may have any scale; where it nowhere exceeds 1e-6
        (a dead head) there are no objects. A pixel whose embedding is not finite, or is a zero vector that should be a
        direction, belongs to no object.
    settings : Clustering
    foreground : (M, N) bool array, optional
        Pixels outside become background. Without it, `settings.foreground` = `predicted` keeps the pixels whose
        objectness exceeds `foreground_threshold` times the map's maximum, and `auto` and `none` keep all.

    Returns
    -------
    (M, N) int32 array
        0 = background, objects 1, 2, ..., K.

    Raises
    ------
    StudyError
        If the foreground is to be the truth and no mask is given.
    ValueError
        If the shapes do not fit.
    """
    objectness, embedding = maps.objectness, maps.embedding
    if objectness.ndim != 2 or embedding.ndim != 3 or embedding.shape[:2] != objectness.shape:
        raise ValueError(f"objectness {objectness.shape} and embedding {embedding.shape} must be (M, N) and (M, N, E)")
    if foreground is not None and foreground.shape != objectness.shape:
        raise ValueError(f"foreground {foreground.shape} and objectness {objectness.shape} differ in shape")
    check_foreground(settings, foreground)
    objectness = finite_map(objectness)
    largest = objectness.max(initial=0)
    if largest <= NO_DISTANCE:
        return np.zeros(objectness.shape, np.int32)
    pixels = pixels_to_cluster(objectness, settings, foreground, largest)
    labels = clusters(objectness, embedding, settings, pixels, maps.metric)
    area, total = np.bincount(labels.ravel()), np.bincount(labels.ravel(), objectness.ravel())
    labels = np.where(pixels & is_likely(area, total, settings, largest)[labels], labels, 0)
    return numbering(np.bincount(labels.ravel()) > 0)[labels]


# The steps of `segment`, which an image in tiles takes one by one, as `largest` is that of the whole image.


def check_foreground(settings: Clustering, foreground: np.ndarray | None) -> None:
    """Raise a StudyError if the foreground is to be the truth and no mask is given."""
    if foreground is None and settings.foreground == "truth":
        raise StudyError("clustering.foreground=truth needs true labels: choose predicted or none for images without")


def finite_map(values: np.ndarray) -> np.ndarray:
    """`values` in float32, 0 where they are not finite."""
    return np.nan_to_num(values.astype(np.float32), nan=0, posinf=0, neginf=0)


def pixels_to_cluster(
    objectness: np.ndarray, settings: Clustering, foreground: np.ndarray | None, largest: np.floating
) -> np.ndarray:
    """The mask that is given, or else what `settings.foreground` makes of an objectness of that maximum."""
    if foreground is not None:
        return foreground.astype(bool)
    if settings.foreground == "predicted":
        # the embedding alone bleeds over boundaries: in its loss the few pixels of an object weigh as much as all
        # those of the background, while in the distance loss all pixels are equal
        return objectness > settings.foreground_threshold * largest
    return np.ones(objectness.shape, bool)


def clusters(
    objectness: np.ndarray, embedding: np.ndarray, settings: Clustering, pixels: np.ndarray, metric: str
) -> np.ndarray:
    """(M, N) int32 objects as the method finds them: none is dropped yet, some reach out of the mask `pixels`."""
    embedding = unit_embedding(embedding) if metric == "angle" else finite_embedding(embedding)
    return settings.cluster(objectness, embedding, pixels, metric)


def is_likely(area: np.ndarray, total: np.ndarray, settings: Clustering, largest: np.floating) -> np.ndarray:
    """Whether each object is large enough, and its mean objectness too, by its area and its sum."""
    return (area >= settings.min_size) & (total >= settings.min_distance * largest * area)


def numbering(used: np.ndarray) -> np.ndarray:
    """int32 ids 1, 2, ... without gaps of those that are used, in their order; 0 of all others and of the first."""
    return np.where(used, np.cumsum(used) - used[:1].sum(), 0).astype(np.int32)
