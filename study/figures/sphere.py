"""Embeddings of three dimensions on the unit sphere: Chen et al. 2019, Fig. 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from study.figures.colours import label_colours, label_picture
from study.figures.panels import NARROW, hide_frame, wrapped
from study.figures.style import DPI, WIDTH

_LEFT = 1.3  # inches, the column of image and truth
_POINTS = 1500  # of an embedding; more would hide each other


def sphere_figure(
    image: np.ndarray, truth: np.ndarray, embeddings: Sequence[tuple[str, np.ndarray, np.ndarray]]
) -> Figure:
    """The pixels of objects as points on the sphere, in the colours of their true objects; the background is left out.

    Parameters
    ----------
    image : (M, N, 3) uint8 array
    truth : (M, N) int array
    embeddings : sequence of (str, (M, N, 3) array, (K, 3) array)
        Titles, unit vectors, and the mean directions of the objects, which are drawn as lines from the centre.
    """
    side = (WIDTH - _LEFT) / max(2, len(embeddings))
    size = (_LEFT + side * len(embeddings), side + 0.3)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(**NARROW), dpi=DPI)
    grid = figure.add_gridspec(2, 1 + len(embeddings), width_ratios=[_LEFT, *(side for _ in embeddings)])
    for k, (title, picture) in enumerate((("image", image), ("truth", label_picture(truth)))):
        axis = figure.add_subplot(grid[k, 0])
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(title, fontsize=8, pad=3)
        hide_frame(axis)
    for k, (title, vectors, means) in enumerate(embeddings, start=1):
        axis: Any = figure.add_subplot(grid[:, k], projection="3d")
        _draw_sphere(axis)
        _draw_points(axis, vectors, means, truth)
        axis.set_title(wrapped(title, int(15 * side)), fontsize=8, pad=3)
    return figure


def _draw_sphere(axis: Any) -> None:
    """A wire sphere without axes."""
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0, np.pi, 13))
    ball = (np.cos(around) * np.sin(down), np.sin(around) * np.sin(down), np.cos(down))
    axis.plot_wireframe(*ball, color="0.85", lw=0.3)
    axis.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1))
    axis.set_box_aspect((1, 1, 1), zoom=1.6)
    axis.set_proj_type("ortho")
    axis.set_axis_off()


def _draw_points(axis: Any, vectors: np.ndarray, means: np.ndarray, truth: np.ndarray) -> None:
    colours = label_colours(np.arange(max(len(means), int(truth.max(initial=0)) + 1))) / 255
    rows, places = np.nonzero(truth)
    chosen = np.linspace(0, len(rows) - 1, min(_POINTS, len(rows))).astype(int)
    ids = truth[rows[chosen], places[chosen]]
    points = vectors[rows[chosen], places[chosen]].astype(np.float32)
    axis.scatter(*points.T, c=colours[ids], s=3, alpha=0.5, linewidths=0, depthshade=False)
    middle = points.sum(axis=0)  # seen from where most points are: which way an embedding is turned means nothing
    axis.view_init(*np.degrees([np.arctan2(middle[2], np.hypot(*middle[:2])), np.arctan2(middle[1], middle[0])]))
    for i in np.unique(ids):
        axis.plot(*np.stack([np.zeros(3), means[i]]).T, color=colours[i], lw=1.2)
