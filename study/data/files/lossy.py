"""Whether a file has been through a compression that does not keep values, as is no harm to images but to labels."""

from __future__ import annotations

import struct
from pathlib import Path

import tifffile
from tifffile import COMPRESSION

from study.data.files.stacks import TIFF_MAGIC

_START = 2**16  # bytes in which what tells is looked for
_JPEG = {COMPRESSION.OJPEG, COMPRESSION.JPEG, COMPRESSION.JPEG_LOSSY}
_JPEG_2000 = {
    COMPRESSION.JPEG2000,
    COMPRESSION.APERIO_JP2000_YCBC,
    COMPRESSION.JPEG_2000_LOSSY,
    COMPRESSION.APERIO_JP2000_RGB,
}
_WITH_AND_WITHOUT = {
    COMPRESSION.JPEGXR: "JPEG XR",
    COMPRESSION.JPEGXR_NDPI: "JPEG XR",
    COMPRESSION.JPEGXL: "JPEG XL",
    COMPRESSION.JPEGXL_DNG: "JPEG XL",
}
UNTOLD = {*_WITH_AND_WITHOUT.values(), "AVIF"}  # of which it would take long to find out whether they kept the values


def lossy_format(path: Path) -> str:
    """The compression by which a file has changed its values, or may have, such as `JPEG`; empty for all others.

    Of a file that cannot be read nothing is known, and reading its pixels tells why.
    """
    try:
        with path.open("rb") as file:
            start = file.read(_START)
        if start[:4] not in TIFF_MAGIC:
            return _of_picture(start)
        with tifffile.TiffFile(path) as file:
            page = file.pages.first
            file.filehandle.seek(page.dataoffsets[0])
            start = file.filehandle.read(min(page.databytecounts[0], _START))
        return _of_tiff(page.compression, start)
    except Exception:
        return ""


def _of_picture(start: bytes) -> str:
    """Of a file that is no TIFF, by its first bytes."""
    if start.startswith(b"\xff\xd8\xff"):
        return _jpeg(start)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return _webp(start)
    if start[4:12] == b"jP  \r\n\x87\n" or start.startswith(b"\xff\x4f\xff\x51"):
        return _jpeg_2000(start)
    return "AVIF" if start[4:12] == b"ftypavif" else ""


def _of_tiff(compression: int, start: bytes) -> str:
    """Of a TIFF, by the first bytes of its first tile or strip."""
    if compression in _JPEG:
        return _jpeg(start)
    if compression in _JPEG_2000:
        return _jpeg_2000(start)
    if compression == COMPRESSION.WEBP:
        return _webp(start)
    if compression == COMPRESSION.LERC:
        return _lerc(start)
    return next((name for known, name in _WITH_AND_WITHOUT.items() if compression == known), "")


def _jpeg(start: bytes) -> str:
    return "" if b"\xff\xc3" in start else "JPEG"  # the frame of a JPEG that keeps all values


def _webp(start: bytes) -> str:
    return "" if b"VP8L" in start else "WebP"


def _jpeg_2000(start: bytes) -> str:
    """Lossy where the wavelets are those of real numbers, which the header tells in its mark COD."""
    header = start[start.index(b"\xff\x52") :]
    return "JPEG 2000" if header[13] == 0 else ""


def _lerc(start: bytes) -> str:
    """Lossy where the header allows values to be wrong by more than a half."""
    if not start.startswith(b"Lerc2 "):
        return "LERC"
    (version,) = struct.unpack_from("<i", start, 6)
    numbers = 6 + (version >= 3) + (version >= 4) + 2 * (version >= 6)  # of four bytes, behind the version
    (error,) = struct.unpack_from("<d", start, 10 + 4 * numbers)
    return "LERC" if error > 0.5 else ""
