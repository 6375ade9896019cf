"""Image -> labels, tile by tile, for images whose maps do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from study.clustering import (
    Clustering,
    SeededClustering,
    check_foreground,
    clusters,
    finite_map,
    is_likely,
    numbering,
    pixels_to_cluster,
)
from study.clustering.seeds import NO_DISTANCE, smoothed
from study.deploy.seams import joined_labels
from study.deploy.tiling import Area, Tile, array_on_disk, tiles_of
from study.maps import ImageMaps

_REACH = 4  # of a Gaussian, in sigma


def label_in_tiles(
    pixels: np.ndarray,
    predict: Callable[[np.ndarray], ImageMaps],
    settings: Clustering,
    *,
    multiple: int,
    halo: int,
    tile: int = 1536,
    overlap: int = 256,
    foreground: np.ndarray | None = None,
) -> np.ndarray:
    """Objects of a large image: what `study.clustering.segment` gives, with the maps of one tile in memory at a time.

    The maps are gathered tile by tile in a temporary file. Windows that overlap are then clustered one by one, with
    thresholds relative to the maxima of the whole image, and their objects joined (`study.deploy.seams`). What is too
    small or unlikely is dropped after that, and the foreground applied.

    Objects of at most half of `overlap` across come out as from the whole image, as far as clustering is a local
    matter: mean shift and HDBSCAN fit every window by itself. A method with seeds needs one of a larger object in each
    window into whose core the object reaches by more than that.

    Parameters
    ----------
    pixels : (M, N, C) array
        Standardised as a whole.
    predict : callable
        (m, n, C) part of the pixels -> its maps.
    settings : Clustering
    multiple : int
        Parts begin at multiples of this, and those that do not reach the image's end also end there: with 2 to the
        power of `network.depth`, the network pools the same pixels as in the whole image.
    halo : int
        Margin of what `predict` sees, px, rounded up to a multiple of `multiple`. From the radius of the network's
        receptive field on, the maps are those of the whole image; see the notes.
    tile : int
        Longest side of the tiles without their margins, px; exceeded by less than `multiple`. Larger tiles need more
        memory and waste less on their margins.
    overlap : int
        Width of what neighbouring windows of the clustering share, px.
    foreground : (M, N) bool array, optional
        See `segment`.

    Returns
    -------
    (M, N) int32 array
        0 = background, objects 1, 2, ..., K.

    Raises
    ------
    StudyError
        If the method is unknown, the foreground is to be the truth and no mask is given, or the folder of temporary
        files has no room for 2 (1 + E) bytes per pixel for the maps, and about 6 for the labels of the windows.
    ValueError
        If the shapes do not fit.

    Notes
    -----
    With depth 4 the receptive field has a radius of about 120 px for a U-Net, and of twice that for a W-Net and the
    residual network. What is that far away has next to no weight, though: with a halo of 128 px, the maps of trained
    networks of all three kinds changed by no more than the rounding of float16. Group normalisation and the channels of
    coordinates depend on all that the network sees, so that tiles differ from the whole image with any halo.
    """
    shape = pixels.shape[:2]
    if foreground is not None and foreground.shape != shape:
        raise ValueError(f"foreground {foreground.shape} and pixels {pixels.shape} differ in shape")
    check_foreground(settings, foreground)
    if not all(shape):
        return np.zeros(shape, np.int32)
    parts = tiles_of(shape, tile, halo, multiple)
    windows = tiles_of(shape, tile, ceil(overlap / 2), settings.window_step)
    maps = _gathered_maps(pixels, predict, parts)
    largest, peak = _maxima(maps, settings, tile)
    if largest <= NO_DISTANCE:
        return np.zeros(shape, np.int32)
    image = _Image(maps, settings, foreground, largest, peak)
    labels, count = joined_labels(shape, windows, image.clusters)
    _keep_likely(labels, count, image, windows)
    return labels


@dataclass(frozen=True)
class _GatheredMaps:
    """Maps of a whole image on the disk: (M, N) objectness and (M, N, E) embedding, float16, and its metric."""

    objectness: np.ndarray
    embedding: np.ndarray
    metric: str


def _gathered_maps(
    pixels: np.ndarray, predict: Callable[[np.ndarray], ImageMaps], parts: Sequence[Tile]
) -> _GatheredMaps:
    """Maps of all parts of an image."""
    gathered = None
    for part in parts:
        maps = predict(pixels[part.window])
        if gathered is None:  # only now E is known
            both = array_on_disk((*pixels.shape[:2], 1 + maps.embedding.shape[2]), np.float16)
            gathered = _GatheredMaps(both[..., 0], both[..., 1:], maps.metric)
        gathered.objectness[part.core] = maps.objectness[part.inner]
        gathered.embedding[part.core] = maps.embedding[part.inner]
    assert gathered is not None  # an image has a part
    return gathered


def _maxima(maps: _GatheredMaps, settings: Clustering, tile: int) -> tuple[np.floating, float]:
    """Largest objectness of the image, and after the smoothing for seeds, where the method has any."""
    seeded = isinstance(settings, SeededClustering)
    margin = ceil(_REACH * settings.seed_smoothing) if seeded else 0
    largest, peak = np.float32(0), 0.0
    for part in tiles_of(maps.objectness.shape, tile, margin):
        objectness = finite_map(maps.objectness[part.window])
        largest = max(largest, objectness.max())
        if seeded:
            peak = max(peak, float(smoothed(objectness, settings)[part.inner].max()))
    return largest, peak


@dataclass(frozen=True)
class _Image:
    """Maps of an image, what is done with them, and their maxima."""

    maps: _GatheredMaps
    settings: Clustering
    foreground: np.ndarray | None
    largest: np.floating  # objectness
    peak: float  # the same after the smoothing for seeds

    def objectness(self, area: Area) -> np.ndarray:
        return finite_map(self.maps.objectness[area])

    def inside(self, area: Area, objectness: np.ndarray) -> np.ndarray:
        """Foreground of an area."""
        mask = None if self.foreground is None else self.foreground[area]
        return pixels_to_cluster(objectness, self.settings, mask, self.largest)

    def clusters(self, window: Area) -> np.ndarray:
        """Objects of a window; the threshold of their seeds, relative to its own maximum, is that of the image."""
        objectness, settings = self.objectness(window), self.settings
        if isinstance(settings, SeededClustering):
            own_peak = max(float(smoothed(objectness, settings).max()), NO_DISTANCE)
            settings = replace(settings, seed_threshold=settings.seed_threshold * self.peak / own_peak)
        inside = self.inside(window, objectness)
        return clusters(objectness, self.maps.embedding[window], settings, inside, self.maps.metric)


def _keep_likely(labels: np.ndarray, count: int, image: _Image, tiles: Sequence[Tile]) -> None:
    """Drop unlikely objects among the ids 1, ..., `count` and what is not in the foreground, and number the others."""
    area, total = np.zeros(count + 1, np.int64), np.zeros(count + 1)
    for core, _ in tiles:
        own = labels[core].ravel()
        area += np.bincount(own, minlength=count + 1)
        total += np.bincount(own, image.objectness(core).ravel(), count + 1)
    kept = is_likely(area, total, image.settings, image.largest)
    used = np.zeros(count + 1, bool)
    for core, _ in tiles:
        own = labels[core]
        own[~(kept[own] & image.inside(core, image.objectness(core)))] = 0
        used[own] = True
    ids = numbering(used)
    for core, _ in tiles:
        labels[core] = ids[labels[core]]
