"""The physical size of a pixel, where a TIFF tells it: by OME-XML, in the way of ImageJ, or by its resolution."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tifffile
from tifffile import RESUNIT

from study.data.files.stacks import TIFF_MAGIC

_MICROMETRES = {
    **{"pm": 1e-6, "Å": 1e-4, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25_400.0, "in": 25_400.0},
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre", "\\u00B5m"), 1.0),
}
_OF_NO_MEANING = (72, 96)  # per inch: what programs write that know nothing of it


def pixel_size_of(path: Path) -> tuple[float, float, float] | None:
    """Planes, rows and columns of a TIFF in micrometres; planes are 1 apart where nothing is known of them.

    None for other files, and where rows or columns are not told, or nothing is readable.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) not in TIFF_MAGIC:
                return None
        with tifffile.TiffFile(path) as file:
            found = _of_ome(file) if file.is_ome else _of_resolution(file)
    except Exception:  # whatever is wrong with the file, reading its pixels tells
        return None
    return found if found is not None and all(0 < side < float("inf") for side in found) else None


def _of_ome(file: tifffile.TiffFile) -> tuple[float, float, float] | None:
    image = tifffile.xml2dict(file.ome_metadata or "")["OME"]["Image"]
    pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
    depth, height, width = (_of_axis(pixels, axis) for axis in "ZYX")
    return (depth or 1.0, height, width) if height and width else None


def _of_axis(pixels: dict[str, Any], axis: str) -> float:
    """0 where nothing is told."""
    unit = pixels.get(f"PhysicalSize{axis}Unit", "µm")
    return float(pixels.get(f"PhysicalSize{axis}", 0)) * _MICROMETRES.get(unit, 0)


def _of_resolution(file: tifffile.TiffFile) -> tuple[float, float, float] | None:
    about = file.imagej_metadata or {}
    tags = file.pages.first.tags
    down, across = (_per_unit(tags.get(name)) for name in ("YResolution", "XResolution"))
    unit = _MICROMETRES.get(str(about.get("unit", "")).strip(), 0)
    depth = float(about.get("spacing", 0)) * unit
    if "unit" not in about:
        kind = tags["ResolutionUnit"].value if "ResolutionUnit" in tags else RESUNIT.NONE
        unit = {RESUNIT.INCH: _MICROMETRES["inch"], RESUNIT.CENTIMETER: _MICROMETRES["cm"]}.get(kind, 0)
        if kind == RESUNIT.INCH and across in _OF_NO_MEANING:
            return None
    return (depth or 1.0, unit / down, unit / across) if unit and down and across else None


def _per_unit(tag: tifffile.TiffTag | None) -> float:
    """Pixels per unit; 0 where nothing is told."""
    if tag is None:
        return 0
    pixels, units = tag.value
    return pixels / units if units else 0
