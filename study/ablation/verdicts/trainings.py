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
        The curves as columns, over the steps that all of them have -> the number; NaN where it cannot be told.
    form : str
        Format of a value.
    """

    label: str
    curves: tuple[str, ...]
    compute: Callable[[pd.DataFrame], float]
    form: str = ".1f"


def _median_ratio(curves: pd.DataFrame) -> float:
    """Median over the steps of the ratio of two curves, where the second is not 0."""
    first, second = curves.to_numpy(float).T
    there = second > 0
    return float(np.median(first[there] / second[there])) if there.any() else float("nan")


def _gain(curves: pd.DataFrame) -> float:
    """Last value of a curve less that of the untrained network, at step 0."""
    (curve,) = (curves[name] for name in curves)
    return float(curve.iloc[-1] - curve.iloc[0]) if curve.index[0] == 0 < curve.index[-1] else float("nan")


MEASURES: dict[str, Measure] = {
    "inter_over_intra": Measure(
        "between-instance over within-instance term, median over the training",
        ("train/loss_inter", "train/loss_intra"),
        _median_ratio,
    ),
    "sbd_gain": Measure("SBD of the validation images less that of the untrained network", ("val/sbd",), _gain, ".3f"),
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
    curves = {name: tracking.metric_curve(run.run_id, name).set_index("step")["value"] for name in measure.curves}
    value = measure.compute(pd.concat(curves, axis=1, join="inner").sort_index())
    return None if np.isnan(value) else value
