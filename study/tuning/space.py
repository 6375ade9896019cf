"""What is searched of each clustering method, and where the search begins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution

from study.config import Clustering

_COMMON: dict[str, BaseDistribution] = {
    "min_size": IntDistribution(0, 100, step=5),
    "min_distance": FloatDistribution(0.0, 0.5, step=0.02),
}
_PREDICTED: dict[str, BaseDistribution] = {"foreground_threshold": FloatDistribution(0.02, 0.8, step=0.02)}
_SEEDED: dict[str, BaseDistribution] = {
    "seed_threshold": FloatDistribution(0.2, 0.95, step=0.05),
    "seed_smoothing": FloatDistribution(0.0, 5.0, step=0.5),
    "angle": FloatDistribution(10.0, 80.0, step=2.5),
}
# what is searched, and where: the paper's values are among those of each setting
SPACES: dict[str, dict[str, BaseDistribution]] = {
    "angular": _SEEDED,
    "growing": _SEEDED,
    "mutex-watershed": {
        "mutex_range": IntDistribution(2, 16),
        "mutex_bias": FloatDistribution(0.0, 1.0, step=0.05),
        "mutex_stride": IntDistribution(1, 5),
    },
    "mean-shift": {"mean_shift_bandwidth": FloatDistribution(0.3, 0.8, step=0.02)},
    "hdbscan": {"hdbscan_min_cluster": IntDistribution(50, 300, step=10)},
    "affinity-watershed": {
        "affinity_stride": IntDistribution(1, 10),
        "affinity_bias": FloatDistribution(-0.8, 0.8, step=0.1),
        "fragment_size": IntDistribution(0, 200, step=20),
    },
    "components": {
        "component_threshold": FloatDistribution(0.1, 0.9, step=0.05),
        "component_expansion": IntDistribution(0, 4),
    },
}
SPACES = {method: space | _COMMON for method, space in SPACES.items()}


def space_of(clustering: Clustering) -> dict[str, BaseDistribution]:
    """Ranges of what is searched: settings of the method, and of the foreground if it is predicted."""
    space = SPACES[clustering.method]
    return space | _PREDICTED if clustering.foreground == "predicted" else space


def paper_thresholds(clustering: Clustering) -> Clustering:
    """`clustering` with the values of the paper, or our reading of it, for all settings that are searched."""
    return replace(clustering, **{name: getattr(Clustering(), name) for name in space_of(clustering)})


def starts(clustering: Clustering) -> dict[str, dict[str, Any]]:
    """Values to begin with: the paper's, and the given ones where they differ, or the nearest within the ranges."""
    space = space_of(clustering)
    named = {"paper": paper_thresholds(clustering), "given": clustering}
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
