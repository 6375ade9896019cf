"""The only module that draws: data in, picture out."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure

_COLOURS = {"unet": "#D55E00", "wnet": "#0072B2"}  # vermilion and blue of the Okabe-Ito colour-blind-safe palette
_NAMES = {"unet": "U-Net", "wnet": "W-Net", "loss.inter_weight": "λ"}
_TILES = ("image", "truth", "distance", "embedding", "prediction")  # of a panel, from the left
_GAP = 4  # px between them


def embedding_colours(embedding: np.ndarray) -> np.ndarray:
    """Embedding as colours, by one projection for all images and runs, so that pictures compare.

    Each dimension of the embedding has a direction in colour space; the directions are spread evenly over the sphere.

    Parameters
    ----------
    embedding : (M, N, E) float array
        Unit vectors.

    Returns
    -------
    (M, N, 3) uint8 array
    """
    dims = embedding.shape[2]
    height = 1 - 2 * (np.arange(dims) + 0.5) / dims  # Fibonacci lattice on the sphere
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(dims)
    radius = np.sqrt(1 - height**2)
    directions = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
    return np.clip(128 + 127 * (embedding.astype(np.float32) @ directions), 0, 255).astype(np.uint8)


def label_colours(labels: np.ndarray) -> np.ndarray:
    """Labels as colours far apart for consecutive ids; the background is black.

    Parameters
    ----------
    labels : (M, N) int array

    Returns
    -------
    (M, N, 3) uint8 array
    """
    ids = np.arange(labels.max(initial=0) + 1)
    hsv = np.stack([ids * 0.618034 % 1, 0.55 + 0.4 * (ids % 2), 1 - 0.25 * (ids // 2 % 2)], axis=1)
    table = (255 * hsv_to_rgb(hsv)).astype(np.uint8)
    table[0] = 0
    return table[labels]


def matched_to(true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    """Predicted labels renamed so that an object has the id of the true object that it covers most.

    Where several want the same id, the largest overlap gets it; the others, and objects over background, get new ids.

    Parameters
    ----------
    true, pred : (M, N) int arrays

    Returns
    -------
    (M, N) int32 array
    """
    pairs, counts = np.unique(np.stack([pred.ravel(), true.ravel()]), axis=1, return_counts=True)
    names: dict[int, int] = {}
    for i in np.argsort(-counts, kind="stable"):
        p, t = (int(n) for n in pairs[:, i])
        if p and t and p not in names and t not in names.values():
            names[p] = t
    new = int(true.max(initial=0))
    table = np.zeros(int(pred.max(initial=0)) + 1, np.int32)
    for p in np.unique(pred[pred > 0]):
        new += p not in names
        table[p] = names.get(int(p), new)
    return table[pred]


def panel(
    image: np.ndarray, truth: np.ndarray, distance: np.ndarray, embedding: np.ndarray, prediction: np.ndarray
) -> np.ndarray:
    """Image, truth, distance map, embedding and prediction side by side; values that are not finite count as 0.

    Parameters
    ----------
    image : (M, N, C) float array
        Standardised.
    truth, prediction : (M, N) int arrays
    distance : (M, N) float array
    embedding : (M, N, E) float array

    Returns
    -------
    (M', 5 N' + 16, 3) uint8 array
        Enlarged by a whole factor to at least 160 rows.
    """
    distance, embedding = (
        np.nan_to_num(maps.astype(np.float32), nan=0, posinf=0, neginf=0) for maps in (distance, embedding)
    )
    grey = (255 * np.clip(distance / max(float(distance.max()), 1e-6), 0, 1)).astype(np.uint8)
    tiles = [
        _picture(image),
        label_colours(truth),
        np.repeat(grey[..., None], 3, axis=2),
        embedding_colours(embedding),
        label_colours(matched_to(truth, prediction)),
    ]
    factor = -(-160 // image.shape[0])
    tiles = [tile.repeat(factor, axis=0).repeat(factor, axis=1) for tile in tiles]
    gap = np.full((tiles[0].shape[0], _GAP, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)


def _picture(image: np.ndarray) -> np.ndarray:
    """A standardised image (M, N, C) in 8 bits of red, green and blue, between its 0.5 and 99.5 percentiles."""
    low, high = np.percentile(image.astype(np.float32), [0.5, 99.5])
    scaled = 255 * np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    return np.broadcast_to(scaled, (*scaled.shape[:2], 3)).astype(np.uint8)


def contact_sheet(rows: Sequence[tuple[str, Sequence[np.ndarray]]], title: str) -> Figure:
    """Panels of the same test images (columns) for each variant (rows).

    Parameters
    ----------
    rows : sequence of (name of the variant, panels as of `panel`)
    title : str
    """
    columns = max(len(panels) for _, panels in rows)
    ratio = rows[0][1][0].shape[0] / rows[0][1][0].shape[1]
    width = 5.5 * columns
    figure = Figure(figsize=(width + 1.6, len(rows) * 5.5 * ratio + 0.9), layout="constrained", dpi=110)
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, panels) in zip(axes, rows, strict=True):
        for axis, strip in zip(line, panels, strict=False):
            axis.imshow(strip, interpolation="nearest")
        line[0].set_ylabel(name, rotation=0, ha="right", va="center", fontsize=10)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    for axis, strip in zip(axes[0], rows[0][1], strict=False):
        step = (strip.shape[1] + _GAP) / len(_TILES)
        for i, tile in enumerate(_TILES):
            axis.text((i + 0.5) * step, -4, tile, fontsize=8, ha="center", va="bottom")
    figure.suptitle(title, fontsize=12)
    return figure


def score_curve(table: pd.DataFrame, x: str, hue: str, caption: str, printed: pd.DataFrame | None = None) -> Figure:
    """Score against one varied setting, a line per value of another: Wu et al. 2020, Fig. 6.

    Left the symmetric best Dice, right the legacy score of the leaderboard: only beside that may printed values stand.

    Parameters
    ----------
    table : DataFrame
        A row per variant: the columns `x` and `hue`, and for `sbd` and `sbd_legacy` the columns `{score}` (mean),
        `{score}_low`, `{score}_high` (interval) and `{score}_seeds` (list: mean of each seed).
    x, hue : str
        Dotted names of the varied settings. The values of `x` stand at equal distances, in the order of the table.
    caption : str
        What the numbers are: data set, split, foreground rule, images and seeds.
    printed : DataFrame, optional
        Printed values: columns `x`, `hue`, `value`.
    """
    sns.set_theme(style="whitegrid", context="paper", font_scale=1.2)
    figure = Figure(figsize=(10, 4.6), layout="constrained", dpi=150)
    axes = figure.subplots(1, 2, sharey=True)
    ticks = list(dict.fromkeys(table[x]))
    for axis, score in zip(axes, ("sbd", "sbd_legacy"), strict=True):
        groups = list(table.groupby(hue, sort=True))
        for i, (value, rows) in enumerate(groups):
            places = np.array([ticks.index(v) for v in rows[x]]) + 0.12 * (i - (len(groups) - 1) / 2)
            _draw_line(axis, places, rows, score, str(value))
        axis.set(xticks=range(len(ticks)), xlabel=_NAMES.get(x, x))
        axis.set_xticklabels([f"{tick:g}" if isinstance(tick, float) else str(tick) for tick in ticks])
    axes[0].set(ylabel="SBD", ylim=(None, 1))
    axes[1].set(ylabel="legacy mSBD (leaderboard before 2022)")
    note = "Squares: means; circles: seeds."
    if printed is not None:
        note += " Stars: the paper's values, on its own images."
        for value, rows in printed[printed[x].isin(ticks)].groupby(hue):
            colour, label = _COLOURS.get(str(value), "0.3"), f"{_NAMES.get(str(value), value)}, printed"
            places = [ticks.index(v) for v in rows[x]]
            axes[1].plot(places, rows["value"], "*", ms=12, mfc=colour, mec="black", mew=0.6, label=label)
    for axis in axes:
        axis.legend(frameon=True)
    figure.supxlabel("\n".join(textwrap.wrap(f"{note} {caption}", 160)), fontsize=8, color="0.3")
    return figure


def _draw_line(axis: Axes, places: np.ndarray, rows: pd.DataFrame, score: str, name: str) -> None:
    """Means of a score with their intervals as a line, and the mean of each seed as a circle."""
    colour = _COLOURS.get(name, "0.3")
    spread = np.abs(np.stack([rows[score] - rows[f"{score}_low"], rows[f"{score}_high"] - rows[score]]))
    label = _NAMES.get(name, name)
    axis.errorbar(places, rows[score], spread, color=colour, lw=1.6, capsize=3, marker="s", ms=4, label=label)
    for place, seeds in zip(places, rows[f"{score}_seeds"], strict=True):
        axis.plot([place] * len(seeds), seeds, "o", ms=4, mfc="white", mec=colour, mew=0.9, zorder=3)
