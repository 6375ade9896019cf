"""Embeddings of three dimensions on the unit sphere: Chen et al. 2019, Fig. 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from study.figures.colours import label_colours
from study.figures.panels import hide_frame, wrapped
from study.figures.style import DPI, WIDTH

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
    columns = 2 + len(embeddings)
    widths = [1, 1, *(1.7 for _ in embeddings)]
    side = WIDTH / sum(widths)
    figure = Figure(figsize=(WIDTH, 1.7 * side + 0.35), layout="constrained", dpi=DPI)
    grid = figure.add_gridspec(1, columns, width_ratios=widths)
    for k, (title, picture) in enumerate((("image", image), ("truth", label_colours(truth)))):
        axis = figure.add_subplot(grid[k])
        axis.imshow(picture, interpolation="nearest")
        axis.set_title(title, fontsize=8, pad=3)
        hide_frame(axis)
    for k, (title, vectors, means) in enumerate(embeddings, start=2):
        axis: Any = figure.add_subplot(grid[k], projection="3d")
        _draw_sphere(axis)
        _draw_points(axis, vectors, means, truth)
        axis.set_title(wrapped(title, int(26 * side)), fontsize=8, pad=0)
    return figure


def _draw_sphere(axis: Any) -> None:
    """A wire sphere seen from a corner, without axes."""
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, 25), np.linspace(0, np.pi, 13))
    ball = (np.cos(around) * np.sin(down), np.sin(around) * np.sin(down), np.cos(down))
    axis.plot_wireframe(*ball, color="0.85", lw=0.3)
    axis.set(xlim=(-0.75, 0.75), ylim=(-0.75, 0.75), zlim=(-0.75, 0.75))
    axis.set_box_aspect((1, 1, 1))
    axis.view_init(elev=20, azim=35)
    axis.set_axis_off()


def _draw_points(axis: Any, vectors: np.ndarray, means: np.ndarray, truth: np.ndarray) -> None:
    colours = label_colours(np.arange(max(len(means), int(truth.max(initial=0)) + 1))) / 255
    rows, places = np.nonzero(truth)
    chosen = np.linspace(0, len(rows) - 1, min(_POINTS, len(rows))).astype(int)
    ids = truth[rows[chosen], places[chosen]]
    points = vectors[rows[chosen], places[chosen]].astype(np.float32)
    axis.scatter(*points.T, c=colours[ids], s=3, alpha=0.5, linewidths=0, depthshade=False)
    for i in np.unique(ids):
        axis.plot(*np.stack([np.zeros(3), means[i]]).T, color=colours[i], lw=1.2)
