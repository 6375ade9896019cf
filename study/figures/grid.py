"""Pictures in rows and columns, with outlines around the objects that a caption speaks of, and numbers on them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from scipy.ndimage import distance_transform_edt

from study.figures.panels import NARROW, hide_frame, wrapped
from study.figures.style import DPI, WIDTH

MARKS = {"merged": ("white", "-"), "split": ("#56B4E9", "-"), "missed": ("#D55E00", "--"), "apart": ("white", "-")}
_WIDTH = 1.0  # points of an outline; a slightly wider black one lies below it


@dataclass(frozen=True)
class Tile:
    """A picture of a grid.

    Attributes
    ----------
    picture : (M, N, 3) or (M, N) uint8 array
    outlines : sequence of (str, (M, N) bool array)
        Key of `MARKS`, and the pixels of an object.
    numbers : mapping of int to (M, N) bool array
        Numbers and the pixels of the objects that they stand on.
    """

    picture: np.ndarray
    outlines: Sequence[tuple[str, np.ndarray]] = ()
    numbers: Mapping[int, np.ndarray] = field(default_factory=dict)


def grid_figure(
    titles: Sequence[str], rows: Sequence[tuple[str, Sequence[Tile | None]]], legend: Collection[str] = ()
) -> Figure:
    """Rows of pictures of test images, by the images' names; where one is missing, its place stays white.

    `titles` are those of the columns; `legend` names the keys of `MARKS` to be explained below.
    """
    ratios = [_ratio(tiles) for _, tiles in rows]
    side = min(2.2, (WIDTH - 0.2) / len(titles))
    above = [wrapped(title, int(15 * side)) for title in titles]
    text = 0.16 * max(title.count("\n") + 1 for title in above) + 0.06 * len(rows) + 0.25 * bool(legend)
    size = (side * len(titles) + 0.2, side * sum(ratios) + text)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(**NARROW), dpi=DPI)
    axes = figure.subplots(len(rows), len(titles), squeeze=False, height_ratios=ratios)
    for line, (name, tiles) in zip(axes, rows, strict=True):
        for axis, tile in zip(line, tiles, strict=True):
            _draw(axis, tile)
        line[0].set_ylabel(wrapped(name, int(15 * side)), fontsize=7)
    for axis, title in zip(axes[0], above, strict=True):
        axis.set_title(title, fontsize=8, pad=3)
    if legend:
        figure.legend(handles=_handles(legend), loc="outside lower center", ncols=len(legend), fontsize=8,
                      facecolor="0.35", labelcolor="white", framealpha=1)  # fmt: skip
    return figure


def _ratio(tiles: Sequence[Tile | None]) -> float:
    shapes = [tile.picture.shape for tile in tiles if tile is not None]
    return shapes[0][0] / shapes[0][1] if shapes else 1.0


def _draw(axis: Axes, tile: Tile | None) -> None:
    hide_frame(axis)
    if tile is None:
        return
    axis.imshow(tile.picture, interpolation="nearest", cmap="gray", vmin=0, vmax=255)
    for kind, mask in tile.outlines:
        _outline(axis, mask, kind)
    for number, mask in tile.numbers.items():
        row, column = _middle(mask)
        stroke = [withStroke(linewidth=1.5, foreground="black")]
        axis.text(column, row, str(number), color="white", fontsize=7, ha="center", va="center", path_effects=stroke)


def _outline(axis: Axes, mask: np.ndarray, kind: str) -> None:
    """The outline of some pixels; the margin lets one that lies at the edge of the image be closed."""
    colour, style = MARKS[kind]
    padded = np.pad(mask, 1).astype(float)
    columns, rows = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
    axis.contour(columns, rows, padded, levels=[0.5], colors="black", linewidths=_WIDTH + 0.8)
    axis.contour(columns, rows, padded, levels=[0.5], colors=[colour], linewidths=_WIDTH, linestyles=style)
    axis.set(xlim=(-0.5, mask.shape[1] - 0.5), ylim=(mask.shape[0] - 0.5, -0.5))


def _middle(mask: np.ndarray) -> tuple[int, int]:
    """Row and column of the pixel of an object that is farthest from its outline."""
    depth = np.asarray(distance_transform_edt(np.pad(mask, 1)))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(row), int(column)


def _handles(legend: Collection[str]) -> list[Line2D]:
    kinds = [(kind, *MARKS[kind]) for kind in legend]
    return [Line2D([], [], color=colour, ls=style, lw=1.5, label=kind) for kind, colour, style in kinds]


def masks_of(labels: np.ndarray, ids: Collection[int]) -> list[np.ndarray]:
    """The pixels of some objects of a label image, one mask for each that there is."""
    masks = [labels == i for i in ids]
    return [mask for mask in masks if mask.any()]
