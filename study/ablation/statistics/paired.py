"""Differences between variants, image by image and seed by seed, and p values of many of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from study.runs.job import Result


def of_variant(results: Sequence[Result], variant: dict[str, Any]) -> list[Result]:
    """The results of a variant by ascending seed."""
    return sorted((result for result in results if result.variant == variant), key=lambda result: result.seed)


def by_seed(results: Sequence[Result], score: str) -> pd.DataFrame:
    """A score of each image (rows) and seed (columns); NaN where a result lacks the score."""
    columns = {}
    for result in results:
        table = result.table.set_index("image")
        columns[result.seed] = table[score].astype(float) if score in table else pd.Series(np.nan, table.index)
    return pd.DataFrame(columns)


def paired_seeds(results: Sequence[Result], others: Sequence[Result]) -> list[int]:
    """Seeds that both have, ascending."""
    return sorted({result.seed for result in results} & {result.seed for result in others})


def differences(results: Sequence[Result], others: Sequence[Result], score: str) -> np.ndarray:
    """A score less that of `others`, what is hard for both cancelling out.

    A row per seed that both have, a column per image by name; NaN where one of the two has no such score.
    """
    seeds = paired_seeds(results, others)
    first, second = (by_seed(of, score).reindex(columns=seeds) for of in (results, others))
    return (first - second).to_numpy(float).T


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Holm's adjustment of p values that are looked at together.

    Where each adjusted value below .05 is called a difference, the probability that any of these calls is wrong is at
    most .05 (Holm 1979, *A simple sequentially rejective multiple test procedure*). NaN, where nothing was compared,
    stays and does not count.
    """
    adjusted = np.array(p, float)
    order = np.argsort(adjusted, kind="stable")[: np.count_nonzero(~np.isnan(adjusted))]  # NaN comes last
    steps = adjusted[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted
