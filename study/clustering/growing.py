"""Region growing: seed regions take in what lies next to them and is similar to their mean embedding."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians
from typing import ClassVar

import numpy as np
from scipy import ndimage

from study.clustering.base import SeededClustering
from study.clustering.seeds import region_directions, seed_regions


@dataclass(frozen=True)
class Growing(SeededClustering):
    """Objects grown from the seed regions of a distance map (Chen et al. 2019, section 2.2).

    Where the distance map is above `seed_threshold` times its maximum, each connected region is an object, with the
    normalised mean of its embeddings. Round by round, objects take in the pixels in the 3 x 3 squares around their
    own whose embedding is within `angle` of that mean; the mean stays as it was. A pixel that several objects reach in
    the same round goes to the most similar one (of equals, to the first in row-major order), and a pixel once assigned
    stays. With `overwrite` it does not: there each pixel is offered to the last of the objects around it alone, even if
    it belongs to an earlier one. A pixel without direction is in no object.

    Every pixel is looked at once for each object around it, in O(M N E) time; with `overwrite` the whole image in every
    round. Ids are in row-major order of their regions, with gaps.
    """

    key: ClassVar[str] = "growing"

    overwrite: bool = False  # a later object takes pixels from an earlier one

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        regions = np.where(np.isfinite(embedding[..., 0]), seed_regions(objectness, self), 0)
        directions = region_directions(regions, embedding)
        grow = _overwriting if self.overwrite else _first_come
        return grow(regions, embedding, directions, cos(radians(self.angle)))


def _first_come(regions: np.ndarray, embedding: np.ndarray, directions: np.ndarray, limit: float) -> np.ndarray:
    """`regions` grown so that a pixel once assigned stays; each round looks at the newest pixels alone."""
    rows, columns = regions.shape
    framed = np.pad(regions, 1, constant_values=-1)  # a frame that is never free
    labels, width = framed.ravel(), columns + 2
    steps = np.array([r * width + c for r in (-1, 0, 1) for c in (-1, 0, 1) if r or c])
    newest = np.flatnonzero(labels > 0)
    while newest.size:
        pixels, owners = (newest[:, None] + steps).ravel(), np.repeat(labels[newest], len(steps))
        free = labels[pixels] == 0
        pairs = np.unique(pixels[free] * (len(directions) + 1) + owners[free])
        pixels, owners = pairs // (len(directions) + 1), pairs % (len(directions) + 1)
        vectors = embedding[pixels // width - 1, pixels % width - 1]
        similarity = np.einsum("pe,pe->p", vectors, directions[owners - 1])
        near = similarity > limit
        pixels, owners, similarity = pixels[near], owners[near], similarity[near]
        order = np.lexsort((owners, -similarity, pixels))
        newest, first = np.unique(pixels[order], return_index=True)
        labels[newest] = owners[order][first]
    return labels.reshape(framed.shape)[1 : rows + 1, 1 : columns + 1]


def _overwriting(regions: np.ndarray, embedding: np.ndarray, directions: np.ndarray, limit: float) -> np.ndarray:
    """`regions` grown so that a later object takes from an earlier one; labels only rise, so that it ends."""
    labels = regions.copy()
    while True:
        offered = np.asarray(ndimage.maximum_filter(labels, size=3, mode="nearest"))
        rows, columns = np.nonzero(offered != labels)
        owners = offered[rows, columns].astype(int)
        near = np.einsum("pe,pe->p", embedding[rows, columns], directions[owners - 1]) > limit
        if not near.any():
            return labels
        labels[rows[near], columns[near]] = owners[near]
