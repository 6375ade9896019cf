"""A clusterer in one file: each pixel goes to the seed region that is nearest in the image, or to none."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians
from typing import ClassVar

import numpy as np
from scipy import ndimage

from study.clustering.base import SeededClustering
from study.clustering.seeds import region_directions, seed_regions
from study.config import setting


@dataclass(frozen=True)
class NearestSeed(SeededClustering):
    """Voronoi cells of the seed regions, cut where the embedding turns away from that of the region.

    A pixel belongs to the seed region nearest to it if that is at most `reach` px away and the embedding of the pixel
    within `angle` of the mean of the region. It is a baseline that shows what growing adds. Ids are in row-major order
    of the regions.
    """

    key: ClassVar[str] = "nearest-seed"

    reach: int = setting(20, low=1, high=4096, search=(4, 60, 4), label="reach of a seed region, px")

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        regions = seed_regions(objectness, self)
        if not regions.any():
            return regions
        directions = region_directions(regions, embedding)
        away, indices = ndimage.distance_transform_edt(regions == 0, return_indices=True)  # type: ignore[misc]
        nearest = regions[tuple(indices)]
        similarity = np.einsum("mne,mne->mn", embedding, directions[nearest - 1])  # NaN without direction
        return np.where((away <= self.reach) & (similarity > cos(radians(self.angle))), nearest, 0)
