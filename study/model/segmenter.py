"""Image -> labels, by a trained network with its clustering and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from skimage.color import rgb2gray
from torch import nn

from study.config import Settings
from study.data.batches import network_pixels
from study.data.reading import as_image
from study.inference import ImageMaps, labels_of_maps, maps_of_pixels


class Segmenter:
    """A trained network with the clustering and the thresholds of its run.

    Parameters
    ----------
    network : Module
        In evaluation mode, on its device.
    settings : Settings
        Of the run, with the thresholds that were found.
    channels : int
        That the network takes, 1 or 3.
    facts : mapping of str, optional
        Where it is from: `run_id`, `dataset`, scores, ...
    """

    def __init__(
        self, network: nn.Module, settings: Settings, channels: int, facts: Mapping[str, str] = MappingProxyType({})
    ):
        self.network, self.settings, self.channels, self.facts = network, settings, channels, facts

    def __call__(self, image: np.ndarray, foreground: np.ndarray | None = None) -> np.ndarray:
        """Objects of an image.

        Parameters
        ----------
        image : (M, N), (M, N, 1), (M, N, 3) or (M, N, 4) array
            Grey, RGB or RGBA, of whole numbers or floats of any range.
        foreground : (M, N) bool array, optional
            Where objects may be.

        Returns
        -------
        (M, N) int32 array
            0 = background, objects 1, 2, ..., K.

        Raises
        ------
        StudyError
            If the array is no image, or has values that are not finite.
        """
        image = as_image(np.asarray(image), "the image")
        return self.labels(self.maps(image), image.shape[:2], foreground)

    def maps(self, image: np.ndarray) -> ImageMaps:
        """The network's part, on its device: maps of an (M, N, C) image at the network's scale."""
        pixels = network_pixels(with_channels(image, self.channels), self.settings.data.image_size)
        return maps_of_pixels(self.network, [pixels], self.settings)[0]

    def labels(self, maps: ImageMaps, shape: tuple[int, int], foreground: np.ndarray | None = None) -> np.ndarray:
        """The clustering's part: labels at the size `shape` of the image, as of calling this.

        Without a mask, a network that was scored inside of the true foreground takes that which it predicts.
        """
        clustering = self.settings.clustering
        if foreground is None and clustering.foreground == "truth":
            clustering = replace(clustering, foreground="predicted")
        return labels_of_maps(maps, shape, clustering, foreground)


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """(M, N, C) image of 1 or 3 channels with as many as a network takes: grey repeated, or the luminance of RGB."""
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return rgb2gray(image.astype(np.float32))[..., None]
