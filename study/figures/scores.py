"""Scores of an ablation's variants: a curve along one setting, or a row per variant."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.config import is_number
from study.figures.names import NETWORK_COLOURS, setting_label, value_label, variant_label
from study.figures.style import COLOURS, DPI, WIDTH
from study.metrics import Score, drawn_scores, headline, score_of

_OTHER = "0.3"
_PRINTED = "sbd_legacy"  # the score of which files of printed values hold values
_ELSEWHERE = "0.8"  # inside of a star whose value is of other images
_ABOUT = "Squares: means, with their intervals"


def score_curve(table: pd.DataFrame, x: str, hue: str, caption: str, printed: pd.DataFrame | None = None) -> Figure:
    """Score against one varied setting, a line per value of another: Wu et al. 2020, Fig. 6.

    A panel for each score that the registry has figures draw, the headline score on the left; with printed values the
    headline and the legacy score of the leaderboard: only next to that may they stand.

    Parameters
    ----------
    table : DataFrame
        A row per variant: the columns `x` and `hue`, and for each score that is drawn the columns `{score}` (mean),
        `{score}_low`, `{score}_high` (interval) and `{score}_seeds` (list: mean of each seed). A variant without a
        value of `x` is a level line, named by its `system`.
    x, hue : str
        Dotted names of the varied settings. The values of `x` stand at equal distances, numbers by size before words.
    caption : str
        What the numbers are: data set, split, foreground rule, images and seeds.
    printed : DataFrame, optional
        Printed values: columns `x`, `hue`, `value`, `test_set` and `same`, as `study.ablation.printed` marks them.
        Those that were measured on other test images are grey.
    """
    figure, axes, scores = _panels(table, printed, 3.3, "y")
    level = [row for row in table.to_dict("records") if pd.isna(row[x])]
    along = table.dropna(subset=[x])
    ticks, groups = _in_order(along[x]), list(along.groupby(hue, sort=False))
    for axis, score in zip(axes, (score.key for score in scores), strict=True):
        for i, (value, rows) in enumerate(groups):
            places = np.array([ticks.index(v) for v in rows[x]]) + 0.12 * (i - (len(groups) - 1) / 2)
            colour = NETWORK_COLOURS.get(str(value), COLOURS[i % len(COLOURS)])
            _draw_line(axis, places, rows, score, colour, value_label(hue, value))
        for i, row in enumerate(level, start=len(groups)):
            label = value_label("system", row["system"])
            axis.axhline(row[score], color=COLOURS[i % len(COLOURS)], ls="--", lw=1.2, zorder=1, label=label)
        axis.set(xticks=range(len(ticks)), xlim=(-0.5, max(1, len(ticks)) - 0.5), xlabel=setting_label(x))
        axis.set_xticklabels([f"{tick:g}" if is_number(tick) else str(tick) for tick in ticks])
    for axis, score in zip(axes, scores, strict=True):
        axis.set(ylabel=score.label, ylim=_limits(score, *axis.get_ylim()))  # of two seeds, intervals may be long
    note = _about(table, scores)
    if printed is not None:
        stars = printed.loc[printed[x].isin(ticks)]
        note += _about_stars(stars)
        for _, rows in stars.groupby([hue, "same"], sort=False):
            value, same = rows[hue].iloc[0], bool(rows["same"].iloc[0])
            label = f"{value_label(hue, value)}, printed{'' if same else ' (other images)'}"
            colour, places = NETWORK_COLOURS.get(str(value), _OTHER), [ticks.index(v) for v in rows[x]]
            axes[-1].plot(places, rows["value"], **_star(colour, same), label=label)
    if level:  # so many lines that a legend would cover them
        axes[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    else:
        _explain_once(axes)
    write_under(figure, f"{note} {caption}")
    return figure


def _explain_once(axes: Iterable[Axes]) -> None:
    """A legend in each panel of what no panel before it has explained: the smaller it is, the less it covers."""
    explained: set[str] = set()
    for axis in axes:
        found = {label: handle for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)}
        new = {label: handle for label, handle in found.items() if label not in explained}
        if new:
            axis.legend(list(new.values()), list(new), frameon=True)
        explained |= new.keys()


def _about(table: pd.DataFrame, scores: Sequence[Score]) -> str:
    """What the marks are; of a single seed there is no circle, which would lie on the mean."""
    several = any(len(seeds) > 1 for score in scores for seeds in table[f"{score.key}_seeds"])
    return f"{_ABOUT}; circles: seeds." if several else f"{_ABOUT}."


def _panels(
    table: pd.DataFrame, printed: pd.DataFrame | None, height: float, along: str
) -> tuple[Figure, np.ndarray, list[Score]]:
    """A figure with a panel for each score; with printed values they share `along`, the axis of the scores."""
    scores = drawn_scores(table) if printed is None else [headline(table), score_of(_PRINTED)]
    size = (WIDTH * max(1, len(scores) / 2), height)  # the page has room for two panels
    figure = Figure(figsize=size, layout="constrained", dpi=DPI)
    share_x, share_y = along == "x" and printed is not None, along == "x" or printed is not None
    return figure, figure.subplots(1, len(scores), squeeze=False, sharex=share_x, sharey=share_y)[0], scores


def _limits(score: Score, low: float, high: float) -> tuple[float, float]:
    """The ends of an axis: within the bounds of the score, and to the best value where there is one."""
    lower, upper = score.bounds
    if score.higher_is_better is False:
        return low if lower is None else lower, high if upper is None else min(upper, high)
    return low if lower is None else max(lower, low), high if upper is None else upper


def _in_order(values: Iterable[Any]) -> list:
    """Distinct values: numbers by size, then words as they come."""
    return sorted(dict.fromkeys(values), key=lambda value: (not is_number(value), value if is_number(value) else 0))


def _draw_line(axis: Axes, places: np.ndarray, rows: pd.DataFrame, score: str, colour: str, label: str) -> None:
    """Means of a score with their intervals as a line, and the mean of each seed as a circle."""
    spread = _spread(rows, score)
    axis.errorbar(places, rows[score], spread, color=colour, lw=1.6, capsize=3, marker="s", ms=4, label=label)
    for place, seeds in zip(places, rows[f"{score}_seeds"], strict=True):
        if len(seeds) > 1:  # else it lies on the mean
            axis.plot([place] * len(seeds), seeds, "o", ms=4, mfc="white", mec=colour, mew=0.9, zorder=3)


def _spread(rows: pd.DataFrame, score: str) -> np.ndarray:
    """Lengths (2, rows) of the intervals below and above the means."""
    return np.abs(np.stack([rows[score] - rows[f"{score}_low"], rows[f"{score}_high"] - rows[score]]))


def score_rows(
    table: pd.DataFrame, varied: Sequence[str], control: dict, caption: str, printed: pd.DataFrame | None = None
) -> Figure:
    """A row per variant with its scores: Wu et al. 2020, Tables 1 and 2.

    Panels, `caption` and the columns of scores are as in `score_curve`.

    Parameters
    ----------
    table : DataFrame
        A row per variant: the columns `varied`, and those of the scores.
    varied : sequence of str
        Dotted names of the varied settings; a variant that does not name one has NaN there.
    control : dict
        The variant that the others are compared with; its row is shaded, a dotted line goes through its mean.
    printed : DataFrame, optional
        Printed values, as in `score_curve`: columns `varied`, `value`, `test_set` and `same`.
    """
    variants = [_named(row, varied) for row in table.to_dict("records")]
    figure, axes, scores = _panels(table, printed, 0.26 * len(table) + 1.3, "x")
    colours = [NETWORK_COLOURS.get(str(variant.get("network.name")), _OTHER) for variant in variants]
    for axis, score in zip(axes, scores, strict=True):
        _draw_rows(axis, table, score.key, colours)
    note = _about(table, scores)
    if control in variants:
        place = variants.index(control)
        for axis, score in zip(axes, scores, strict=True):
            axis.axhspan(place - 0.5, place + 0.5, color="0.93", zorder=0)
            axis.axvline(table[score.key].iloc[place], color="0.4", ls=":", lw=1.2, zorder=1)
        note += " Shaded: the control."
    if printed is not None:
        stars = _with_places(printed, varied, variants)
        for place, value, same in zip(stars["place"], stars["value"], stars["same"], strict=True):
            axes[-1].plot(value, place - 0.2, **_star(colours[place], bool(same)))
        note += _about_stars(stars)
    axes[0].set(yticks=range(len(variants)), ylim=(len(variants) - 0.5, -0.5))
    axes[0].set_yticklabels([variant_label(variant) for variant in variants])
    for axis, score in zip(axes, scores, strict=True):
        axis.set(xlabel=score.label, xlim=_limits(score, *axis.get_xlim()))
        axis.locator_params(axis="x", nbins=5)  # room for three decimals beside each other
    write_under(figure, f"{note} {caption}")
    return figure


def _named(row: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Those of the settings `names` that a row has a value of."""
    return {name: row[name] for name in names if name in row and not pd.isna(row[name])}


def _draw_rows(axis: Axes, table: pd.DataFrame, score: str, colours: Sequence[str]) -> None:
    """Mean and interval of a score in each row, and the mean of each seed as a circle."""
    spread = _spread(table, score)
    for place, (mean, seeds, colour) in enumerate(zip(table[score], table[f"{score}_seeds"], colours, strict=True)):
        around = spread[:, place : place + 1]
        axis.errorbar(mean, place, xerr=around, color=colour, lw=1.6, capsize=3, marker="s", ms=5)
        if len(seeds) > 1:  # else it is the mean
            axis.plot(seeds, [place + 0.2] * len(seeds), "o", ms=4, mfc="white", mec=colour, mew=0.9, zorder=3)


def _with_places(printed: pd.DataFrame, varied: Sequence[str], variants: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The printed values whose variant has a row, with the column `place`, that row."""
    named = [_named(row, varied) for row in printed.to_dict("records")]
    shown = printed.loc[[variant in variants for variant in named]]
    return shown.assign(place=[variants.index(variant) for variant in named if variant in variants])


def _star(colour: str, same: bool) -> dict[str, Any]:
    """How a printed value is drawn: in the colour of its network only where it is of the same test images."""
    face, edge = (colour, "black") if same else (_ELSEWHERE, colour)
    return {"marker": "*", "ls": "", "ms": 12, "mfc": face, "mec": edge, "mew": 0.8, "zorder": 4}


def _about_stars(stars: pd.DataFrame) -> str:
    """What the stars are, as a part of the caption; empty without any."""
    rows = stars.to_dict("records")
    others = list(dict.fromkeys(row["test_set"] for row in rows if not row["same"]))
    words = " Stars: the paper's values, on the same test images." if any(row["same"] for row in rows) else ""
    return words + (f" Grey stars: the paper's values, on other images: {'; '.join(others)}." if others else "")


def write_under(figure: Figure, text: str) -> None:
    """The caption below the axes, wrapped to the width of the figure."""
    lines = textwrap.wrap(text, int(19 * figure.get_figwidth()))
    figure.supxlabel("\n".join(lines), fontsize=7, color="0.3")
