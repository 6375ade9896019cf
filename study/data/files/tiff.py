"""TIFF files of one plane or several -> their pixels, as viewers show them."""

from __future__ import annotations

import io
import logging
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image
from tifffile import COMPRESSION, EXTRASAMPLE, PHOTOMETRIC

from study.errors import StudyError

_JPEG = (COMPRESSION.JPEG, COMPRESSION.OJPEG, COMPRESSION.JPEG_LOSSY)  # their decoder gives red, green and blue
_MODES: dict[int, str] = {
    PHOTOMETRIC.SEPARATED: "CMYK",
    PHOTOMETRIC.CIELAB: "LAB",
    PHOTOMETRIC.YCBCR: "YCbCr",
}  # as Pillow calls them
_ALPHA = (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # our sentences say what is wrong


class Stack(NamedTuple):
    """Pixels of a file."""

    pixels: np.ndarray  # (..., M, N, C): planes of C samples
    axes: str  # a letter for each dimension of planes, as tifffile names it: Z, T, or others; empty for a single plane


def read_tiff(source: Path | io.BytesIO, name: str, ids: bool) -> Stack:
    """Pixels of all planes; see `study.data.files.stacks.read_stack`, which tells faults of the decoder in a sentence.

    Raises
    ------
    StudyError
        If the file holds several images, or channels that are no colours.
    """
    with tifffile.TiffFile(source) as file:
        _check_complete(file)
        images = [series for series in file.series if not series.keyframe.is_reduced] or file.series[:1]
        if len(images) > 1:
            raise StudyError(f"{name} holds {len(images)} images of several kinds: save each as a file of its own")
        (series,) = images
        if series.is_multifile or None in list(series.pages):  # an experiment of several files, each read for itself
            page, read = file.pages.first, partial(file.asarray, key=slice(None))
            axes, sizes = "I" + page.axes, (len(file.pages), *page.shape)
        else:
            page, read = series.keyframe, series.asarray
            axes, sizes = series.get_axes(False), series.get_shape(False)
        _check_channels(name, page, axes, sizes)
        try:
            pixels = read().reshape(sizes)
        except ValueError as error:
            if "COMPRESSION" not in str(error) and "codec" not in str(error):
                raise
            raise StudyError(
                f"{name} is compressed by {_name_of(page.compression)}, which is not known here: save it uncompressed"
            ) from error
        return _as_shown(_ordered(name, pixels, axes), page, ids)


def most_pixels_of(source: Path | io.BytesIO) -> int:
    """Pixels of all pages, if these are as large as the first, as the file says before it is decoded."""
    with tifffile.TiffFile(source) as file:
        return len(file.pages) * file.pages.first.imagewidth * file.pages.first.imagelength


def _check_complete(file: tifffile.TiffFile) -> None:
    """Raise a ValueError for a file that is cut off, of which tifffile gives the pages before the fault as if all."""
    count = len(file.pages)
    if not count:  # the directory is at the end of some files, and the first to be cut off
        raise ValueError("no page")
    file.filehandle.seek(file.pages.next_page_offset or 0)
    if file.filehandle.read(file.tiff.offsetsize) != bytes(file.tiff.offsetsize):
        raise ValueError(f"page {count + 1} is cut off")


def _check_channels(name: str, page: tifffile.TiffPage, axes: str, sizes: tuple[int, ...]) -> None:
    """Raise a StudyError for channels that are stored last: as samples that are no alpha, or as columns of a stack."""
    rows, columns = page.imagelength, page.imagewidth
    planes = [size for axis, size in zip(axes, sizes, strict=True) if axis not in "YXSC" and size > 4]
    if page.samplesperpixel == 1 and planes and rows > 4 and 2 <= columns <= 4:
        raise StudyError(
            f"{name} holds {planes[-1]} planes of {rows} x {columns} px, which look like an image of {columns} "
            "channels: save the one that shows the objects, or red, green and blue, as an image"
        )
    if page.samplesperpixel == 2 and not set(page.extrasamples) & set(_ALPHA):
        raise StudyError(f"{name} has 2 channels: save the one that shows the objects as an image")


def _name_of(compression: int) -> str:
    try:
        return COMPRESSION(compression).name
    except ValueError:
        return f"method {compression}"


def _as_shown(stack: Stack, page: tifffile.TiffPage, ids: bool) -> Stack:
    """The pixels with white as the largest value, and colours as red, green and blue.

    Of whole numbers without sign, that is: where 0 is white, nothing says what black is in others. With `ids`, the
    indices of a palette, and values of more than one bit, are those in the file.
    """
    pixels, photometric = stack.pixels, page.photometric
    if photometric == PHOTOMETRIC.MINISWHITE and pixels.dtype.kind in "bu" and not (ids and page.bitspersample > 1):
        white = pixels.dtype.type(min(2**page.bitspersample - 1, 2 ** (8 * pixels.dtype.itemsize) - 1))
        return stack._replace(pixels=~pixels if pixels.dtype.kind == "b" else white - np.minimum(pixels, white))
    if photometric == PHOTOMETRIC.PALETTE and page.colormap is not None and not ids:
        deep = page.colormap.max() > np.iinfo(np.uint8).max  # as it should be
        colours = (page.colormap >> 8 if deep else page.colormap).astype(np.uint8)
        return stack._replace(pixels=colours.T[pixels[..., 0].astype(np.intp)])
    in_colour = photometric not in _MODES or (page.compression in _JPEG and photometric == PHOTOMETRIC.YCBCR)
    if in_colour or pixels.dtype != np.uint8 or pixels.shape[-1] != Image.getmodebands(_MODES[photometric]):
        return stack
    return stack._replace(pixels=_converted(pixels, _MODES[photometric]))


def _converted(pixels: np.ndarray, mode: str) -> np.ndarray:
    """Red, green and blue of (..., M, N, C) uint8 pixels of another mode of Pillow."""
    *planes, rows, columns, _ = pixels.shape
    below = np.ascontiguousarray(pixels).reshape(-1, columns, pixels.shape[-1])  # planes below each other
    image = Image.frombytes(mode, (columns, len(below)), below.tobytes()).convert("RGB")
    return np.array(image).reshape(*planes, rows, columns, 3)


def _ordered(name: str, pixels: np.ndarray, axes: str) -> Stack:
    """The pixels with rows (Y), columns (X) and samples (S or C) last, without dimensions of one plane."""
    if "S" not in axes:
        pixels, axes = pixels[..., None], axes + "S"
    if "C" not in axes:
        pixels, axes = pixels[..., None], axes + "C"
    last = [axes.index(axis) for axis in "YXSC"]
    leading = [i for i in range(len(axes)) if i not in last and pixels.shape[i] > 1]
    pixels = np.moveaxis(pixels, leading + last, range(-len(leading) - 4, 0))
    *sizes, samples, channels = pixels.shape[pixels.ndim - len(leading) - 4 :]
    if channels not in (1, 3) or (channels > 1 and samples > 1):
        raise StudyError(
            f"{name} has {channels} channels: save the one that shows the objects, or red, green and blue, as an image"
        )
    return Stack(pixels.reshape(*sizes, samples * channels), "".join(axes[i] for i in leading))
