"""Tiles of an image, and arrays on the disk that hold what is found for all of them."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from math import ceil, prod
from typing import NamedTuple

import numpy as np

from study.files import no_temporary_file

Area = tuple[slice, slice]  # rows and columns

_CHUNK = bytes(2**20)


class Tile(NamedTuple):
    """A part of an image."""

    core: Area  # what the tile stands for; the cores of all tiles fill the image and do not overlap
    window: Area  # what is looked at for it: the core and a margin around it, as far as the image goes

    @property
    def inner(self) -> Area:
        """The core, counted from the window's corner."""
        (top, left), (rows, columns) = (side.start for side in self.window), self.core
        return slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)


def tiles_of(shape: Sequence[int], longest: int, margin: int, multiple: int = 1) -> list[Tile]:
    """Tiles of nearly equal size, row by row.

    Parameters
    ----------
    shape : (M, N)
    longest : int
        Side of a core, px, at least 1; exceeded by less than `multiple`.
    margin : int
        Px, rounded up to a multiple of `multiple`.
    multiple : int
        Cores and windows begin at multiples of this, and those that do not reach the image's end also end there.
    """
    rows, columns = (_along(size, longest, margin, multiple) for size in shape)
    return [
        Tile((core_rows, core_columns), (window_rows, window_columns))
        for (core_rows, window_rows), (core_columns, window_columns) in itertools.product(rows, columns)
    ]


def _along(size: int, longest: int, margin: int, multiple: int) -> list[tuple[slice, slice]]:
    """Cores and windows along an axis."""
    core = ceil(size / ceil(size / longest) / multiple) * multiple
    margin = ceil(margin / multiple) * multiple
    return [
        (slice(start, min(start + core, size)), slice(max(start - margin, 0), min(start + core + margin, size)))
        for start in range(0, size, core)
    ]


def array_on_disk(shape: Sequence[int], dtype: type[np.generic]) -> np.memmap:
    """An array of zeros in a temporary file without a name, which is gone with the array however the program ends.

    If there is no room for it, this raises a StudyError.
    """
    size = prod(shape) * np.dtype(dtype).itemsize
    try:
        with tempfile.TemporaryFile() as file:
            # filled, as a mapped file with gaps kills the program where the disk turns out to be full
            for start in range(0, size, len(_CHUNK)):
                file.write(_CHUNK[: size - start])
            file.flush()
            return np.memmap(file, dtype, "r+", shape=tuple(shape))
    except OSError as error:
        raise no_temporary_file("a large image needs", size, error) from error
