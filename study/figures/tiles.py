"""Pictures of one size in rows and columns: as one picture for the store, and as a figure with words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from study.figures.panels import NARROW, hide_frame, wrapped
from study.figures.style import DPI, WIDTH

_GAP = 4  # px between tiles
_NONE = 128  # grey of what has no value
_LABELS = 0.85  # inches for the words of a row


def brightness(values: np.ndarray, low: float = 0, high: float = 1) -> np.ndarray:
    """Values (M, N) or (M, N, C) as uint8 (M, N, 3), black at `low` and white at `high`; NaN is mid-grey."""
    values = np.asarray(values, np.float32)
    values = values[..., None] if values.ndim == 2 else values
    scaled = 255 * np.clip((values - low) / max(high - low, 1e-6), 0, 1)
    grey = np.where(np.isnan(scaled), _NONE, scaled).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(grey, (*grey.shape[:2], 3)))


def tiled(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Tiles (M, N, 3), as many in each row, in one uint8 picture with gaps of 4 white pixels between them."""
    height, width = rows[0][0].shape[:2]
    picture = np.full((len(rows) * (height + _GAP) - _GAP, len(rows[0]) * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, tile in enumerate(row):
            picture[i * (height + _GAP) :, j * (width + _GAP) :][:height, :width] = tile
    return picture


def tiles_of(picture: np.ndarray, rows: int, columns: int) -> list[list[np.ndarray]]:
    """The tiles of a picture that `tiled` has made of that many rows and columns."""
    height, width = ((picture.shape[i] + _GAP) // n for i, n in enumerate((rows, columns)))
    return [
        [picture[i * height :, j * width :][: height - _GAP, : width - _GAP] for j in range(columns)]
        for i in range(rows)
    ]


def tile_figure(titles: Sequence[str], rows: Sequence[tuple[str, Sequence[np.ndarray | None]]]) -> Figure:
    """Tiles below the titles of their columns, each row with its name; where one is None, its place stays white."""
    columns = len(titles)
    side = min(1.6, (WIDTH - _LABELS) / columns)
    firsts = [next(tile for tile in tiles if tile is not None) for _, tiles in rows]
    ratios = [tile.shape[0] / tile.shape[1] for tile in firsts]
    above = [wrapped(title, int(15 * side)) for title in titles]
    text = 0.15 * max(title.count("\n") + 1 for title in above) + 0.1
    size = (side * columns + _LABELS, side * sum(ratios) + text)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(**NARROW), dpi=DPI)
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=ratios)
    for line, (name, tiles) in zip(axes, rows, strict=True):
        for axis, tile in zip(line, tiles, strict=True):
            hide_frame(axis)
            if tile is not None:
                axis.imshow(tile, interpolation="nearest")
        line[0].set_ylabel(wrapped(name, 13), rotation=0, ha="right", va="center", fontsize=8)
    for axis, title in zip(axes[0], above, strict=True):
        axis.set_title(title, fontsize=8, pad=3)
    return figure
