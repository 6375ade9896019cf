"""What an image file tells of itself beside its pixels: that a viewer may turn it, and that values are not kept."""

from __future__ import annotations

from pathlib import Path

import tifffile
from PIL import ExifTags, Image
from tifffile import COMPRESSION

from study.data.files.stacks import TIFF_MAGIC

_LOSSY = {COMPRESSION.OJPEG, COMPRESSION.JPEG, COMPRESSION.JPEG_LOSSY}
_LOSSLESS_JPEG = b"\xff\xc3"  # the frame of a JPEG that keeps all values
_START = 2**16  # bytes in which a frame, or the header of a WebP, is looked for


def orientation_of(path: Path) -> int:
    """The orientation tag of an image file: 1 where rows go down and columns right, or nothing is said or readable.

    2 is mirrored, 3 turned upside down, 6 and 8 turned by a quarter; 4, 5 and 7 are mirrored and turned.
    """
    try:
        if _start(path, 4) in TIFF_MAGIC:
            with tifffile.TiffFile(path) as file:
                tag = file.pages.first.tags.get("Orientation")
                return 1 if tag is None else int(tag.value)
        with Image.open(path) as image:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever is wrong with the file, reading its pixels tells
        return 1


def lossy_format(path: Path) -> str:
    """The lossy compression by which a file has changed its values, such as `JPEG`; empty for all others.

    Of a file that cannot be read nothing is known, and reading its pixels tells why.
    """
    try:
        start = _start(path, _START)
        if start.startswith(b"\xff\xd8\xff"):
            return "" if _LOSSLESS_JPEG in start else "JPEG"
        if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
            return "" if b"VP8L" in start[:_START] else "WebP"
        if start[:4] in TIFF_MAGIC:
            with tifffile.TiffFile(path) as file:
                return _lossy_tiff(file.pages.first)
    except Exception:
        return ""
    return ""


def _lossy_tiff(page: tifffile.TiffPage) -> str:
    if page.compression not in _LOSSY:
        return ""
    file = page.parent.filehandle
    file.seek(page.dataoffsets[0])
    return "" if _LOSSLESS_JPEG in file.read(min(page.databytecounts[0], _START)) else "JPEG"


def _start(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)
