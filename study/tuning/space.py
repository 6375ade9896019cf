"""What is searched of each clustering method, and where the search begins."""

from __future__ import annotations

from dataclasses import Field, replace
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from study.clustering import Clustering
from study.config import fields_of


def space_of(clustering: Clustering) -> dict[str, BaseDistribution]:
    """Ranges of what is searched: settings of the method, those of all methods, and of a predicted foreground."""
    common, own = fields_of(Clustering), fields_of(type(clustering))
    names = [*(name for name in own if name not in common), *common]
    predicted = clustering.foreground == "predicted"
    searched = (name for name in names if own[name].metadata.get("search"))
    return {name: _distribution(own[name]) for name in searched if predicted or name != "foreground_threshold"}


def _distribution(spec: Field) -> BaseDistribution:
    low, high, step = spec.metadata["search"]
    if isinstance(spec.default, int):
        return IntDistribution(low, high, step=step)
    return FloatDistribution(low, high, step=step)


def paper_thresholds(clustering: Clustering, paper: Clustering) -> Clustering:
    """`clustering` with the values of `paper`, the same method, for all settings that are searched."""
    return replace(clustering, **{name: getattr(paper, name) for name in space_of(clustering)})


def starts(clustering: Clustering, paper: Clustering) -> dict[str, dict[str, Any]]:
    """Values to begin with: the paper's, and the given ones where they differ, or the nearest within the ranges."""
    space = space_of(clustering)
    named = {"paper": paper_thresholds(clustering, paper), "given": clustering}
    values = {
        stage: {name: nearest(distribution, getattr(start, name)) for name, distribution in space.items()}
        for stage, start in named.items()
    }
    return values if values["given"] != values["paper"] else {"paper": values["paper"]}


def on_grid(space: dict[str, BaseDistribution], values: dict[str, Any]) -> dict[str, Any]:
    """`values` as decimals: the sampler's steps add up to 0.19999999999999996."""
    return {name: nearest(space[name], value) for name, value in values.items()}


def nearest(distribution: BaseDistribution, value: float) -> float:
    """The value of a distribution that is nearest to `value`."""
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    low, high, step = distribution.low, distribution.high, distribution.step or 1
    found = low + step * round((min(max(value, low), high) - low) / step)
    return int(found) if isinstance(distribution, IntDistribution) else round(float(found), 10)
