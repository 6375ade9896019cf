"""Seeds: where objects are looked for, and the direction of their embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from study.clustering.base import SeededClustering
from study.clustering.connected import connected_components
from study.clustering.embedding import unit_embedding

NO_DISTANCE = 1e-6  # a distance map that nowhere exceeds this has no objects


@dataclass(frozen=True)
class Seeds:
    """Pixels from which objects grow."""

    pixels: np.ndarray  # (K, 2) int64: row and column
    directions: np.ndarray  # (K, E) float32: unit embedding that the object is expected to have


def find_peaks(distance: np.ndarray, embedding: np.ndarray, settings: SeededClustering, min_distance: int) -> Seeds:
    """Peaks of an image.

    The distance map is smoothed by a Gaussian of `seed_smoothing` px; seeds lie where it is above `seed_threshold`
    times its maximum, at pixels that nothing exceeds within `min_distance` px along rows and columns, at the image's
    border too, with the embedding there; of a plateau, at the first pixel in row-major order (Wu et al. 2020,
    section 3).

    Parameters
    ----------
    distance : (M, N) float array
        Finite.
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction; a peak or region of nothing else is no seed.
    settings : SeededClustering
    min_distance : int

    Returns
    -------
    Seeds
        Empty for a map that nowhere exceeds 1e-6.
    """
    smooth, above = _above(distance, settings)
    highest = ndimage.maximum_filter(smooth, size=2 * min_distance + 1, mode="nearest")
    peaks = above & (smooth == highest)
    _, first = np.unique(connected_components(peaks, corners=True)[peaks], return_index=True)
    pixels = np.argwhere(peaks)[first]
    directions = embedding[tuple(pixels.T)]
    known = np.isfinite(directions[:, 0])
    return Seeds(pixels[known], directions[known])


def region_seeds(distance: np.ndarray, embedding: np.ndarray, settings: SeededClustering) -> Seeds:
    """Seeds of the connected regions above the threshold: their mean direction, at the pixel most similar to it.

    Parameters and result are those of `find_peaks` (Chen et al. 2019, section 2.2).
    """
    regions = seed_regions(distance, settings)
    inside = regions > 0
    region, directions = regions[inside] - 1, region_directions(regions, embedding)
    similarity = np.einsum("ne,ne->n", embedding[inside], directions[region])
    best_first = np.lexsort((-similarity, region))
    best = best_first[np.searchsorted(region[best_first], np.arange(len(directions)))]
    known = np.isfinite(directions[:, 0])
    return Seeds(np.argwhere(inside)[best[known]], directions[known])


def seed_regions(distance: np.ndarray, settings: SeededClustering) -> np.ndarray:
    """Connected regions of the smoothed distance map above `seed_threshold` times its maximum: (M, N) int32 ids."""
    return connected_components(_above(distance, settings)[1]).astype(np.int32)


def region_directions(regions: np.ndarray, embedding: np.ndarray) -> np.ndarray:
    """Normalised mean of the embeddings of each region: (K, E) float32 array, NaN where none has a direction."""
    inside = regions > 0
    vectors, region = embedding[inside], regions[inside] - 1
    known = np.isfinite(vectors[:, 0])
    sums = np.zeros((region.max(initial=-1) + 1, embedding.shape[2]), np.float32)
    np.add.at(sums, region[known], vectors[known])
    return unit_embedding(sums)


def smoothed(distance: np.ndarray, settings: SeededClustering) -> np.ndarray:
    """The (M, N) distance map, smoothed by a Gaussian of `seed_smoothing` px, in float32."""
    return ndimage.gaussian_filter(distance.astype(np.float32), settings.seed_smoothing)


def _above(distance: np.ndarray, settings: SeededClustering) -> tuple[np.ndarray, np.ndarray]:
    """The smoothed distance map, and where it is above the threshold."""
    smooth = smoothed(distance, settings)
    return smooth, smooth > max(settings.seed_threshold * float(smooth.max(initial=0)), NO_DISTANCE)
