"""A question and its answer: Ablation -> planned runs, results -> table with intervals. Both are pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from study.config import Settings
from study.errors import StudyError

SCORES = ("sbd", "sbd_legacy", "fbd", "abs_dic", "map")  # columns of the answer's table


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
        Dotted name -> values; the variants are all combinations.
    control : dict
        The variant that the others are compared with.
    axis : str
        The varied setting along the figure's axis.
    printed : Path, optional
        CSV file of the paper's values: the varied settings, `value` and `source`.
    """

    name: str
    question: str
    varied: dict[str, list[Any]]
    control: dict[str, Any]
    axis: str
    printed: Path | None = None

    def variants(self) -> list[dict[str, Any]]:
        """All combinations of the varied settings, the last name fastest."""
        return [dict(zip(self.varied, values, strict=True)) for values in itertools.product(*self.varied.values())]


@dataclass(frozen=True)
class PlannedRun:
    """One run to make: a variant with a seed."""

    variant: dict[str, Any]
    settings: Settings

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
    """

    variant: dict[str, Any]
    seed: int
    table: pd.DataFrame
    panels: list[np.ndarray]


def variant_name(variant: dict[str, Any]) -> str:
    """Such as `wnet, inter_weight 1`: a name is told by its value alone, other settings by their last part."""
    parts = []
    for name, value in variant.items():
        last = name.rpartition(".")[2]
        parts.append(str(value) if last == "name" else f"{last} {value:g}" if _is_number(value) else f"{last} {value}")
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


def plan(ablation: Ablation, base: Settings, seeds: Sequence[int]) -> list[PlannedRun]:
    """All runs of an ablation, seed by seed, so that a first answer is whole early.

    Raises
    ------
    StudyError
        If a varied value does not fit.
    """
    return [
        PlannedRun(variant, base.with_({**variant, "seed": seed})) for seed in seeds for variant in ablation.variants()
    ]


def bootstrap_interval(scores: np.ndarray, rng: np.random.Generator, rounds: int = 2000) -> tuple[float, float]:
    """95 % interval of the mean by resampling seeds and images.

    Parameters
    ----------
    scores : (S, I) float array
        A row per seed, a column per image.
    rng : Generator
    rounds : int
        Number of resamples.

    Returns
    -------
    low, high : float
        2.5 and 97.5 percentiles.
    """
    seeds, images = scores.shape
    rows = rng.integers(0, seeds, (rounds, seeds, 1))
    columns = rng.integers(0, images, (rounds, 1, images))
    low, high = np.percentile(scores[rows, columns].mean(axis=(1, 2)), [2.5, 97.5])
    return float(low), float(high)


def answer(ablation: Ablation, results: Sequence[Result]) -> pd.DataFrame:
    """The table of an ablation: a row per variant that has results.

    Returns
    -------
    DataFrame
        The varied settings, `seeds` and `images` (numbers of them), and for each of `SCORES` the mean over seeds and
        images `{score}`, its 95 % interval `{score}_low`, `{score}_high`, and `{score}_seeds`, the mean of each seed.
    """
    rows = []
    for variant in ablation.variants():
        tables = [result.table for result in results if result.variant == variant]
        if not tables:
            continue
        row: dict[str, Any] = {**variant, "seeds": len(tables), "images": len(tables[0])}
        for score in SCORES:
            values = np.stack([table[score].to_numpy(float) for table in tables])
            low, high = bootstrap_interval(values, np.random.default_rng(0))
            row |= {score: values.mean(), f"{score}_low": low, f"{score}_high": high}
            row[f"{score}_seeds"] = values.mean(axis=1).tolist()
        rows.append(row)
    return pd.DataFrame(rows)


def found(ablation: Ablation, table: pd.DataFrame) -> str:
    """The answer in words and as a Markdown table, for the description of the parent run.

    Parameters
    ----------
    ablation : Ablation
    table : DataFrame
        As of `answer`, not empty.
    """
    rows = [(variant_name({name: row[name] for name in ablation.varied}), row) for _, row in table.iterrows()]
    best = max(rows, key=lambda row: row[1]["sbd"])[0]
    lines = [f"Best: **{best}**. Control: {variant_name(ablation.control)}.", ""]
    lines += ["| variant | SBD | 95 % interval | abs. DiC | mAP |", "|---|---|---|---|---|"]
    for name, row in rows:
        interval = f"{row['sbd_low']:.3f} to {row['sbd_high']:.3f}"
        lines.append(f"| {name} | {row['sbd']:.3f} | {interval} | {row['abs_dic']:.2f} | {row['map']:.3f} |")
    return "\n".join(lines)
