"""Image files, PNG, JPEG or TIFF, of one plane or several -> their pixels, as they are stored."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import compress
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from PIL import Image, ImageSequence
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import COMPRESSION_INFO, TiffImageFile
from tifffile import PHOTOMETRIC

from study.errors import StudyError

_PLAIN_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "F", "RGB", "RGBA")  # of Pillow; others need conversion
_NO_RGB = (PHOTOMETRIC.SEPARATED, PHOTOMETRIC.YCBCR, PHOTOMETRIC.CIELAB)  # colours that Pillow converts
_DEEP = ("LA;16B", "RGB;16B", "RGBA;16B")  # what Pillow calls 16 bits per colour
logging.getLogger("tifffile").addHandler(logging.NullHandler())  # our sentences say what is wrong
# opened by these, not by `Image.open`, which takes images above 90 million pixels for an attack, and a JPEG with a
# preview for a film
_FORMATS = {b"\x89PNG": PngImageFile, b"\xff\xd8\xff": JpegImageFile}


class Stack(NamedTuple):
    """Pixels of a file."""

    pixels: np.ndarray  # (..., M, N, C): planes of C samples
    axes: str  # a letter for each dimension of planes, as tifffile names it: Z, T, or others; empty for a single plane


def read_stack(path: Path, palette_index: bool = False) -> Stack:
    """Pixels of all planes of a file; its content tells the format, not its name.

    Thumbnails and lower resolutions are skipped: in a TIFF the pages that are marked so, in a JPEG all pictures but
    the first. Pixels are not turned where a JPEG says that the camera was, as in Fiji and napari.

    With `palette_index`, the indices of a palette image are given rather than its colours.

    Raises
    ------
    StudyError
        If the file is missing, empty or unreadable, or holds several images, or channels that are no colours.
    """
    with _faults_of(path):
        with path.open("rb") as file:
            start = file.read(4)
        if not start:
            raise StudyError(f"{path} is empty: replace or remove it")
        if start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _read_tiff(path, palette_index)
        opened = next((opened for magic, opened in _FORMATS.items() if start.startswith(magic)), Image.open)
        return _read_other(path, opened, palette_index)


@contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    """Tell in a sentence why a file cannot be read."""
    try:
        yield
    except StudyError:
        raise
    except FileNotFoundError as error:
        raise StudyError(f"{path} does not exist: check the path") from error
    except PermissionError as error:
        raise StudyError(f"{path} may not be read: give yourself the right to read it, or remove it") from error
    except MemoryError as error:
        raise StudyError(f"{path} does not fit into memory: cut it into smaller images") from error
    except Exception as error:  # decoders raise almost anything on damaged bytes
        reason = " ".join(str(error).replace(repr(str(path)), "it").split()).rstrip(".")
        raise StudyError(
            f"cannot read {path}: replace the file, it is damaged or of another format ({reason})"
        ) from error


def _read_other(path: Path, opened: Callable[[Path], Image.Image], palette_index: bool) -> Stack:
    """A PNG or JPEG, or what else Pillow knows."""
    with opened(path) as image:
        if isinstance(image, PngImageFile) and (packing := image.tile[0].args) in _DEEP:
            return Stack(_deep_colours(path, str(packing)), "")
        if getattr(image, "n_frames", 1) == 1:
            return Stack(_samples(image, palette_index), "")
        return Stack(np.stack([_samples(frame, palette_index) for frame in ImageSequence.Iterator(image)]), "I")


def _samples(image: Image.Image, palette_index: bool) -> np.ndarray:
    """Pixels (M, N, C) of an open image."""
    if image.mode not in _PLAIN_MODES and not (image.mode == "P" and palette_index):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return np.atleast_3d(np.array(image))


def _deep_colours(path: Path, packing: str) -> np.ndarray:
    """Pixels of a PNG with 16 bits per colour: Pillow gives the high byte of each, or the low one if asked to swap."""
    if packing == "LA;16B":  # no swap for this one, but its four bytes pass for four colours
        grey = _unpacked(path, "RGBA")
        return grey[..., :1] << 8 | grey[..., 1:2]
    return _unpacked(path, packing) << 8 | _unpacked(path, packing.replace("16B", "16L"))


def _unpacked(path: Path, packing: str) -> np.ndarray:
    """Pixels (M, N, C) of a PNG, uint16, a byte of each value; `packing` is a raw mode of Pillow."""
    with PngImageFile(path) as image:
        image.tile = [tile._replace(args=packing) for tile in image.tile]
        return np.array(image).astype(np.uint16)


def _read_tiff(path: Path, palette_index: bool) -> Stack:
    with tifffile.TiffFile(path) as file:
        _check_complete(file)
        images = [series for series in file.series if not series.keyframe.is_reduced] or file.series[:1]
        if len(images) > 1:
            raise StudyError(f"{path} holds {len(images)} images of several kinds: save each as a file of its own")
        (series,) = images
        if series.is_multifile or None in list(series.pages):  # an experiment of several files, each read for itself
            page, pages, read = file.pages.first, list(file.pages), partial(file.asarray, key=slice(None))
            axes, sizes = "I" + page.axes, (len(pages), *page.shape)
        else:
            page, pages, read = series.keyframe, list(series.pages), series.asarray
            axes, sizes = series.get_axes(False), series.get_shape(False)
        if page.photometric not in _NO_RGB and (page.photometric != PHOTOMETRIC.PALETTE or palette_index):
            try:
                return _ordered(path, read().reshape(sizes), axes)
            except ValueError as error:
                if "imagecodecs" not in str(error):  # which tifffile needs for LZW and its like
                    raise
            _check_codec(path, page)
        leading = [axis not in "YXS" for axis in axes]
        pixels = _pages_by_pillow(path, [page.index for page in pages if page], palette_index)
        pixels = pixels.reshape(*compress(sizes, leading), *pixels.shape[1:])
        return _ordered(path, pixels, "".join(compress(axes, leading)) + "YXS")


def _check_complete(file: tifffile.TiffFile) -> None:
    """Raise a ValueError for a file that is cut off, of which tifffile gives the pages before the fault as if all."""
    count = len(file.pages)
    if not count:  # the directory is at the end of some files, and the first to be cut off
        raise ValueError("no page")
    file.filehandle.seek(file.pages.next_page_offset or 0)
    if file.filehandle.read(file.tiff.offsetsize) != bytes(file.tiff.offsetsize):
        raise ValueError(f"page {count + 1} is cut off")


def _check_codec(path: Path, page: tifffile.TiffPage) -> None:
    """Raise a StudyError for what Pillow cannot unpack: other compressions, 16 bits per colour, too large images."""
    deep_colours = page.samplesperpixel > 1 and page.bitspersample > 8
    large = page.imagewidth * page.imagelength > 2 * (Image.MAX_IMAGE_PIXELS or math.inf)
    if page.compression not in COMPRESSION_INFO or deep_colours or large:
        name = tifffile.COMPRESSION(page.compression).name
        raise StudyError(
            f"{path} is compressed by {name}: save it uncompressed, or install the package imagecodecs, which reads it"
        )


def _pages_by_pillow(path: Path, indices: Sequence[int], palette_index: bool) -> np.ndarray:
    """Pixels (pages, M, N, C) of some pages of a TIFF."""
    pages = []
    with TiffImageFile(path) as image:
        for index in indices:
            image.seek(index)
            pages.append(_samples(image, palette_index))
    return np.stack(pages)


def _ordered(path: Path, pixels: np.ndarray, axes: str) -> Stack:
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
            f"{path} has {channels} channels: save the one that shows the objects, or red, green and blue, as an image"
        )
    return Stack(pixels.reshape(*sizes, samples * channels), "".join(axes[i] for i in leading))
