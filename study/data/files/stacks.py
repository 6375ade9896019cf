"""Image files, PNG, JPEG or TIFF, of one plane or several -> their pixels, as viewers show them but for turning."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from study.data.files.tiff import Stack, most_pixels_of, read_tiff
from study.errors import StudyError

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LFS = b"version https://git-lfs"  # in the place of a file that Git has not fetched
_PLAIN_MODES = ("1", "L", "LA", "I", "I;16", "I;16B", "F", "RGB", "RGBA")  # of Pillow; others need conversion
_DEEP = ("LA;16B", "RGB;16B", "RGBA;16B")  # what Pillow calls 16 bits per colour
# opened by these, not by `Image.open`, which takes images above 90 million pixels for an attack, and a JPEG with a
# preview for a film
_FORMATS = {b"\x89PNG": PngImageFile, b"\xff\xd8\xff": JpegImageFile}


def read_stack(source: Path | bytes, ids: bool = False, *, most_pixels: int = 0) -> Stack:
    """Pixels of all planes of a file; its content tells the format, not its name.

    Thumbnails and lower resolutions are skipped: in a TIFF the pages that are marked so, in a JPEG all pictures but
    the first. Black is the least value, whichever the file counts from. Pixels are not turned where a tag says that the
    camera was, as in Fiji and napari; `study.data.files.tags.orientation_of` tells it.

    Parameters
    ----------
    source : Path or bytes
        The file, or what it holds.
    ids : bool
        Give the indices of a palette rather than its colours, and values of more than one bit as they are stored.
    most_pixels : int
        Refuse files that say they have more, before they are decoded; 0: none.

    Raises
    ------
    StudyError
        If the file is missing, empty or unreadable, or holds several images, or channels that are no colours.
    """
    name = "the image" if isinstance(source, bytes) else str(source)
    with _faults_of(name):
        start = _start(source)
        if not start:
            raise StudyError(f"{name} is empty: replace or remove it")
        if start.startswith(_LFS):
            raise StudyError(f"{name} is no image but a pointer of Git LFS to one: fetch it by git lfs pull")
        if start[:4] in TIFF_MAGIC:
            _check_size(name, most_pixels_of(_opened(source)) if most_pixels else 0, most_pixels)
            return read_tiff(_opened(source), name, ids)
        opened = next((opened for magic, opened in _FORMATS.items() if start.startswith(magic)), Image.open)
        with opened(_opened(source)) as image:
            _check_size(name, image.width * image.height * getattr(image, "n_frames", 1), most_pixels)
            return _read_by_pillow(source, image, ids)


def _opened(source: Path | bytes) -> Path | io.BytesIO:
    """What libraries open, anew at each call."""
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _start(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[: len(_LFS)]
    if source.exists() and not source.is_file() and not source.is_dir():
        raise StudyError(f"{source} is no file but a pipe or a device: remove it")
    with source.open("rb") as file:
        return file.read(len(_LFS))


def _check_size(name: str, pixels: int, most: int) -> None:
    if most and pixels > most:
        raise StudyError(f"{name} has {pixels} pixels, of which {most} at most are taken: cut it into smaller images")


@contextmanager
def _faults_of(name: str) -> Iterator[None]:
    """Tell in a sentence why a file cannot be read."""
    try:
        yield
    except StudyError:
        raise
    except FileNotFoundError as error:
        raise StudyError(f"{name} does not exist: check the path") from error
    except PermissionError as error:
        raise StudyError(f"{name} may not be read: give yourself the right to read it, or remove it") from error
    except IsADirectoryError as error:
        raise StudyError(f"{name} is a folder: give a file, or move the folder elsewhere") from error
    except MemoryError as error:
        raise StudyError(f"{name} does not fit into memory: cut it into smaller images") from error
    except Exception as error:  # decoders raise almost anything on damaged bytes
        if isinstance(error, OSError) and error.errno:  # of the disk, not of a decoder
            raise StudyError(f"cannot read {name} ({error.strerror}): check the file, and the disk it is on") from error
        words = re.sub("<_io.BytesIO[^>]*>", "it", str(error).replace(repr(name), "it"))
        reason = " ".join(words.split()).rstrip(".")
        raise StudyError(
            f"cannot read {name}: replace the file, it is damaged or of another format ({reason})"
        ) from error


def _read_by_pillow(source: Path | bytes, image: Image.Image, ids: bool) -> Stack:
    """A PNG or JPEG, or what else Pillow knows."""
    if isinstance(image, PngImageFile) and (packing := image.tile[0].args) in _DEEP:
        return Stack(_deep_colours(source, str(packing)), "")
    if getattr(image, "n_frames", 1) == 1:
        return Stack(_samples(image, ids), "")
    return Stack(np.stack([_samples(frame, ids) for frame in ImageSequence.Iterator(image)]), "I")


def _samples(image: Image.Image, ids: bool) -> np.ndarray:
    """Pixels (M, N, C) of an open image."""
    if image.mode not in _PLAIN_MODES and not (image.mode == "P" and ids):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return np.atleast_3d(np.array(image))


def _deep_colours(source: Path | bytes, packing: str) -> np.ndarray:
    """Pixels of a PNG with 16 bits per colour: Pillow gives the high byte of each, or the low one if asked to swap."""
    if packing == "LA;16B":  # no swap for this one, but its four bytes pass for four colours
        grey = _unpacked(source, "RGBA")
        return grey[..., :1] << 8 | grey[..., 1:2]
    return _unpacked(source, packing) << 8 | _unpacked(source, packing.replace("16B", "16L"))


def _unpacked(source: Path | bytes, packing: str) -> np.ndarray:
    """Pixels (M, N, C) of a PNG, uint16, a byte of each value; `packing` is a raw mode of Pillow."""
    with PngImageFile(_opened(source)) as image:
        image.tile = [tile._replace(args=packing) for tile in image.tile]
        return np.array(image).astype(np.uint16)
