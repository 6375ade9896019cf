"""Labels for the next tool: regions of interest for Fiji, GeoJSON, COCO.

`EXPORTS` lists what each image has a file of its own for, in a folder of that name. COCO is one file for all images.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from study.deploy.exports.coco import COCO, COCO_FILE, CocoImage, coco_images, write_coco
from study.deploy.exports.geojson import write_geojson
from study.deploy.exports.rois import write_rois
from study.deploy.images import Planes
from study.errors import unknown_name


class Export(NamedTuple):
    """A kind of file of the objects of an image."""

    ending: str
    write: Callable[[Path, Sequence[np.ndarray], Planes], None]  # path, (M, N) int labels of the planes, the image


EXPORTS = {"rois": Export("zip", write_rois), "geojson": Export("geojson", write_geojson)}


def exports_named(names: str) -> tuple[str, ...]:
    """Names of exports from a text such as ``rois,coco``; a StudyError if one is unknown."""
    wanted = tuple(dict.fromkeys(name for name in names.split(",") if name))
    for name in wanted:
        if name not in (*EXPORTS, COCO):
            raise unknown_name("export", name, (*EXPORTS, COCO))
    return wanted
