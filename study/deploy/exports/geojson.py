"""Objects as polygons of GeoJSON, in pixels from the outer corner of the first one: for QuPath, napari and GIS."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from study.deploy.exports.outlines import Outline, Ring, outlines
from study.deploy.images import Planes


def write_geojson(file: Path, labels: Sequence[np.ndarray], planes: Planes) -> None:
    """Write a feature for each object, with `label` and `area` (px), and the `plane` of a stack, counted from 0.

    An object of several pieces is a MultiPolygon; holes are inner rings.
    """
    features = [
        _feature(outline, {"plane": plane} if planes.axes else {})
        for plane, ids in enumerate(labels)
        for outline in outlines(ids)
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, separators=(",", ":"))
    file.write_text(text, encoding="utf-8")


def _feature(outline: Outline, place: dict[str, int]) -> dict[str, Any]:
    polygons = [[_closed(ring) for ring in piece] for piece in outline.pieces]
    geometry: dict[str, Any] = {"type": "Polygon", "coordinates": polygons[0]}
    if len(polygons) > 1:
        geometry = {"type": "MultiPolygon", "coordinates": polygons}
    properties = {"label": outline.label, "area": outline.area, **place}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _closed(ring: Ring) -> Ring:
    return [*ring, ring[0]]
