"""How far trainings spread, of variants that are compared together: each one's own estimate, drawn to the common one.

With three seeds a difference has a spread of trainings from two degrees of freedom, and hardly anything can be told.
The spreads of a family of differences are estimated together instead, by the empirical Bayes estimator of Smyth (2004),
*Linear models and empirical Bayes methods for assessing differential expression in microarray experiments*: the less
they differ, the more each is drawn to their mean. What is taken off it so that it holds with few variances, and that
it does, is in docs/intervals.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import digamma, polygamma

from study.ablation.statistics.intervals import Interval, interval, variance_of_seeds

MIN_FAMILY = 3  # fewer variances do not show how far they differ
_SHARED = 0.25  # correlation of the variances of two differences that share a control: that of the differences, squared
_WILD = 2.0  # an own variance of more than so many times the mean stands for itself
_ALIKE = 0.2  # variances whose logarithms vary by less than this share of what chance makes are estimates of one thing
_SMALLEST = 1e-5  # of the mean: smaller variances are taken as this in logarithms
_STEPS = 25  # of Newton's method, which needs fewer than 10 in the range of `_SMALLEST`


def intervals(family: Sequence[np.ndarray]) -> list[Interval]:
    """As `interval` of each of several `differences` that are looked at together, the spread of trainings moderated.

    Those of fewer than two seeds with scores have no spread of trainings and do not count.
    """
    own = [variance_of_seeds(values) for values in family]
    there = [place for place, (_, degrees) in enumerate(own) if degrees]
    trainings: dict[int, tuple[float, float]] = {}
    if there:
        variances, degrees = moderated(*np.array([own[place] for place in there], float).T)
        trainings = dict(zip(there, zip(variances.tolist(), degrees.tolist(), strict=True), strict=True))
    return [interval(values, trainings=trainings.get(place)) for place, values in enumerate(family)]


def moderated(variances: np.ndarray, degrees: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances of a family and their degrees of freedom, each drawn to the family's mean.

    Families are along the last axis, (..., N); variances are at least 0, degrees at least 1. They stay as they are
    where N is below `MIN_FAMILY`.
    """
    variances, degrees = np.broadcast_arrays(variances, degrees)
    number = variances.shape[-1]
    if number < MIN_FAMILY:
        return variances, degrees
    all_degrees = degrees.sum(-1, keepdims=True)
    mean = (variances * degrees).sum(-1, keepdims=True) / all_degrees
    held = all_degrees / (1 + (number - 1) * _SHARED)  # degrees that the mean has where all share a control
    prior = np.minimum(_prior_degrees(variances, degrees, mean, held), np.maximum(held - degrees, 0))
    prior = np.where(variances > _WILD * mean, 0, prior)
    return (prior * mean + degrees * variances) / (prior + degrees), prior + degrees


def _prior_degrees(variances: np.ndarray, degrees: np.ndarray, mean: np.ndarray, most: np.ndarray) -> np.ndarray:
    """Smyth's prior degrees of freedom, by the variance of logarithms, (..., 1); at most `most`, 0 where too alike."""
    logs = np.log(np.maximum(variances, _SMALLEST * np.where(mean > 0, mean, 1)))
    spread = (logs - digamma(degrees / 2) + np.log(degrees / 2)).var(-1, ddof=1, keepdims=True)
    by_chance = polygamma(1, degrees / 2).mean(-1, keepdims=True)
    prior = 2 * _inverse_trigamma(np.maximum(spread - by_chance, polygamma(1, most / 2)))
    return np.where(spread < _ALIKE * by_chance, 0, prior)


def _inverse_trigamma(values: np.ndarray) -> np.ndarray:
    """The x whose trigamma is `values`, by Newton's method on its reciprocal (Smyth 2004, appendix)."""
    x = 0.5 + 1 / values
    for _ in range(_STEPS):
        trigamma = polygamma(1, x)
        x = x + trigamma * (1 - trigamma / values) / polygamma(2, x)
    return x
