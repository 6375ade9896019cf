"""From maps to labels: seeds, clustering of the embedding, removal of unlikely objects, foreground."""

from __future__ import annotations

import numpy as np

from study.clustering.affinity_watershed import affinity_watershed
from study.clustering.angular import angular
from study.clustering.components import components
from study.clustering.density import hdbscan, mean_shift
from study.clustering.embedding import finite_embedding, unit_embedding
from study.clustering.growing import growing
from study.clustering.mutex_watershed import mutex_watershed
from study.clustering.seeds import NO_DISTANCE
from study.config import Clustering
from study.errors import StudyError, unknown_name

__all__ = [
    "CLUSTERERS",
    "clusters",
    "finite_distance",
    "is_likely",
    "numbering",
    "pixels_to_cluster",
    "refuse_settings",
    "segment",
]

# (distance (M, N) float32, embedding (M, N, E) float32, settings, foreground (M, N) bool) -> labels (M, N) int32
CLUSTERERS = {
    "angular": angular,
    "growing": growing,
    "mutex-watershed": mutex_watershed,
    "mean-shift": mean_shift,
    "hdbscan": hdbscan,
    "affinity-watershed": affinity_watershed,
    "components": components,
}


def segment(
    distance: np.ndarray, embedding: np.ndarray, settings: Clustering, foreground: np.ndarray | None = None
) -> np.ndarray:
    """Objects of an image from its distance map and embedding.

    Clusters are dropped if smaller than `min_size` px, or if their mean distance is below `min_distance` times the
    map's maximum. Angular clustering and growing need no foreground, which is applied to their objects last, so that a
    mask can leave less than `min_size` px of them. The other methods have no seeds and cluster the foreground only.
    Where that is the whole image, the background is a cluster like others, which `min_distance` drops.

    Parameters
    ----------
    distance : (M, N) float array
        Distance map of any scale; values that are not finite count as 0. A map that nowhere exceeds 1e-6 (a dead
        head) has no objects.
    embedding : (M, N, E) float array
        Normalised here where the `metric` is `angle`; a pixel whose embedding is not finite, or then zero, belongs to
        no object. E may be 0 for `components`, which does not look at it.
    settings : Clustering
        Its `method` is a key of `CLUSTERERS`.
    foreground : (M, N) bool array, optional
        Pixels outside become background. Without it, `settings.foreground` = `predicted` keeps the pixels whose
        distance exceeds `foreground_threshold` times the map's maximum, and `auto` and `none` keep all.

    Returns
    -------
    (M, N) int32 array
        0 = background, objects 1, 2, ..., K.

    Raises
    ------
    StudyError
        If the method is unknown, or the foreground is to be the truth and no mask is given.
    ValueError
        If the shapes do not fit.
    """
    if distance.ndim != 2 or embedding.ndim != 3 or embedding.shape[:2] != distance.shape:
        raise ValueError(f"distance {distance.shape} and embedding {embedding.shape} must be (M, N) and (M, N, E)")
    if foreground is not None and foreground.shape != distance.shape:
        raise ValueError(f"foreground {foreground.shape} and distance {distance.shape} differ in shape")
    refuse_settings(settings, foreground)
    distance = finite_distance(distance)
    largest = distance.max(initial=0)
    if largest <= NO_DISTANCE:
        return np.zeros(distance.shape, np.int32)
    pixels = pixels_to_cluster(distance, settings, foreground, largest)
    labels = clusters(distance, embedding, settings, pixels)
    area, total = np.bincount(labels.ravel()), np.bincount(labels.ravel(), distance.ravel())
    labels = np.where(pixels & is_likely(area, total, settings, largest)[labels], labels, 0)
    return numbering(np.bincount(labels.ravel()) > 0)[labels]


# The steps of `segment`, which an image in tiles takes one by one, as `largest` is that of the whole image.


def refuse_settings(settings: Clustering, foreground: np.ndarray | None) -> None:
    """Raise a StudyError if the method is unknown, or the foreground is to be the truth and no mask is given."""
    if settings.method not in CLUSTERERS:
        raise unknown_name("clustering method", settings.method, CLUSTERERS)
    if foreground is None and settings.foreground == "truth":
        raise StudyError("clustering.foreground=truth needs true labels: choose predicted or none for images without")


def finite_distance(distance: np.ndarray) -> np.ndarray:
    """`distance` in float32, 0 where it is not finite."""
    return np.nan_to_num(distance.astype(np.float32), nan=0, posinf=0, neginf=0)


def pixels_to_cluster(
    distance: np.ndarray, settings: Clustering, foreground: np.ndarray | None, largest: np.floating
) -> np.ndarray:
    """The mask that is given, or else what `settings.foreground` makes of a distance map of that maximum."""
    if foreground is not None:
        return foreground.astype(bool)
    if settings.foreground == "predicted":
        # the embedding alone bleeds over boundaries: in its loss the few pixels of an object weigh as much as all
        # those of the background, while in the distance loss all pixels are equal
        return distance > settings.foreground_threshold * largest
    return np.ones(distance.shape, bool)


def clusters(distance: np.ndarray, embedding: np.ndarray, settings: Clustering, pixels: np.ndarray) -> np.ndarray:
    """(M, N) int32 objects as the method finds them: none is dropped yet, some reach out of the mask `pixels`."""
    embedding = unit_embedding(embedding) if settings.metric == "angle" else finite_embedding(embedding)
    return CLUSTERERS[settings.method](distance, embedding, settings, pixels)


def is_likely(area: np.ndarray, total: np.ndarray, settings: Clustering, largest: np.floating) -> np.ndarray:
    """Whether each object is large enough, and its mean distance too, by its area and the sum of its distances."""
    return (area >= settings.min_size) & (total >= settings.min_distance * largest * area)


def numbering(used: np.ndarray) -> np.ndarray:
    """int32 ids 1, 2, ... without gaps of those that are used, in their order; 0 of all others and of the first."""
    return np.where(used, np.cumsum(used) - used[:1].sum(), 0).astype(np.int32)
