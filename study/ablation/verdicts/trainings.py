"""Measures of whole trainings, a number each, for claims about what happens while a network learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study import tracking
from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.runs.job import Result, variant_name
from study.tracking import StoredRun


@dataclass(frozen=True)
class Measure:
    """A number that curves of a training give.

    Attributes
    ----------
    label : str
        In words, for tables.
    curves : tuple of str
        Names of the metrics that it needs.
    compute : callable
        One array per curve, over the steps that all of them have -> the number.
    form : str
        Format of a value.
    """

    label: str
    curves: tuple[str, ...]
    compute: Callable[..., float]
    form: str = ".1f"


def _median_ratio(first: np.ndarray, second: np.ndarray) -> float:
    """Median over the steps of the ratio of two curves, where the second is not 0."""
    there = second > 0
    return float(np.median(first[there] / second[there])) if there.any() else float("nan")


MEASURES: dict[str, Measure] = {
    "inter_over_intra": Measure(
        "between-instance over within-instance term, median over the training",
        ("train/loss_inter", "train/loss_intra"),
        _median_ratio,
    ),
}


def needs_trainings(claims: Iterable[Claim]) -> bool:
    """Whether any of the claims is about a measure of trainings, whose curves must be read."""
    return any(score in MEASURES for claim in claims for score in claim.scores)


def training_results(ablation: Ablation, runs: Mapping[tuple[str, int], StoredRun]) -> list[Result]:
    """The measures of trainings, in the form of results with a single row.

    `runs` are those that show the trainings, by the name of the variant and the seed; those that lack a curve are
    skipped.
    """
    variants = {variant_name(variant): variant for variant in ablation.variants()}
    wanted = {score for claim in ablation.claims for score in claim.scores if score in MEASURES}
    results = []
    for (name, seed), run in runs.items():
        measured = {score: value for score in wanted if (value := _measured(MEASURES[score], run)) is not None}
        if measured and name in variants:
            results.append(Result(variants[name], seed, pd.DataFrame([{"image": "training", **measured}]), []))
    return results


def _measured(measure: Measure, run: StoredRun) -> float | None:
    if not all(name in run.metrics for name in measure.curves):
        return None
    curves = [tracking.metric_curve(run.run_id, name).set_index("step")["value"] for name in measure.curves]
    together = pd.concat(curves, axis=1, join="inner")
    return measure.compute(*together.to_numpy(float).T)
