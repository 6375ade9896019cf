"""What the losses need of an image, computed once: distance map and pairs of neighbouring objects."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from skimage import segmentation

PAPERS_WIDTH = 512  # px; to which Wu et al. 2020 and Chen et al. 2019 resize images, and in which they give distances
TOUCHING = 1.5  # px between the centres of pixels; objects that share a corner are closer


def reach_of(distance: float, shape: tuple[int, ...]) -> float:
    """A distance at the papers' scale in px of an image of that shape, whose longer side is their width.

    Objects that touch are closer than that at any size.
    """
    return max(TOUCHING, distance * max(shape) / PAPERS_WIDTH)


def relabel_sequential(labels: np.ndarray) -> np.ndarray:
    """int32 labels with ids 0, 1, ..., K in the order of the original ids; 0 stays the background."""
    return segmentation.relabel_sequential(labels)[0].astype(np.int32)


def distance_map(labels: np.ndarray) -> np.ndarray:
    """Distance of each object pixel to the nearest pixel outside its own object, divided by the object's maximum.

    The frame of the image is no boundary: an object that it cuts goes on outside. An object that fills the image has
    no boundary at all and gets 1 everywhere (Wu et al. 2020, section 3). Computed per object, since touching objects
    need a boundary between them.

    Parameters
    ----------
    labels : (M, N) int array
        Ids 0, ..., K; 0 is the background, whose distance is 0.

    Returns
    -------
    (M, N) float32 array in [0, 1]
    """
    distance = np.zeros(labels.shape, np.float32)
    for i, box in enumerate(ndi.find_objects(labels), start=1):
        if box is None:
            continue
        box = _grown(box, 1, labels.shape)  # the nearest outside pixel lies at most one pixel beyond the box
        inside = labels[box] == i
        depth = np.asarray(inside if inside.all() else ndi.distance_transform_edt(inside), np.float32)
        distance[box] += depth / depth.max()
    return distance


def neighbours(labels: np.ndarray, reach: float) -> np.ndarray:
    """Which objects are neighbours: their shortest distance is below `reach`.

    Parameters
    ----------
    labels : (M, N) int array
        Ids 0, ..., K; 0 is the background.
    reach : float
        Distance d of Chen et al. 2019, section 2.1, in pixels, between pixel centres; `inf` makes all pairs neighbours
        (global constraints).

    Returns
    -------
    (K + 1, K + 1) bool array, symmetric
        The background is a neighbour of every present object. No object is its own neighbour.
    """
    boxes = ndi.find_objects(labels)
    table = np.zeros((len(boxes) + 1, len(boxes) + 1), bool)
    present = [i for i, box in enumerate(boxes, start=1) if box is not None]
    for i in present:
        if np.isinf(reach):
            table[i, present] = True
            continue
        box = _grown(boxes[i - 1], int(np.ceil(reach)), labels.shape)
        near = labels[box]
        table[i, np.unique(near[np.asarray(ndi.distance_transform_edt(near != i)) < reach])] = True
    table |= table.T
    table[0, present] = table[present, 0] = True
    np.fill_diagonal(table, False)
    return table


def _grown(box: tuple[slice, slice], margin: int, shape: tuple[int, ...]) -> tuple[slice, ...]:
    """`box` with a margin on each side, cut at the frame of the image."""
    return tuple(
        slice(max(0, side.start - margin), min(length, side.stop + margin))
        for side, length in zip(box, shape, strict=True)
    )
