"""Questions over several settings: what each setting does while the others stay as they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from study.ablation.design import Ablation
from study.ablation.statistics.moderation import intervals
from study.ablation.statistics.paired import differences, holm, of_variant, paired_seeds
from study.figures.names import variant_label
from study.metrics import headline
from study.metrics.registry import PAPER_THRESHOLDS
from study.runs.job import Result

_ABOUT = ("factor", "level", "minus", "at", "score", "seeds", "images", "over")
_COLUMNS = (*_ABOUT, "diff", "low", "high", "p", "p_adjusted")
NETWORK = "network.name"  # whose contrasts come first: the papers' main claim


def contrasts(ablation: Ablation, results: Sequence[Result]) -> pd.DataFrame:
    """The control's level of each varied setting less each other level, at each combination of the other settings.

    Differences are taken image by image and seed by seed. In their intervals and p, the spread of trainings is
    estimated from all contrasts of a factor together (`moderation.intervals`).

    Returns
    -------
    DataFrame
        Empty where fewer than two settings are varied. A row for each contrast that has paired seeds, those of
        `network.name` first: `factor`, the setting; `level` and `minus`, the control's value and the other one; `at`,
        the values of the other settings in words; `score`, the headline score with tuned or with the paper's
        thresholds; `seeds` (paired) and `images`; `over`, see `Interval.kind`; `diff` with its 95 % interval `low`,
        `high`; `p`, and `p_adjusted` by Holm over the contrasts of the factor and score. Both p are NaN with a single
        seed.
    """
    rows = []
    there = {column for result in results for column in result.table}
    first = headline(there).key
    scores = [score for score in (first, f"{first}{PAPER_THRESHOLDS}") if score in there]
    for factor, pairs in itertools.groupby(_pairs(ablation), key=lambda pair: pair[0]):
        compared = []
        for _, level, minus, others in pairs:
            own, other = (of_variant(results, _combined(ablation, others, factor, of)) for of in (level, minus))
            if seeds := paired_seeds(own, other):
                compared.append(((factor, level, minus, variant_label(others)), len(seeds), own, other))
        for score in scores:
            values = [differences(own, other, score) for _, _, own, other in compared]
            means = intervals(values)
            adjusted = holm([mean.p for mean in means])
            for (about, seeds, _, _), of, mean, p in zip(compared, values, means, adjusted, strict=True):
                over = (score, seeds, of.shape[1], mean.kind)
                rows.append((*about, *over, mean.mean, mean.low, mean.high, mean.p, p))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _pairs(ablation: Ablation) -> Iterator[tuple[str, Any, Any, dict[str, Any]]]:
    """Factor, the control's level, another level, and a combination of the other settings."""
    if len(ablation.varied) < 2:
        return
    for factor in sorted(ablation.varied, key=lambda name: name != NETWORK):
        if factor not in ablation.control:
            continue
        level = ablation.control[factor]
        others = {name: values for name, values in ablation.varied.items() if name != factor}
        for minus in (value for value in ablation.varied[factor] if value != level):
            for values in itertools.product(*others.values()):
                yield factor, level, minus, dict(zip(others, values, strict=True))


def _combined(ablation: Ablation, others: dict[str, Any], factor: str, value: Any) -> dict[str, Any]:
    """A variant with its settings in the order in which they are varied."""
    return {name: value if name == factor else others[name] for name in ablation.varied}
