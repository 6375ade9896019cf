"""Image files of a researcher -> arrays that a network takes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from study.data.files.microscopy import SUFFIXES as OF_MICROSCOPES
from study.data.files.microscopy import Part, read_microscopy
from study.data.files.names import NOTHING, in_words
from study.data.files.pixel_size import pixel_size_of
from study.data.files.reading import IMAGE_SUFFIXES, as_image
from study.data.files.stacks import read_stack
from study.errors import StudyError
from study.files import given_path


class Planes(NamedTuple):
    """The images of a file.

    Attributes
    ----------
    images : list of (M, N, C) arrays
        As of `study.data.files.reading.as_image`: C is 1 or 3, uint8, uint16 or float32. One, or the planes of a stack.
    axes : str
        Of a stack, a letter for each of its dimensions, such as Z, T or TZ, T before Z; empty for a single image.
    shape : tuple of int
        Of a stack, planes along each of `axes`.
    pixel_size : (float, float, float) or None
        Planes, rows and columns in micrometres, where the file tells it.
    """

    images: list[np.ndarray]
    axes: str = ""
    shape: tuple[int, ...] = ()
    pixel_size: tuple[float, float, float] | None = None

    @property
    def depth(self) -> int:
        """Planes of a volume: all, or those of a time point."""
        return self.shape[1] if self.axes == "TZ" else len(self.images)


def read_planes(file: Path, part: Part | None = None) -> Planes:
    """Read an image file of any kind: PNG, JPEG or TIFF, of 8 or 16 bits or floats, grey, RGB, with alpha, or a stack.

    Files of microscopes are read by bioio, and `part` tells their channel and scene. The whole file is held in memory.

    Raises
    ------
    StudyError
        If the file cannot be read (see `study.data.files.stacks.read_stack` and
        `study.data.files.microscopy.read_microscopy`), or a plane is no image (see `as_image`).
    """
    if file.suffix.lower() in OF_MICROSCOPES:
        (pixels, axes), size = read_microscopy(file, part)
    else:
        pixels, axes = read_stack(file)
        size = pixel_size_of(file)
    if axes == "ZT":
        pixels, axes = pixels.swapaxes(0, 1), "TZ"
    shape = pixels.shape[: len(axes)]
    planes = pixels.reshape(-1, *pixels.shape[-3:])
    return Planes(
        [as_image(plane, f"{file}, plane {k}," if axes else file) for k, plane in enumerate(planes)], axes, shape, size
    )


def passed_over(source: Path) -> str:
    """What else the folder of images holds, in words; empty where there is nothing, or `source` is a file."""
    folder = given_path(source)
    is_source = folder.is_dir() and not _is_image(folder)
    words = in_words(folder, _is_image) if is_source else NOTHING
    return "" if words == NOTHING else words


def find_images(source: Path) -> list[Path]:
    """The image files of a folder, sorted by name; folders in it and hidden files are skipped.

    Parameters
    ----------
    source : Path
        A folder, or a single file, whatever it is called.

    Raises
    ------
    StudyError
        If there is no such folder or file, or no image in it.
    """
    source = given_path(source)
    try:
        if source.is_file() or _is_image(source):
            return [source]
        files = sorted(file for file in source.iterdir() if _is_image(file) and not file.name.startswith("."))
    except FileNotFoundError as error:
        raise StudyError(f"{source} does not exist: give a folder of images, or an image") from error
    except OSError as error:
        raise StudyError(f"cannot list {source} ({error.strerror}): give a folder of images, or an image") from error
    if not files:
        raise StudyError(
            f"{source} holds no image that can be read (it holds {in_words(source)}): give the folder of the images, "
            f"which may be {', '.join((*IMAGE_SUFFIXES, *OF_MICROSCOPES))}"
        )
    return files


def _is_image(path: Path) -> bool:
    """Whether a path is that of an image; a Zarr is a folder."""
    ending = path.suffix.lower()
    return ending == ".zarr" if path.is_dir() else ending in (*IMAGE_SUFFIXES, *OF_MICROSCOPES)
