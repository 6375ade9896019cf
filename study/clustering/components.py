"""Connected components of a thresholded map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from skimage.segmentation import expand_labels

from study.clustering.base import Clustering
from study.clustering.connected import connected_components
from study.config import setting


@dataclass(frozen=True)
class Components(Clustering):
    """Connected components of what is above `threshold`: the objects of the three-class U-Net (Chen et al. 2019).

    `expansion` widens the objects by that many px, to give back the contours that were put between them; a pixel that
    several reach goes to the nearest. The embedding is not used. Ids are in row-major order of each object's first
    pixel.
    """

    key: ClassVar[str] = "components"
    metrics: ClassVar[tuple[str, ...]] = ("angle", "euclidean", "affinity", "none")

    threshold: float = setting(0.5, low=0, high=1, search=(0.1, 0.9, 0.05), label="threshold of the object map")
    expansion: int = setting(0, low=0, high=100, search=(0, 4, 1), label="expansion, px")  # px

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        components = connected_components(objectness > self.threshold).astype(np.int32)
        return expand_labels(components, self.expansion)
