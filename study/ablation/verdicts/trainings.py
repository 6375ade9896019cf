"""Measures of whole trainings, a number each, for claims about what happens while a network learns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from study import tracking
from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.ablation.verdicts.steps import steps_of
from study.errors import StudyError
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
    """The measures of trainings that claims are about, in the form of results with a single row.

    `runs` are those that show the trainings, by the name of the variant and the seed; those that lack a curve are
    skipped.
    """
    wanted = _wanted(ablation)
    results = []
    for (name, seed), run in runs.items():
        variant, scores = wanted.get(name, ({}, []))
        measured = {score: value for score in scores if (value := _measured(MEASURES[score], run)) is not None}
        if measured:
            results.append(Result(variant, seed, pd.DataFrame([{"image": "training", **measured}]), []))
    return results


def _wanted(ablation: Ablation) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """The variants by whose trainings claims are judged, by name, each with the measures: long curves take time."""
    wanted: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for claim in ablation.claims:
        for score in (score for score in claim.scores if score in MEASURES):
            with suppress(StudyError):  # `verdicts` tells that this version lacks the variants
                for variant in (variant for step in steps_of(claim, ablation) for variant in step.variants):
                    wanted.setdefault(variant_name(variant), (variant, []))[1].append(score)
    return wanted


def _measured(measure: Measure, run: StoredRun) -> float | None:
    if not all(name in run.metrics for name in measure.curves):
        return None
    curves = [tracking.metric_curve(run.run_id, name).set_index("step")["value"] for name in measure.curves]
    together = pd.concat(curves, axis=1, join="inner")
    return measure.compute(*together.to_numpy(float).T)
