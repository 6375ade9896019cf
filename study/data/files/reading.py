"""Image files and arrays from HDF5 -> images and labels of the kinds that `Sample` promises."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from study.data.files.lossy import UNTOLD, lossy_format
from study.data.files.stacks import read_stack
from study.errors import StudyError

SUFFIXES = (".png", ".tif", ".tiff")
IMAGE_SUFFIXES = (*SUFFIXES, ".jpg", ".jpeg")  # of images; labels in a JPEG are refused


def read_image(path: Path) -> np.ndarray:
    """(M, N, C) image, C = 1 or 3, uint8, uint16 or float32; see `as_image`."""
    return as_image(read_pixels(path), path)


def read_labels(path: Path) -> np.ndarray:
    """(M, N) int32 labels; the index is the id in a palette image; see `as_labels`.

    Raises
    ------
    StudyError
        As `as_labels` and `read_stack`, and if the values went through a lossy compression, or may have.
    """
    if lossy := lossy_format(path):
        verb = "may change" if lossy in UNTOLD else "changes"
        raise StudyError(
            f"{path} is compressed by {lossy}, which {verb} values: save labels as PNG or TIFF, without loss"
        )
    return as_labels(read_pixels(path, ids=True), path)


def read_pixels(path: Path, ids: bool = False) -> np.ndarray:
    """Pixels (M, N, C) of an image file, see `read_stack`; a StudyError if it holds several planes."""
    pixels, axes = read_stack(path, ids)
    if axes:
        pages = math.prod(pixels.shape[:-3])
        raise StudyError(f"{path} holds {pages} pages: save every page as an image of its own")
    return pixels


@contextmanager
def reading_hdf5(path: Path, what: str = "") -> Iterator[h5py.File]:
    """An HDF5 file, opened to be read; what its library raises in the block becomes a sentence, beginning by `what`.

    Raises
    ------
    StudyError
        If there is none, or it is damaged or of another format.
    """
    try:
        opened = h5py.File(path)
    except OSError as error:
        raise StudyError(_why_closed(path, error)) from error
    with opened as file:
        try:
            yield file
        except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise StudyError(f"cannot read {what}{path}: replace the file, it is damaged ({error})") from error


def _why_closed(path: Path, error: OSError) -> str:
    """Why an HDF5 file cannot be opened, in a sentence."""
    if isinstance(error, FileNotFoundError):
        return f"{path} does not exist: check the path"
    if isinstance(error, PermissionError):
        return f"{path} may not be read: give yourself the right to read it"
    if isinstance(error, BlockingIOError) or "unable to lock" in str(error):
        return f"{path} is held by another program, which may be writing it: close it there, or read a copy"
    return f"cannot open {path}: replace the file, it is damaged or no HDF5 file"


def read_hdf5(path: Path, name: str) -> np.ndarray:
    """The dataset `name` of an HDF5 file; a StudyError if it cannot be read."""
    with reading_hdf5(path, f"{name} in ") as file:
        return np.asarray(file[name])


def read_hdf5_text(path: Path, name: str) -> str:
    """The same of a text, stored as a string, bytes or an array of one; an empty text for an empty array."""
    text = next(iter(np.ravel(read_hdf5(path, name)).tolist()), "")
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def as_image(pixels: np.ndarray, source: Path | str) -> np.ndarray:
    """Bring pixels to (M, N, C) with C = 1 or 3 and uint8, uint16 or float32.

    Alpha is dropped. Integers in the range of uint16 become uint16, all others float32.

    Raises
    ------
    StudyError
        If the shape is not an image's, there is no pixel, or a value is not a finite number. `source` names the
        file in the sentence.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    _check_shape(pixels, source)
    pixels = np.ascontiguousarray(pixels[..., : 1 if pixels.shape[2] < 3 else 3])
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8)
    if pixels.dtype.kind in "iu" and pixels.min() >= 0 and pixels.max() <= np.iinfo(np.uint16).max:
        return pixels.astype(np.uint16)
    if pixels.dtype.kind not in "iuf":
        raise StudyError(f"{source} has pixels of type {pixels.dtype}: save it as whole numbers or floats")
    with np.errstate(over="ignore"):
        pixels = pixels.astype(np.float32)
    if not np.isfinite(pixels).all():
        raise StudyError(f"{source} has pixels that are nan or infinite: replace them by numbers")
    return pixels


def as_labels(pixels: np.ndarray, source: Path | str) -> np.ndarray:
    """Bring pixels to (M, N) int32 labels.

    Of several channels the first is taken where all colour channels are equal; floats are converted where they are
    whole numbers.

    Raises
    ------
    StudyError
        If colours stand for objects, there is no pixel, or an id is fractional, nan, negative or above 2^31 - 1.
        `source` names the file in the sentence.
    """
    if pixels.ndim == 3:
        _check_shape(pixels, source)
        if pixels.shape[2] >= 3 and not (pixels[..., :1] == pixels[..., 1:3]).all():
            raise StudyError(f"{source} marks objects by colours: save one whole number per object, grey PNG or TIFF")
        pixels = pixels[..., 0]
    _check_shape(pixels[..., None], source)
    if pixels.dtype.kind not in "biuf":
        raise StudyError(f"{source} has labels of type {pixels.dtype}: save one whole number per object")
    if pixels.dtype.kind == "f" and not np.array_equal(pixels, np.floor(pixels)):  # nan too is unequal to itself
        raise StudyError(f"{source} has labels that are not whole numbers: save one whole number per object")
    for value in (pixels.min(), pixels.max()):
        if not 0 <= value <= np.iinfo(np.int32).max:
            wrong = "negative" if value < 0 else "too large"
            raise StudyError(f"{source} has a {wrong} label {value:.0f}: ids go from 0, the background, to 2147483647")
    return pixels.astype(np.int32)


def _check_shape(pixels: np.ndarray, source: Path | str) -> None:
    if pixels.ndim != 3 or not 1 <= pixels.shape[2] <= 4:
        raise StudyError(f"{source} has shape {pixels.shape}: save it as a grey or RGB image, with or without alpha")
    if not pixels.size:
        raise StudyError(f"{source} has no pixels: replace or remove it")
