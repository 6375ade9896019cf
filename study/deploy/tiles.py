"""Image -> labels, tile by tile, for images whose maps do not fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol

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
    work = _OneByOne(pixels, predict)
    return labels_by(
        work, shape, settings, multiple=multiple, halo=halo, tile=tile, overlap=overlap, foreground=foreground
    )


class TileWork(Protocol):
    """What is done for each tile of an image: the network's part, and the clustering's."""

    def gather(self, parts: Sequence[Tile]) -> GatheredMaps:
        """The maps of the image, from those of its parts."""
        ...

    def clusters(self, image: ImageInTiles, windows: Sequence[Area]) -> Callable[[Area], np.ndarray]:
        """What gives the objects of each of some windows, which are asked for in this order."""
        ...


def labels_by(
    work: TileWork,
    shape: tuple[int, int],
    settings: Clustering,
    *,
    multiple: int,
    halo: int,
    tile: int,
    overlap: int,
    foreground: np.ndarray | None = None,
) -> np.ndarray:
    """What `label_in_tiles` gives, by whichever way the tiles are worked on."""
    if foreground is not None and foreground.shape != shape:
        raise ValueError(f"foreground {foreground.shape} and image {shape} differ in shape")
    check_foreground(settings, foreground)
    if not all(shape):
        return np.zeros(shape, np.int32)
    parts = tiles_of(shape, tile, halo, multiple)
    windows = tiles_of(shape, tile, ceil(overlap / 2), settings.window_step)
    maps = work.gather(parts)
    largest, peak = _maxima(maps, settings, tile)
    if largest <= NO_DISTANCE:
        return np.zeros(shape, np.int32)
    image = ImageInTiles(maps, settings, foreground, largest, peak)
    labels, count = joined_labels(shape, windows, work.clusters(image, [window for _, window in windows]))
    _keep_likely(labels, count, image, windows)
    return labels


class MapsOnDisk(Protocol):
    """(M, N, 1 + E) float16 array of objectness and embedding, of which areas are read."""

    def __getitem__(self, area: Area, /) -> np.ndarray: ...


@dataclass(frozen=True)
class GatheredMaps:
    """Maps of a whole image on the disk, its shape (M, N), and the metric of the embedding."""

    both: MapsOnDisk
    shape: tuple[int, int]
    metric: str

    def objectness(self, area: Area) -> np.ndarray:
        """(m, n) objectness of an area, finite, in float32."""
        return finite_map(self.both[area][..., 0])

    def embedding(self, area: Area) -> np.ndarray:
        """(m, n, E) embedding of an area."""
        return self.both[area][..., 1:]


def both_of(maps: ImageMaps, part: Tile) -> np.ndarray:
    """(m, n, 1 + E) objectness and embedding of the core of a part, from the maps of its window."""
    return np.concatenate([maps.objectness[part.inner][..., None], maps.embedding[part.inner]], axis=2)


@dataclass(frozen=True)
class _OneByOne:
    """The tiles of an image are worked on in this process, one after the other."""

    pixels: np.ndarray
    predict: Callable[[np.ndarray], ImageMaps]

    def gather(self, parts: Sequence[Tile]) -> GatheredMaps:
        shape, both, metric = self.pixels.shape[:2], None, ""
        for part in parts:
            maps = self.predict(self.pixels[part.window])
            if both is None:  # only now E is known
                both, metric = array_on_disk((*shape, 1 + maps.embedding.shape[2]), np.float16), maps.metric
            both[part.core] = both_of(maps, part)
        assert both is not None  # an image has a part
        return GatheredMaps(both, shape, metric)

    def clusters(self, image: ImageInTiles, windows: Sequence[Area]) -> Callable[[Area], np.ndarray]:
        return image.clusters


def _maxima(maps: GatheredMaps, settings: Clustering, tile: int) -> tuple[np.floating, float]:
    """Largest objectness of the image, and after the smoothing for seeds, where the method has any."""
    seeded = isinstance(settings, SeededClustering)
    margin = ceil(_REACH * settings.seed_smoothing) if seeded else 0
    largest, peak = np.float32(0), 0.0
    for part in tiles_of(maps.shape, tile, margin):
        objectness = maps.objectness(part.window)
        largest = max(largest, objectness.max())
        if seeded:
            peak = max(peak, float(smoothed(objectness, settings)[part.inner].max()))
    return largest, peak


@dataclass(frozen=True)
class ImageInTiles:
    """Maps of an image, what is done with them, and their maxima."""

    maps: GatheredMaps
    settings: Clustering
    foreground: np.ndarray | None
    largest: np.floating  # objectness
    peak: float  # the same after the smoothing for seeds

    def objectness(self, area: Area) -> np.ndarray:
        return self.maps.objectness(area)

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
        return clusters(objectness, self.maps.embedding(window), settings, inside, self.maps.metric)


def _keep_likely(labels: np.ndarray, count: int, image: ImageInTiles, tiles: Sequence[Tile]) -> None:
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
