"""What all clustering methods have in common: their settings, and what they are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from study.config import Component, setting
from study.errors import StudyError


@dataclass(frozen=True)
class Clustering(Component):
    """From the maps of an image to labels. Pixel sizes are at the network's scale.

    Attributes
    ----------
    metrics : tuple of str
        By which embeddings the method can tell pixels apart, see `study.maps.ImageMaps.metric`.
    dims : tuple of int
        Whether it takes images (2), volumes (3) or both.
    """

    metrics: ClassVar[tuple[str, ...]] = ()
    dims: ClassVar[tuple[int, ...]] = (2,)

    min_size: int = setting(10, low=0, search=(0, 100, 5), label="minimum size, px")  # smaller objects are dropped, px
    # objects of smaller mean objectness are dropped, relative to the image's maximum
    min_distance: float = setting(0.1, low=0, high=1, search=(0.0, 0.5, 0.02), label="minimum mean distance")
    foreground: str = setting("auto", choices=("auto", "truth", "predicted", "none"))
    # of predicted: relative to the image's maximum
    foreground_threshold: float = setting(
        0.08, low=0, high=1, search=(0.02, 0.8, 0.02), label="foreground threshold", form="foreground threshold {}"
    )

    @property
    def method(self) -> str:
        """The key of the method."""
        return self.key

    @property
    def window_step(self) -> int:
        """Windows of a large image begin at multiples of this, so that the same pairs of pixels count in each."""
        return 1

    def check(self, settings) -> None:
        if settings.dims not in self.dims:
            raise StudyError(
                f"clustering.method={self.key} does not take the {settings.kind} of data.name={settings.data.name}: "
                f"choose {', '.join(settings.methods_that_fit())}"
            )
        if settings.embedding_metric not in self.metrics:
            raise StudyError(
                f"clustering.method={self.key} cannot tell pixels apart by what loss.name={settings.loss.key} with "
                f"network.name={settings.network.key} gives, which is {_GIVEN[settings.embedding_metric]}: choose "
                f"{', '.join(settings.methods_that_fit())}"
            )

    def cluster(self, objectness: np.ndarray, embedding: np.ndarray, foreground: np.ndarray, metric: str) -> np.ndarray:
        """Objects of an image; `study.clustering.segment` drops unlikely ones and applies the foreground.

        Parameters
        ----------
        objectness : (*S) float32 array
            Finite; high inside of objects. `*S` are (rows, columns) or (planes, rows, columns).
        embedding : (*S, E) float32 array
            Unit vectors where `metric` is `angle`, NaN where there is no direction; vectors of any length where it is
            `euclidean`; affinities of the trained offsets where it is `affinity`. E = 0 where it is `none`.
        foreground : (*S) bool array
            Pixels to cluster, for methods without seeds; those with seeds do not use it.
        metric : str
            One of `metrics`.

        Returns
        -------
        (*S) int32 array
            0 = background, ids from 1, maybe with gaps.
        """
        raise NotImplementedError


_GIVEN = {
    "angle": "an embedding compared by its angles",
    "euclidean": "an embedding compared by its Euclidean distances",
    "affinity": "affinities",
    "none": "no embedding",
}


@dataclass(frozen=True)
class SeededClustering(Clustering):
    """A method that begins at seeds: where the smoothed distance map is above a threshold."""

    metrics: ClassVar[tuple[str, ...]] = ("angle",)

    # relative to the image's maximum
    seed_threshold: float = setting(0.7, low=0, high=1, search=(0.2, 0.95, 0.05), label="seed threshold")
    # sigma of a Gaussian on the distance map, px
    seed_smoothing: float = setting(1.0, low=0, high=50, search=(0.0, 5.0, 0.5), label="smoothing of seeds, px")
    # degrees around the embedding of the seed or the seed region
    angle: float = setting(45.0, low=0.1, high=180, search=(10.0, 80.0, 2.5), label="angle, °")
