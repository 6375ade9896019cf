"""Image files of a researcher -> arrays that a network takes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from study.data.files.names import NOTHING, in_words
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
        Of a stack, a letter for each of its dimensions, such as Z, T or TZ; empty for a single image.
    shape : tuple of int
        Of a stack, planes along each of `axes`.
    """

    images: list[np.ndarray]
    axes: str = ""
    shape: tuple[int, ...] = ()


def read_planes(file: Path) -> Planes:
    """Read an image file of any kind: PNG, JPEG or TIFF, of 8 or 16 bits or floats, grey, RGB, with alpha, or a stack.

    The whole file is held in memory.

    Raises
    ------
    StudyError
        If the file cannot be read (see `study.data.files.stacks.read_stack`), or a plane is no image (see `as_image`).
    """
    pixels, axes = read_stack(file)
    shape = pixels.shape[: len(axes)]
    planes = pixels.reshape(-1, *pixels.shape[-3:])
    return Planes(
        [as_image(plane, f"{file}, plane {k}," if axes else file) for k, plane in enumerate(planes)], axes, shape
    )


def passed_over(source: Path) -> str:
    """What else the folder of images holds, in words; empty where there is nothing, or `source` is a file."""
    folder = given_path(source)
    words = in_words(folder, IMAGE_SUFFIXES) if folder.is_dir() else NOTHING
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
        if source.is_file():
            return [source]
        files = sorted(
            file
            for file in source.iterdir()
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and not file.is_dir()
        )
    except FileNotFoundError as error:
        raise StudyError(f"{source} does not exist: give a folder of images, or an image") from error
    except OSError as error:
        raise StudyError(f"cannot list {source} ({error.strerror}): give a folder of images, or an image") from error
    if not files:
        raise StudyError(
            f"{source} holds no image that can be read (it holds {in_words(source)}): give the folder of the images, "
            f"which may be {', '.join(IMAGE_SUFFIXES)}"
        )
    return files
