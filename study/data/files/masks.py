"""A mask for each object -> labels of an image, and what is settled where masks overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from study.data.dataset import Record
from study.data.files.reading import read_image, read_labels
from study.errors import StudyError


class Merged(NamedTuple):
    """Labels of an image, and a sentence on each mask that is not what it says."""

    labels: np.ndarray  # (M, N) int32: 1, 2, … in the order of the masks; the first keeps a pixel that several have
    defects: list[str]


def merge(masks: Iterable[tuple[str, np.ndarray]], shape: tuple[int, int], image: str) -> Merged:
    """Labels of the masks of an image.

    Parameters
    ----------
    masks : iterable of (name, (M, N) bool array)
    shape : (M, N)
        Of the image.
    image : str
        Its name, for the sentences.

    Raises
    ------
    StudyError
        If a mask is of another size.
    """
    labels, defects = np.zeros(shape, np.int32), []
    overlapping, pixels = [], 0
    for index, (name, mask) in enumerate(masks, start=1):
        if mask.shape != shape:
            sizes = "{} x {} px, its image {} x {} px".format(*mask.shape, *shape)
            raise StudyError(f"{name} has {sizes}: replace or remove the mask")
        free = mask & (labels == 0)
        labels[free] = index
        area, left = np.count_nonzero(mask), np.count_nonzero(free)
        if not area:
            defects.append(f"{name} marks no pixel: remove the mask, or mark its object")
        elif not left:
            defects.append(f"{name} lies wholly under other masks: remove it, or the one above it")
        elif left < area:
            overlapping.append(name)
            pixels += area - left
    if overlapping:
        named = f"{overlapping[0]} and {len(overlapping) - 1} more" if len(overlapping) > 1 else overlapping[0]
        defects.append(
            f"masks of {image} overlap in {pixels} px ({named}): the first by name keeps them, so part the masks"
        )
    return Merged(labels, defects)


def read_masks(image: Path, masks: Sequence[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Image, and labels of a file for each object, of which there may be none; see `merge`."""
    pixels = read_image(image)
    return pixels, _merged(image, masks, pixels).labels


def mask_defects(image: Path, masks: Sequence[Path]) -> list[str]:
    """What `merge` says of these masks."""
    return _merged(image, masks, read_image(image)).defects


def of_masks(name: str, image: Path, masks: Sequence[Path]) -> Record:
    """The record of an image with a file for each object."""
    read, settled = partial(read_masks, image, masks), partial(mask_defects, image, masks)
    return Record(name, read, (image, *masks), "", partial(read_image, image), settled=settled)


def _merged(image: Path, masks: Sequence[Path], pixels: np.ndarray) -> Merged:
    rows, columns = pixels.shape[:2]
    return merge(((str(path), read_labels(path) > 0) for path in masks), (rows, columns), str(image))
