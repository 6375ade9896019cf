"""Figures of reports: predictions side by side, precision against overlap, training curves, scores per image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator, Locator, MaxNLocator

from study.figures.names import NETWORK_COLOURS
from study.figures.panels import NARROW, TILES, hide_frame, tile_of, wrapped
from study.figures.style import COLOURS, DPI, WIDTH

_PALE = "0.55"
_FEW_STEPS = 7  # that are all written below a curve


def prediction_figure(images: Sequence[tuple[str, Mapping[str, np.ndarray]]]) -> Figure:
    """Test images (rows) with their truth and the labels that some runs find: Wu et al. 2020, Fig. 8.

    Each image has a name and strips of `study.figures.panel` by title; where one is missing, its place stays white.
    """
    titles = list(dict.fromkeys(title for _, strips in images for title in strips))
    columns = 2 + len(titles)
    firsts = [next(iter(strips.values())) for _, strips in images]
    ratios = [tile_of(strip, "image").shape[0] / tile_of(strip, "image").shape[1] for strip in firsts]
    side = min(1.75, (WIDTH - 0.2) / columns)
    titles_above = ["image", "truth", *(wrapped(title, int(15 * side)) for title in titles)]
    text = 0.16 * max(title.count("\n") + 1 for title in titles_above) + 0.06 * len(images)
    size = (side * columns + 0.2, side * sum(ratios) + text)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(**NARROW), dpi=DPI)
    axes = figure.subplots(len(images), columns, squeeze=False, height_ratios=ratios)
    for line, (name, strips), first in zip(axes, images, firsts, strict=True):
        tiles = [tile_of(first, "image"), tile_of(first, "truth")]
        tiles += [tile_of(strips[title], "prediction") if title in strips else None for title in titles]
        for axis, tile in zip(line, tiles, strict=True):
            _show(axis, tile)
        line[0].set_ylabel(wrapped(name, int(15 * side)), fontsize=7)
    for axis, title in zip(axes[0], titles_above, strict=True):
        axis.set_title(title, fontsize=8, pad=3)
    return figure


def strip_figure(rows: Sequence[tuple[str, np.ndarray]]) -> Figure:
    """Whole strips of `study.figures.panel`, one below the other, each with a line of words above it."""
    heights = [WIDTH * strip.shape[0] / strip.shape[1] for _, strip in rows]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.24 * len(rows) + 0.2), layout="constrained", dpi=DPI)
    axes = figure.subplots(len(rows), 1, squeeze=False, height_ratios=heights)
    for axis, (words, strip) in zip(axes.flat, rows, strict=True):
        _show(axis, strip)
        axis.set_title(words, fontsize=8, loc="left", pad=3)
    last, width = axes.flat[-1], rows[-1][1].shape[1]
    last.set_xticks([(i + 0.5) * width / len(TILES) for i in range(len(TILES))], TILES, fontsize=8)
    last.tick_params(length=0)
    return figure


def _show(axis: Axes, picture: np.ndarray | None) -> None:
    hide_frame(axis)
    if picture is not None:
        axis.imshow(picture, interpolation="nearest")


def precision_figure(curves: pd.DataFrame) -> Figure:
    """Average precision against the overlap that a match needs.

    `curves` has the columns `network` (unet, wnet), `label`, `iou`, `ap`, `low`, `high` (interval).
    """
    figure = Figure(figsize=(0.55 * WIDTH, 2.7), layout="constrained", dpi=DPI)
    axis = figure.subplots()
    for label, rows in curves.groupby("label", sort=False):
        network = rows["network"].iloc[0]
        colour = NETWORK_COLOURS.get(str(network), _PALE)
        axis.fill_between(rows["iou"], rows["low"], rows["high"], color=colour, alpha=0.15, lw=0)
        axis.plot(rows["iou"], rows["ap"], "s-" if network == "wnet" else "o--", color=colour, ms=4, label=str(label))
    axis.set(xlabel="IoU from which an object counts as found", ylabel="average precision", ylim=(0, 1))
    axis.legend(frameon=True)
    return figure


def training_figure(losses: Mapping[str, pd.DataFrame], scores: Mapping[str, pd.DataFrame]) -> Figure:
    """Curves of a training, each with `step` and `value`: losses left, validation scores right where there are any.

    They are called by their labels.
    """
    drawn = [(losses, ""), (scores, "o")] if scores else [(losses, "")]
    figure = Figure(figsize=(WIDTH if scores else 0.8 * WIDTH, 2.6), layout="constrained", dpi=DPI)
    axes = figure.subplots(1, len(drawn), squeeze=False)[0]
    for axis, (curves, marker) in zip(axes, drawn, strict=True):
        for (name, curve), colour in zip(curves.items(), COLOURS, strict=False):
            axis.plot(curve["step"], curve["value"], marker=marker, ms=3.5, lw=1.2, color=colour, label=name)
        axis.legend(frameon=True)
        axis.set(xlabel="step")
        axis.xaxis.set_major_locator(_steps_of(curves.values()))
    if losses and all((curve["value"] > 0).all() for curve in losses.values()):
        axes[0].set(yscale="log")
        axes[0].yaxis.set_major_formatter("{x:g}")
        axes[0].yaxis.set_minor_formatter(few_of_a_decade)
    axes[0].set(ylabel="training loss")
    if scores:
        shares = all((curve["value"] <= 1).all() for curve in scores.values())
        axes[1].set(ylabel="validation score", ylim=(0, 1 if shares else None))
    else:  # there is room next to the curves
        import seaborn as sns  # here and below, as it takes half a second, which processes that train need not wait for

        sns.move_legend(axes[0], "center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def _steps_of(curves: Iterable[pd.DataFrame]) -> Locator:
    """Ticks below the points of curves where these are few, or else at round numbers."""
    steps = sorted({int(step) for curve in curves for step in curve["step"]})
    return FixedLocator(steps) if 0 < len(steps) <= _FEW_STEPS else MaxNLocator(6, integer=True)


def angle_figure(curves: pd.DataFrame, colour: str, style: str | None = None) -> Figure:
    """Mean angle between the embeddings of neighbours over a training: Chen et al. 2019, Fig. 1e.

    `curves` has the columns `step`, `angle` (degrees), and `colour` and `style`, whose values have a colour and a kind
    of line each, and which are titles in the legend. Rows of several seeds are averaged.
    """
    import seaborn as sns

    figure = Figure(figsize=(0.9 * WIDTH, 2.9), layout="constrained", dpi=DPI)
    axis = figure.subplots()
    palette = list(COLOURS[: len(set(curves[colour]))])
    sns.lineplot(curves, x="step", y="angle", hue=colour, style=style, palette=palette, errorbar=("pi", 100),
                 marker="o", ms=4, ax=axis)  # fmt: skip
    axis.axhline(90, color=_PALE, ls=":", lw=1.2, zorder=1)
    axis.set(xlabel="step", ylabel="angle between neighbours, °", ylim=(0, None))
    axis.xaxis.set_major_locator(_steps_of([curves]))
    sns.move_legend(axis, "center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def ratio_figure(curves: pd.DataFrame, colour: str, style: str | None, level: float) -> Figure:
    """Ratio of the two terms of the embedding loss over a training, and a dotted line at a printed `level`.

    `curves` has the columns `step`, `ratio`, and `colour` and `style` as in `angle_figure`.
    """
    import seaborn as sns

    figure = Figure(figsize=(0.9 * WIDTH, 2.9), layout="constrained", dpi=DPI)
    axis = figure.subplots()
    palette = list(COLOURS[: len(set(curves[colour]))])
    sns.lineplot(curves, x="step", y="ratio", hue=colour, style=style, palette=palette, errorbar=None, ax=axis)
    axis.axhline(level, color=_PALE, ls=":", lw=1.2, zorder=1)
    axis.set(xlabel="step", ylabel="between-instance term over\nwithin-instance term", yscale="log")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter(few_of_a_decade)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    sns.move_legend(axis, "center left", bbox_to_anchor=(1, 0.5), frameon=False)
    return figure


def few_of_a_decade(value: float, _: float) -> str:
    """Text of a tick between powers of ten: of 2 and 5 alone."""
    return f"{value:g}" if f"{value:e}"[0] in "25" else ""


def spread_figure(scores: Sequence[float], label: str) -> Figure:
    """How a score in [0, 1] is spread over the images: a histogram, below it a dot per image; between full tenths."""
    import seaborn as sns

    values = np.asarray(scores, float)
    low, high = np.floor(10 * np.nanmin(values)) / 10, np.ceil(10 * np.nanmax(values)) / 10
    low, high = min(low, high - 0.2), max(high, low + 0.2)  # of equal scores there would be nothing between
    low, high = max(0.0, low), min(1.0, high)
    figure = Figure(figsize=(0.6 * WIDTH, 2.5), layout="constrained", dpi=DPI)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    sns.histplot(x=values, bins=np.linspace(low, high, 21).tolist(), color=COLOURS[0], edgecolor="white", ax=upper)
    upper.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    heights = 1.4 * (np.arange(len(values)) * 0.618034 % 1) - 0.7  # that keep neighbouring dots apart
    lower.plot(values, heights, "o", ms=4, color=COLOURS[0], mec="white", mew=0.4, alpha=0.8)
    lower.axvline(float(np.mean(values)), color=COLOURS[1], lw=1.4)
    lower.set(yticks=[], ylim=(-1, 1), xlim=(low, high), xlabel=f"{label} of an image; line: mean")
    upper.set(ylabel="images")
    return figure


def paired_figure(pairs: Mapping[str, pd.DataFrame], first: str, label: str) -> Figure:
    """Score of each image in a run against that in the first one; a panel per run with columns `first` and `other`."""
    columns = min(3, len(pairs))
    lines = -(-len(pairs) // columns)
    side = WIDTH / 3
    figure = Figure(figsize=(side * columns, (side + 0.25) * lines + 0.2), layout="constrained", dpi=DPI)
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axis in axes.flat[len(pairs) :]:
        axis.set_visible(False)
    low, high = _ends([pair[["first", "other"]].to_numpy(float) for pair in pairs.values()])
    for axis, (name, pair) in zip(axes.flat, pairs.items(), strict=False):
        axis.plot([low, high], [low, high], color=_PALE, lw=0.8, zorder=1)
        axis.plot(pair["first"], pair["other"], "o", ms=4, color=COLOURS[0], mec="white", mew=0.4, alpha=0.8)
        axis.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        axis.set_title(wrapped(name, int(14 * side)), fontsize=8)
    for axis in axes.flat[max(0, len(pairs) - columns) : len(pairs)]:
        axis.tick_params(labelbottom=True)
    figure.supxlabel(wrapped(f"{label}, {first}", int(14 * side * columns)), fontsize=8)
    figure.supylabel(label, fontsize=8)
    return figure


def _ends(values: Sequence[np.ndarray]) -> tuple[float, float]:
    """The ends of both axes of points: those of the values, with some room around them."""
    known = [of_pair[np.isfinite(of_pair)] for of_pair in values]
    together = np.concatenate(known) if known else np.zeros(0)
    low, high = (float(together.min()), float(together.max())) if len(together) else (0.0, 1.0)
    room = 0.04 * max(high - low, 0.05)
    return low - room, high + room
