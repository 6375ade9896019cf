"""What an image file tells of itself beside its pixels: that a viewer may turn it."""

from __future__ import annotations

from pathlib import Path

import tifffile
from PIL import ExifTags, Image

from study.data.files.stacks import TIFF_MAGIC


def orientation_of(path: Path) -> int:
    """The orientation tag of an image file: 1 where rows go down and columns right, or nothing is said or readable.

    2 is mirrored, 3 turned upside down, 6 and 8 turned by a quarter; 4, 5 and 7 are mirrored and turned.
    """
    try:
        with path.open("rb") as opened:
            start = opened.read(4)
        if start in TIFF_MAGIC:
            with tifffile.TiffFile(path) as file:
                tag = file.pages.first.tags.get("Orientation")
                return 1 if tag is None else int(tag.value)
        with Image.open(path) as image:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever is wrong with the file, reading its pixels tells
        return 1
