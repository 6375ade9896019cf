"""Maps -> labels at the size of the image."""

from __future__ import annotations

import numpy as np

from study.clustering import Clustering, segment
from study.data.batches import NetworkImage, resize_labels
from study.data.targets import relabel_sequential
from study.maps import ImageMaps


def label_image(maps: ImageMaps, image: NetworkImage, settings: Clustering) -> np.ndarray:
    """Labels of an image at its original size.

    Maps are clustered at the network's scale, the labels brought back, and what lies outside of the foreground dropped.

    Parameters
    ----------
    maps : ImageMaps
    image : NetworkImage
        Its true labels are used only where `settings.foreground` is `truth`, and then only as a mask.
    settings : Clustering

    Returns
    -------
    (M', N') int32 array
    """
    foreground = image.original > 0 if settings.foreground == "truth" else None
    return labels_of_maps(maps, image.original.shape, settings, foreground)


def labels_of_maps(
    maps: ImageMaps, shape: tuple[int, ...], settings: Clustering, foreground: np.ndarray | None = None
) -> np.ndarray:
    """Labels at the size `shape` of an image, see `label_image`, inside of a mask of that size where there is one."""
    mask = None if foreground is None else resize_labels(foreground, maps.shape)
    labels = resize_labels(segment(maps, settings, mask), shape)
    return labels if foreground is None else relabel_sequential(np.where(foreground, labels, 0))
