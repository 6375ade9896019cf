"""Connected components that grow until they meet: the baseline without long-range affinities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from skimage.segmentation import watershed

from study.clustering.base import Clustering
from study.clustering.connected import connected_components
from study.config import setting


@dataclass(frozen=True)
class ComponentsWatershed(Clustering):
    """Connected components of what is above `threshold`, grown over the foreground by a watershed.

    In a volume the map is the mean affinity to the neighbours over faces, and the foreground everything. The embedding
    is not used. Ids are in the order of each component's first pixel.
    """

    key: ClassVar[str] = "components-watershed"
    metrics: ClassVar[tuple[str, ...]] = ("angle", "euclidean", "affinity", "none")
    dims: ClassVar[tuple[int, ...]] = (2, 3)

    threshold: float = setting(0.5, low=0, high=1, search=(0.3, 0.98, 0.02), label="threshold of the object map")

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        components = connected_components(objectness > self.threshold).astype(np.int32)
        if not components.any():
            return components
        return watershed(-objectness, components, mask=foreground).astype(np.int32)
