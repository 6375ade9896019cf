"""Objects as regions of interest of ImageJ and Fiji: a zip file for the ROI Manager."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from roifile import ROI_TYPE, ImagejRoi, roiwrite

from study.deploy.exports.outlines import Outline, outlines
from study.deploy.images import Planes

_MOST = 32_767  # px: larger whole numbers do not fit everywhere
_MOVE, _LINE, _CLOSE = 0, 1, 4  # of the paths of composite regions


def write_rois(file: Path, labels: Sequence[np.ndarray], planes: Planes) -> None:
    """Write a region for each object, named after its label, and after its plane, counted from 1, of a stack.

    An object in one piece without holes is a polygon, any other a composite region. Each lies on its slice or frame.
    """
    found = [(plane, outline) for plane, ids in enumerate(labels) for outline in outlines(ids)]
    roiwrite(file, [_region(outline, plane, planes) for plane, outline in found])


def _region(outline: Outline, plane: int, planes: Planes) -> ImagejRoi:
    rings = [ring for piece in outline.pieces for ring in piece]
    corners = np.concatenate(rings)
    if len(rings) == 1 and corners.max() <= _MOST:
        region = ImagejRoi.frompoints(corners)
        region.roitype = ROI_TYPE.POLYGON
    else:
        region = _composite([np.array(ring) for ring in rings])
    region.name = f"{outline.label:04}"
    if planes.axes:
        region.name = f"{plane + 1:04}-{region.name}"
        if planes.axes == "TZ":
            frame, depth = divmod(plane, planes.shape[1])
            region.c_position, region.z_position, region.t_position = 1, depth + 1, frame + 1
        else:
            region.position = plane + 1
    return region


def _composite(rings: Sequence[np.ndarray]) -> ImagejRoi:
    """A region inside of an odd number of rings."""
    path: list[float] = []
    for ring in rings:
        steps = np.full((len(ring), 3), _LINE, np.float32)
        steps[0, 0], steps[:, 1:] = _MOVE, ring
        path += [*steps.ravel().tolist(), _CLOSE]
    region = ImagejRoi.frompoints(np.concatenate(rings).astype(float))  # for the box around it
    region.roitype, region.options = ROI_TYPE.RECT, type(region.options)(0)
    region.integer_coordinates = region.subpixel_coordinates = None
    region.n_coordinates, region.shape_roi_size = 0, len(path)
    region.multi_coordinates = np.array(path, np.float32)
    return region
