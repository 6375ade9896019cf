"""A search of thresholds: its course, the settings one by one and in pairs, the front of two objectives.

`trials` are those of `study.tuning.SearchResult`; `names` are settings of the clustering, without the group.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.figures.names import setting_label
from study.figures.scores import write_under
from study.figures.style import WIDTH
from study.metrics import score_of

_STAGES = {  # in the order of a search: label, colour (Okabe-Ito), marker, size
    "search": ("proposed", "#56B4E9", "o", 22),
    "around": ("around the optimum", "#009E73", "D", 24),
    "given": ("the run's own values", "#E69F00", "s", 45),
    "paper": ("the paper's values", "black", "*", 110),
}
_PRUNED = "0.65"
_BEST = "#D55E00"


def search_history(trials: pd.DataFrame, importance: dict[str, float], objective: str, caption: str) -> Figure:
    """Score of each trial and the best so far; next to it, what share of the variance is due to each setting.

    `importance` is that share by name; it may be empty.
    """
    figure = _figure(WIDTH, 2.9)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _scatter(left, trials, "trial", objective)
    complete = trials.loc[trials["state"] == "complete"]
    so_far = complete[objective].cummax() if score_of(objective).sign > 0 else complete[objective].cummin()
    left.step(complete["trial"], so_far, where="post", color=_BEST, lw=1.5, label="best so far", zorder=1)
    left.set(xlabel="trial", ylabel=f"{score_of(objective).label}, validation images", ylim=_limits(trials, objective))
    left.legend(frameon=True, fontsize=7)
    names = sorted(importance, key=lambda name: importance[name])
    right.barh([setting_label(f"clustering.{name}") for name in names], [importance[name] for name in names],
               color=_STAGES["search"][1])  # fmt: skip
    right.set(xlim=(0, 1), xlabel="share of the variance (fANOVA)", title="importance of each setting")
    if not names:
        right.text(0.5, 0.5, "all trials scored the same", ha="center", va="center", transform=right.transAxes)
        right.set(yticks=[])
    write_under(figure, caption)
    return figure


def search_slices(trials: pd.DataFrame, names: Sequence[str], objective: str, caption: str) -> Figure:
    """Score against each setting; a line joins the trials in which nothing else differs from the optimum."""
    rows = -(-len(names) // 4)
    columns = -(-len(names) // rows)  # no panel stands alone in a row
    figure = _figure(WIDTH, 1.8 * rows + 0.7)
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False)
    complete, best = trials.loc[trials["state"] == "complete"], trials[trials["front"]].iloc[0]
    for axis, name in zip(axes.flat, names, strict=False):
        _scatter(axis, trials, name, objective)
        others = [other for other in names if other != name]
        line = complete[(complete[others] == best[others]).all(axis=1)].sort_values(name)
        axis.plot(line[name], line[objective], color=_STAGES["around"][1], lw=1.5, zorder=1)
        axis.plot(best[name], best[objective], "o", ms=9, mfc="none", mec=_BEST, mew=1.6, zorder=5)
        axis.set(xlabel=setting_label(f"clustering.{name}"))
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis in axes[:, 0]:
        axis.set(ylabel=score_of(objective).label, ylim=_limits(trials, objective))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, fontsize=7.5, frameon=False)
    write_under(figure, f"Circle: the optimum; line: the other settings kept at it. {caption}")
    return figure


def search_contour(trials: pd.DataFrame, names: Sequence[str], objective: str, caption: str) -> Figure:
    """Score over two settings, between the trials that went through all images."""
    figure = _figure(0.7 * WIDTH, 4)
    axis = figure.subplots()
    means = trials.loc[trials["state"] == "complete"].groupby(list(names))[objective].mean().reset_index()
    x, y, score = means.to_numpy(float).T
    if _spans_an_area(x, y):
        filled = axis.tricontourf(x, y, score, levels=12, cmap="viridis", zorder=0)
        figure.colorbar(filled, label=score_of(objective).label)
    _scatter(axis, trials, *names)
    best = trials[trials["front"]].iloc[0]
    axis.plot(best[names[0]], best[names[1]], "o", ms=11, mfc="none", mec=_BEST, mew=1.8, zorder=5)
    axis.set(xlabel=setting_label(f"clustering.{names[0]}"), ylabel=setting_label(f"clustering.{names[1]}"))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=7, frameon=False)
    note = "Circle: the optimum. Colours: between the trials on all images, over all values of the other settings."
    write_under(figure, f"{note} {caption}")
    return figure


def search_front(trials: pd.DataFrame, objectives: Sequence[str], caption: str) -> Figure:
    """The trials by two objectives, and the Pareto front: those that no other is better than in both."""
    figure = _figure(0.7 * WIDTH, 3.8)
    axis = figure.subplots()
    _scatter(axis, trials, *objectives)
    front = trials.loc[trials["front"]].sort_values(list(objectives))
    axis.plot(
        front[objectives[0]], front[objectives[1]], "o-", color=_BEST, ms=9, mfc="none", lw=1.3, label="Pareto front"
    )
    axis.set(xlabel=score_of(objectives[0]).label, ylabel=score_of(objectives[1]).label)
    axis.legend(frameon=True, fontsize=8)
    write_under(figure, caption)
    return figure


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def _scatter(axis: Axes, trials: pd.DataFrame, x: str, y: str) -> None:
    """The trials by their stage; those that ended early as crosses, at the mean of the images they had."""
    pruned = trials[trials["state"] == "pruned"]
    if len(pruned):
        axis.scatter(pruned[x], pruned[y], s=16, c=_PRUNED, marker="x", lw=0.9, label="ended early", zorder=2)
    complete = trials.loc[trials["state"] == "complete"]
    for stage, (label, colour, marker, size) in _STAGES.items():
        own = complete[complete["stage"] == stage]
        if len(own):
            axis.scatter(own[x], own[y], s=size, c=colour, marker=marker, label=label, ec="white", lw=0.4, zorder=3)


def _limits(trials: pd.DataFrame, objective: str) -> tuple[float, float]:
    """The ends of the axis of scores: where those trials are that are worth a look, with some room around them.

    They are the better three quarters of those on all images; the rest, which a few bad values spread far, may lie
    outside.
    """
    scores = trials.loc[trials["state"] == "complete", objective].dropna().to_numpy(float)
    if not len(scores):
        return 0.0, 1.0
    sign = score_of(objective).sign
    best, worst = sign * (sign * scores).max(), sign * np.quantile(sign * scores, 0.25)
    room = 0.15 * max(abs(best - worst), 0.01)
    low, high = sorted((best, worst))
    return float(low - room), float(high + room)


def _spans_an_area(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether points do not all lie on one line, so that there is something between them."""
    points = np.stack([x, y], axis=1)
    spread = np.ptp(points, axis=0)
    return bool((spread > 0).all()) and np.linalg.matrix_rank((points - points[0]) / spread, 1e-6) > 1
