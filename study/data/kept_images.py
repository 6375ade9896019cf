"""Images of a split, as many as there are: in memory, and on the disk where they would fill it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from study.data.batches import NetworkImage
from study.data.flat import FlatArrays, memory_bound, parts_of


def kept_images(images: Iterable[NetworkImage], bound: int | None = None) -> tuple[NetworkImage, ...]:
    """The same images, with arrays that stand in flat ones.

    Parameters
    ----------
    images : iterable of NetworkImage
        Taken one by one.
    bound : int, optional
        Bytes that they may take in memory, `memory_bound` by default; beyond it they are mapped files.

    Raises
    ------
    StudyError
        If there is no room on the disk.
    """
    bound = memory_bound() if bound is None else bound
    flat = FlatArrays(bound, pixels=np.float16, labels=np.int32, original=np.int32)
    names: list[str] = []
    shapes: dict[str, list[tuple[int, ...]]] = {"pixels": [], "labels": [], "original": []}
    for image in images:
        scaled = image.original is not image.labels  # else one array less
        original = image.original if scaled else np.empty(0, np.int32)
        for name, array in (("pixels", image.pixels), ("labels", image.labels), ("original", original)):
            flat.append(**{name: array})
            shapes[name].append(array.shape)
        names.append(image.name)
    arrays = flat.arrays()
    parts = (parts_of(arrays[name], shapes[name]) for name in ("pixels", "labels", "original"))
    return tuple(
        NetworkImage(name, pixels, labels, original if original.size else labels)
        for name, pixels, labels, original in zip(names, *parts, strict=True)
    )
