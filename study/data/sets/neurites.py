"""Synthetic volume of neurites as an electron microscope sees them: thick planes, dense tubes, dark membranes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter
from skimage.measure import label
from skimage.segmentation import watershed

PLANE_DISTANCE = 5.0  # between planes, in pixels
DIAMETER = 16  # pixels; of straight tubes that would fill the volume, so real ones, which leave it, are thicker
MIN_VOXELS = 50  # smaller components go to the neurites around them


def neurites(rng: np.random.Generator, shape: tuple[int, int, int] = (32, 128, 128)) -> tuple[np.ndarray, np.ndarray]:
    """A block of tissue that winding neurites of all directions fill without gaps.

    A voxel belongs to the nearest of many random curves, so that neurites are tubes that touch all around. Membranes
    are dark within each plane, and less dark vesicles lie in the neurites. Planes differ in brightness. Neurites do not
    scale with the shape (planes, rows, columns).

    Returns
    -------
    raw : uint8 array
    labels : int32 array
        Consecutive ids from 1, each one component over faces; there is no background.
    """
    labels = _whole(_wavy(rng, _nearest(_curves(rng, shape))))
    return _seen(rng, labels), labels


def _curves(rng: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Volume with the ids of random curves on their voxels, 0 elsewhere."""
    extent = np.array(shape) * (PLANE_DISTANCE, 1, 1)
    steps = int(2 * extent.max())  # of one pixel
    count = max(2, round(extent.prod() / (DIAMETER**2 * extent.max())))
    bends = rng.normal(0, 0.05, (count, steps, 3)).cumsum(axis=1)
    directions = bends - bends.mean(axis=1, keepdims=True) + rng.normal(size=(count, 1, 3))
    path = (directions / np.linalg.norm(directions, axis=2, keepdims=True)).cumsum(axis=1)
    middle = path[:, [steps // 2]]
    points = path - middle + rng.uniform(0, 1, (count, 1, 3)) * extent
    voxels = np.floor(points / (PLANE_DISTANCE, 1, 1)).astype(int)
    ids = np.broadcast_to(np.arange(1, count + 1)[:, None], voxels.shape[:2])
    inside = ((voxels >= 0) & (voxels < shape)).all(axis=2)
    volume = np.zeros(shape, np.int32)
    volume[tuple(voxels[inside].T)] = ids[inside]
    return volume


def _nearest(volume: np.ndarray) -> np.ndarray:
    """`volume` with its zeros filled from the nearest other voxel."""
    sampling = (PLANE_DISTANCE, 1, 1)
    index = distance_transform_edt(volume == 0, sampling, return_distances=False, return_indices=True)
    return volume[tuple(np.asarray(index))]


def _smooth(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> np.ndarray:
    """Noise of mean 0 and variance 1, smooth over `scale` pixels within the plane and as far across planes."""
    noise = gaussian_filter(rng.standard_normal(shape, np.float32), (scale / PLANE_DISTANCE, scale, scale))
    return (noise - noise.mean()) / noise.std()


def _wavy(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """`labels` whose boundaries are moved by some pixels within each plane."""
    planes, *sides = np.indices(labels.shape)
    moved = (
        np.clip(at + np.rint(2 * _smooth(rng, labels.shape, 6)).astype(int), 0, size - 1)
        for at, size in zip(sides, labels.shape[1:], strict=True)
    )
    return labels[planes, *moved]


def _whole(labels: np.ndarray) -> np.ndarray:
    """The components of `labels`, each with an id of its own from 1; small ones go to those around them."""
    components = np.asarray(label(labels, connectivity=1))
    area = np.bincount(components.ravel())
    large = area >= min(MIN_VOXELS, area.max())
    kept = np.where(large, np.cumsum(large), 0)[components]
    return watershed(np.zeros(labels.shape, np.uint8), kept).astype(np.int32)  # floods over faces


def _seen(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """The grey values of `labels`."""
    boundary = np.zeros(labels.shape, np.float32)
    down, right = labels[:, 1:] != labels[:, :-1], labels[:, :, 1:] != labels[:, :, :-1]
    boundary[:, 1:][down] = boundary[:, :-1][down] = 1
    boundary[:, :, 1:][right] = boundary[:, :, :-1][right] = 1
    membrane = np.minimum(1.4 * gaussian_filter(boundary, (0, 0.8, 0.8)), 1)
    inside = gaussian_filter(boundary, (0, 3, 3)) < 0.1
    vesicles = inside & (_smooth(rng, labels.shape, 3) > 1.5)
    tone = rng.normal(165, 8, labels.max() + 1)[labels] + 6 * _smooth(rng, labels.shape, 2)
    image = tone - 45 * vesicles - membrane * (tone - 60)
    image = gaussian_filter(image, (0, 0.7, 0.7)) * rng.normal(1, 0.04, (len(labels), 1, 1))
    return (image + rng.normal(0, 9, labels.shape)).clip(0, 255).astype(np.uint8)
