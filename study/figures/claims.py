"""Claims of papers and what was found, a row each, a mark per data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from study.figures.style import COLOURS, WIDTH

_ROW, _MARGIN = 0.22, 0.9  # inches
_APART = 0.22  # of the marks of two data sets in a row


def claims_figure(table: pd.DataFrame, labels: Mapping[str, str], filled: Sequence[str]) -> Figure:
    """Differences that claims are about, turned so that what the paper says lies on the right of 0.

    Parameters
    ----------
    table : DataFrame
        A row per claim and data set: `key`, `data`, `value`, `low`, `high` and `verdict`.
    labels : mapping
        Key -> the words beside a row; the rows in that order from the top.
    filled : sequence of str
        The verdicts whose marks are filled; others are hollow.
    """
    height = _ROW * len(labels) + _MARGIN
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axis = figure.subplots()
    places = {key: -place for place, key in enumerate(labels)}
    sets = list(dict.fromkeys(table["data"]))
    for i, data in enumerate(sets):
        of_data, colour = table[table["data"] == data], COLOURS[i % len(COLOURS)]
        at = [places[key] + _APART * ((len(sets) - 1) / 2 - i) for key in of_data["key"]]
        axis.hlines(at, of_data["low"], of_data["high"], color=colour, lw=1.2)
        inside = [colour if verdict in filled else "white" for verdict in of_data["verdict"]]
        axis.scatter(of_data["value"], at, c=inside, edgecolors=colour, s=18, zorder=3)
        axis.scatter([], [], color=colour, s=18, label=data)
    axis.axvline(0, color="0.3", lw=1)
    axis.set(
        yticks=list(places.values()), ylim=(-len(labels) + 0.4, 0.6), xlabel="difference, as the paper says: above 0"
    )
    axis.set_yticklabels(list(labels.values()))
    axis.legend(loc="lower right", frameon=True)
    return figure
