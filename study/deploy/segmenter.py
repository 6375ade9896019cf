"""Image -> labels, by a trained network with its clustering and thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from skimage.color import rgb2gray
from torch import nn

from study.clustering import Clustering
from study.data.batches import network_pixels
from study.data.files.reading import as_image
from study.deploy.tiles import label_in_tiles
from study.errors import StudyError
from study.inference import maps_of_pixels
from study.maps import ImageMaps
from study.segmentation import labels_of_maps
from study.settings import Settings

LARGE = 2**21  # px, from where an image that keeps its size is taken in tiles
TILES = {"tile": 1536, "overlap": 256}  # px, see `label_in_tiles`
HALO = 8  # px at the network's coarsest level: the radius of the receptive field of a U-Net, which is 7.5


class ImageOutput(NamedTuple):
    """What the network gives for an image.

    Attributes
    ----------
    shape : (M, N) or (P, M, N)
        Of the image or volume.
    maps : ImageMaps or None
        At the network's scale.
    labels : (M, N) int32 array or None
        In place of the maps: those of a large image are never in memory as a whole.
    """

    shape: tuple[int, ...]
    maps: ImageMaps | None = None
    labels: np.ndarray | None = None


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

    def __repr__(self) -> str:
        return f"<Segmenter: {self.about}>"

    @property
    def about(self) -> str:
        """What it is and what it learnt from, in words: on other images it may be of no use."""
        settings = self.settings
        return (
            f"{settings.network.key} with {settings.clustering.method} clustering, trained on "
            f"{self.facts.get('dataset', settings.data.name)}: {kind_of_images(settings, self.channels)}"
        )

    @property
    def volumes(self) -> bool:
        """Whether it takes volumes in place of images."""
        return self.settings.dims == 3

    def __call__(self, image: np.ndarray, foreground: np.ndarray | None = None) -> np.ndarray:
        """Objects of an image.

        Parameters
        ----------
        image : (M, N), (M, N, 1), (M, N, 3) or (M, N, 4) array
            Grey, RGB or RGBA, of whole numbers or floats of any range. Of a model of volumes a (P, M, N) array.
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
        image = as_volume(np.asarray(image)) if self.volumes else as_image(np.asarray(image), "the image")
        if foreground is not None and foreground.shape != image.shape[:-1]:
            raise StudyError(
                f"the foreground has shape {foreground.shape}, the image {image.shape[:-1]}: give one mask"
            )
        return self.labels(self.maps(image, foreground=foreground), foreground)

    def maps(self, image: np.ndarray, foreground: np.ndarray | None = None) -> ImageOutput:
        """The network's part, on its device.

        Parameters
        ----------
        image : (M, N, C) array
            See `study.data.files.reading.as_image`.
        foreground : (M, N) bool array, optional
            Used for large images, which are clustered here.
        """
        pixels = self.pixels(image)
        if not self.takes_tiles(image):
            return ImageOutput(image.shape[:-1], self.maps_of_pixels(pixels))
        clustering = self.clustering(foreground)
        labels = label_in_tiles(pixels, self.maps_of_pixels, clustering, **self.tiling, foreground=foreground)
        return ImageOutput(image.shape[:-1], labels=labels)

    def takes_tiles(self, image: np.ndarray) -> bool:
        """Whether an image (M, N, C) is so large that its maps are not made at once."""
        return self.may_take_tiles and image[..., 0].size >= LARGE

    @property
    def may_take_tiles(self) -> bool:
        """Whether images keep their size."""
        return not self.volumes and not self.settings.data.image_size

    @property
    def tiling(self) -> dict[str, int]:
        """How a large image is cut, by arguments of `label_in_tiles`."""
        multiple = 2**self.settings.network.depth
        return {"multiple": multiple, "halo": HALO * multiple, **TILES}

    def pixels(self, image: np.ndarray) -> np.ndarray:
        """What the network takes of an image (M, N, C), standardised as a whole."""
        return network_pixels(with_channels(image, self.channels), self.settings.data.image_size)

    def labels(self, output: ImageOutput, foreground: np.ndarray | None = None) -> np.ndarray:
        """The clustering's part: labels at the size of the image, as when this is called."""
        if output.maps is None:
            assert output.labels is not None
            return output.labels
        return labels_of_maps(output.maps, output.shape, self.clustering(foreground), foreground)

    def maps_of_pixels(self, pixels: np.ndarray) -> ImageMaps:
        """Maps of what `pixels` gives, or of a part of it."""
        return maps_of_pixels(self.network, [pixels], self.settings)[0]

    def clustering(self, foreground: np.ndarray | None) -> Clustering:
        """Without a mask, a network that was scored inside of the true foreground takes that which it predicts."""
        clustering = self.settings.clustering
        if foreground is None and clustering.foreground == "truth":
            return replace(clustering, foreground="predicted")
        return clustering


def kind_of_images(settings: Settings, channels: int) -> str:
    """What a network was trained on, such as `colour images scaled to 96 px`."""
    if settings.dims == 3:
        return "volumes"
    size = settings.data.image_size
    return f"{'colour' if channels == 3 else 'grey'} images {f'scaled to {size} px' if size else 'of their own size'}"


def as_volume(pixels: np.ndarray) -> np.ndarray:
    """A (P, M, N) array, or one with a channel of its own, as a (P, M, N, 1) volume.

    Raises
    ------
    StudyError
        If it is none, or a plane of it is no image, see `study.data.files.reading.as_image`.
    """
    if pixels.ndim == 4 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim != 3:
        raise StudyError(f"a model of volumes takes (planes, rows, columns), not an array of shape {pixels.shape}")
    tall = as_image(pixels.reshape(-1, pixels.shape[2]), "the volume")  # planes below each other are an image
    return tall.reshape(*pixels.shape, 1)


def with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    """(*S, C) image of 1 or 3 channels with as many as a network takes: grey repeated, or the luminance of RGB."""
    if image.shape[-1] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=-1)
    return rgb2gray(image.astype(np.float32))[..., None]
