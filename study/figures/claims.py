"""Claims of papers and what was found, a row each, a mark per data set."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.style import COLOURS, WIDTH

_LINE, _MARGIN = 0.16, 0.9  # inches
_LINES = 2  # that a row has room for, at least
_LETTERS = 46  # of a line beside a row
_APART = 0.22  # of the marks of two data sets in a row
_LEAST, _SHOWN = 0.1, 0.8  # half of the axis, at least; share of the intervals that it holds as a whole


def claims_figure(table: pd.DataFrame, labels: Mapping[str, str], filled: Sequence[str]) -> Figure:
    """Differences that claims are about, turned so that what the paper says lies on the right of 0.

    The axis holds most intervals as a whole, and all that are told. An arrow shows where one goes on beyond it, and a
    number by the arrow what the difference is where that too lies beyond: a single wide interval would leave no room to
    tell the others apart.

    Parameters
    ----------
    table : DataFrame
        A row per claim and data set: `key`, `data`, `value`, `low`, `high` and `verdict`.
    labels : mapping
        Key -> the words beside a row; the rows in that order from the top.
    filled : sequence of str
        The verdicts whose marks are filled; others are hollow.
    """
    words = {key: textwrap.wrap(label, _LETTERS) for key, label in labels.items()}
    heights = [max(len(lines), _LINES) / _LINES for lines in words.values()]  # of rows
    places = dict(zip(labels, np.divide(heights, 2) - np.cumsum(heights), strict=True))
    figure = Figure(figsize=(WIDTH, _LINE * _LINES * sum(heights) + _MARGIN), layout="constrained")
    axis = figure.subplots()
    aside = _aside(table)
    table = table.assign(aside=aside, y=[places[key] + up for key, up in zip(table["key"], aside, strict=True)])
    sets = list(table.groupby("data", sort=False))
    half = _half_of_axis(table, filled)
    for i, (data, of_data) in enumerate(sets):
        colour = COLOURS[i % len(COLOURS)]
        axis.hlines(
            of_data["y"], of_data["low"].clip(-half, half), of_data["high"].clip(-half, half), color=colour, lw=1.2
        )
        inside = [colour if verdict in filled else "white" for verdict in of_data["verdict"]]
        seen = of_data["value"].where(of_data["value"].abs() <= half)  # others are numbers beside arrows
        axis.scatter(seen, of_data["y"], c=inside, edgecolors=colour, s=18, zorder=3)
        _arrows(axis, of_data, half, colour)
        axis.scatter([], [], color=colour, s=18, label=data)
    axis.axvline(0, color="0.3", lw=1)
    axis.set(
        yticks=list(places.values()),
        ylim=(-sum(heights) - 0.1, 0.1),
        xlim=(-1.05 * half, 1.05 * half),
        xlabel="difference in score; right of 0: as the paper says",
    )
    axis.set_yticklabels(["\n".join(lines) for lines in words.values()])
    if sets:
        figure.legend(loc="outside upper right", ncols=len(sets), frameon=False)
    return figure


def _aside(table: pd.DataFrame) -> list[float]:
    """How far above the middle of its row each mark stands, so that the data sets of a row stand side by side."""
    keys = table["key"].tolist()
    return [_APART * ((keys.count(key) - 1) / 2 - keys[:i].count(key)) for i, key in enumerate(keys)]


def _half_of_axis(table: pd.DataFrame, filled: Sequence[str]) -> float:
    """So that most intervals are seen as a whole, and all that tell something."""
    ends = table[["low", "high"]].abs().max(axis=1)
    told = ends[table["verdict"].isin(filled)]
    return max(_LEAST, *ends.quantile([_SHOWN]).dropna(), *told)


def _arrows(axis: Axes, table: pd.DataFrame, half: float, colour: str) -> None:
    """Where the axis ends before an interval does; with the number where it ends before the difference."""
    for sign, marker, side in ((-1, "<", "left"), (1, ">", "right")):
        beyond = table[(sign * table[["low", "high"]]).max(axis=1) > half]
        if len(beyond):  # no points would still ask for room at the figure's corner
            axis.plot([sign * half] * len(beyond), beyond["y"], marker, color=colour, ms=5, clip_on=False)
        for y, aside, value in zip(beyond["y"], beyond["aside"], beyond["value"], strict=True):
            if sign * value > half:
                up, lies = (2, "bottom") if aside >= 0 else (-2, "top")  # there is no room between two lines of a row
                place = {"xytext": (-sign * 7, up), "textcoords": "offset points", "va": lies, "ha": side}
                axis.annotate(f"{value:+.2f}", (sign * half, y), fontsize="x-small", **place)
