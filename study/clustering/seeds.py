"""Seeds: where objects are looked for, and the direction of their embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from study.clustering.embedding import unit_embedding
from study.clustering.pieces import connected_pieces
from study.config import Clustering

NO_DISTANCE = 1e-6  # a distance map that nowhere exceeds this has no objects


@dataclass(frozen=True)
class Seeds:
    """Pixels from which objects grow.

    Attributes
    ----------
    pixels : (K, 2) int64 array
        Row and column.
    directions : (K, E) float32 array
        Unit embedding that the object is expected to have.
    """

    pixels: np.ndarray
    directions: np.ndarray


def find_seeds(distance: np.ndarray, embedding: np.ndarray, settings: Clustering) -> Seeds:
    """Seeds of an image.

    The distance map is smoothed by a Gaussian of `seed_smoothing` px; seeds lie where it is above `seed_threshold`
    times its maximum. `peaks` (Wu et al. 2020, section 3): pixels that nothing exceeds within `seed_min_distance` px
    along rows and columns, at the image's border too, with the embedding there; of a plateau, the first pixel in
    row-major order. `regions` (Chen et al. 2019): connected regions, each with the normalised mean of its embeddings
    and the pixel most similar to it.

    Parameters
    ----------
    distance : (M, N) float array
        Finite.
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction; a peak or region of nothing else is no seed.
    settings : Clustering

    Returns
    -------
    Seeds
        Empty for a map that nowhere exceeds 1e-6.
    """
    smooth = ndimage.gaussian_filter(distance.astype(np.float32), settings.seed_smoothing)
    above = smooth > max(settings.seed_threshold * float(smooth.max(initial=0)), NO_DISTANCE)
    if settings.seeds == "peaks":
        return _peaks(smooth, above, embedding, settings.seed_min_distance)
    return _regions(above, embedding)


def _peaks(smooth: np.ndarray, above: np.ndarray, embedding: np.ndarray, min_distance: int) -> Seeds:
    """Maxima of the square around them, one per plateau."""
    highest = ndimage.maximum_filter(smooth, size=2 * min_distance + 1, mode="nearest")
    peaks = above & (smooth == highest)
    _, first = np.unique(connected_pieces(peaks, corners=True)[peaks], return_index=True)
    pixels = np.argwhere(peaks)[first]
    directions = embedding[tuple(pixels.T)]
    known = np.isfinite(directions[:, 0])
    return Seeds(pixels[known], directions[known])


def _regions(above: np.ndarray, embedding: np.ndarray) -> Seeds:
    """Connected regions, represented by their mean direction and the pixel closest to it."""
    region = connected_pieces(above)[above] - 1
    vectors = embedding[above]
    known = np.isfinite(vectors[:, 0])
    sums = np.zeros((region.max(initial=-1) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, region[known], vectors[known])
    directions = unit_embedding(sums)
    similarity = np.einsum("ne,ne->n", vectors, directions[region])
    best_first = np.lexsort((-similarity, region))
    best = best_first[np.searchsorted(region[best_first], np.arange(len(sums)))]
    known = np.isfinite(directions[:, 0])
    return Seeds(np.argwhere(above)[best[known]], directions[known])
