"""A question as a plan, and what its runs found: Ablation -> planned runs -> results. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study.config import Settings
from study.errors import StudyError


@dataclass(frozen=True)
class Ablation:
    """A question about a system, as a set of variants.

    Attributes
    ----------
    name : str
        What a user types: `python -m ablations NAME`.
    question : str
        In a sentence.
    varied : dict
        Dotted name -> values; the variants are all combinations. The name `system` varies whole systems.
    control : dict
        The variant that the others are compared with.
    system : str
        Where the settings of all variants come from that do not name a `system` of their own (a key of
        `study.profiles.SYSTEMS`).
    beside : list of dict
        Further variants, which need not name all of the varied settings, nor only these.
    axis : str, optional
        The varied setting along the axis of the figure, a curve, where variants that do not name it are level lines;
        without one the figure has a row per variant.
    printed : Path, optional
        CSV file of the paper's values: the varied settings, `value` and `source`.
    follows : dict
        (Dotted name, varied value) -> settings that come along with that value, such as the smaller batch of a large
        embedding. They do not belong to the variant's name.
    pictures : dict
        Name of a figure -> the variants whose embeddings stand side by side in it, from (a) on.
    """

    name: str
    question: str
    varied: dict[str, list[Any]]
    control: dict[str, Any]
    system: str = "wnet"
    beside: list[dict[str, Any]] = field(default_factory=list)
    axis: str | None = None
    printed: Path | None = None
    follows: dict[tuple[str, Any], dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def variants(self) -> list[dict[str, Any]]:
        """All combinations of the varied settings, the last name fastest, and what is beside them."""
        combined = [dict(zip(self.varied, values, strict=True)) for values in itertools.product(*self.varied.values())]
        return combined + self.beside

    def names(self) -> list[str]:
        """Dotted names of all settings that a variant names."""
        return list(dict.fromkeys(name for variant in self.variants() for name in variant))

    def settings_of(self, variant: dict[str, Any]) -> dict[str, Any]:
        """The settings of a variant by dotted name: what follows from its values, and above that the variant."""
        following: dict[str, Any] = {}
        for pair in variant.items():
            following |= self.follows.get(pair, {})
        return following | variant


@dataclass(frozen=True)
class PlannedRun:
    """One run to make: a variant with a seed.

    Attributes
    ----------
    variant : dict
    settings : Settings
    asked : dict of str
        Settings that were asked for as `auto`, by dotted name; `settings` has what they became.
    """

    variant: dict[str, Any]
    settings: Settings
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Such as `wnet, inter_weight 1, seed 0`."""
        return f"{variant_name(self.variant)}, seed {self.settings.seed}"


@dataclass(frozen=True)
class Result:
    """What a run found.

    Attributes
    ----------
    variant : dict
    seed : int
    table : DataFrame
        A row per test image: `image` and its scores.
    panels : list of (M, N, 3) uint8 arrays
        Pictures of the first test images.
    perf : dict of str to float
        What the run cost, such as `clustering_seconds` (per test image) and `clustering_mib` (peak).
    environments : tuple of str
        Device and libraries that its scores, and its training, were computed with, see `study.environment`.
    """

    variant: dict[str, Any]
    seed: int
    table: pd.DataFrame
    panels: list[np.ndarray]
    perf: dict[str, float] = field(default_factory=dict)
    environments: tuple[str, ...] = ()


def perf_of(metrics: dict[str, float]) -> dict[str, float]:
    """`Result.perf` from the metrics of a run."""
    return {name.removeprefix("perf/"): v for name, v in metrics.items() if name.startswith("perf/clustering_")}


def variant_name(variant: dict[str, Any]) -> str:
    """Such as `wnet, inter_weight 1`: a name is told by its value alone, other settings by their last part."""
    parts = []
    for name, value in variant.items():
        last = name.rpartition(".")[2]
        parts.append(
            str(value)
            if last in ("name", "system")
            else f"{last} {value:g}"
            if _is_number(value)
            else f"{last} {value}"
        )
    return ", ".join(parts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def parse_seeds(text: str) -> list[int]:
    """``0,1,2`` as a list.

    Raises
    ------
    StudyError
        If it is empty, repeats a seed or holds something else than whole numbers.
    """
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        raise StudyError(f"--seeds takes whole numbers joined by commas, such as 0,1,2, not {text!r}") from None
    if len(set(seeds)) < len(seeds):
        raise StudyError(f"--seeds repeats a seed: {text}")
    return seeds


def plan(ablation: Ablation, base: Callable[[str], Settings], seeds: Sequence[int]) -> list[PlannedRun]:
    """All runs of an ablation, seed by seed, so that a first answer is whole early.

    Parameters
    ----------
    ablation : Ablation
    base : callable
        System -> settings that its variants start from.
    seeds : sequence of int

    Raises
    ------
    StudyError
        If a varied value, or what follows from it, does not fit.
    """
    return [
        PlannedRun(variant, base(system).with_({**ablation.settings_of(variant), "seed": seed}))
        for seed in seeds
        for variant in ablation.variants()
        for system in [variant.get("system", ablation.system)]
    ]
