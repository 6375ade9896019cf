"""Judges claims by the scores of a launch.

A claim is *reproduced* where every step has the sign that the paper reports and an adjusted p below .05, so that its
95 % interval leaves 0 out; *not reproduced* where one step has the opposite sign and an adjusted p below .05. What is
said to be `about` a value is reproduced where the whole interval lies within the margin, and not reproduced where it
lies outside. All else *cannot be told*, nor can anything with a single seed, whose interval says nothing about another
training. *Not tested here* is what the runs have no scores for. p values are adjusted by Holm over all comparisons that
the claims of the question make in a score; one that several claims make counts once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.ablation.statistics import Interval, holm, interval, intervals
from study.ablation.statistics.intervals import IMAGES
from study.ablation.statistics.paired import by_seed, of_variant
from study.ablation.statistics.power import ALPHA
from study.ablation.verdicts.steps import Step, steps_of
from study.errors import StudyError
from study.runs.job import Result

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
CANNOT_TELL, NOT_TESTED = "cannot be told", "not tested here"
_NAN = float("nan")
_ONE_SEED = "one seed: the interval is over images only, and another training may differ by more"


@dataclass(frozen=True)
class Found:
    """What was found of a step.

    Attributes
    ----------
    step : Step
    interval : Interval
        Of the weighted sum less the reference.
    p : float
        Adjusted; NaN with a single seed, and where nothing is tested against 0.
    seeds, images : int
        How many of them there are.
    holds : bool or None
        True where it is as the claim says, False where it is the opposite; None where that cannot be told.
    """

    step: Step
    interval: Interval
    p: float
    seeds: int
    images: int
    holds: bool | None = None


@dataclass(frozen=True)
class Verdict:
    """What a launch says of a claim.

    Attributes
    ----------
    claim : Claim
    score : str
        The column by which it is judged; empty where it is not tested.
    word : str
        `REPRODUCED`, `NOT_REPRODUCED`, `CANNOT_TELL` or `NOT_TESTED`.
    found : tuple of Found
        A step each; empty where it is not tested.
    where : str
        Data set and profile: nothing is said of others.
    reason : str
        Why it is not tested or cannot be told, where that does not follow from the numbers.
    """

    claim: Claim
    score: str
    word: str
    found: tuple[Found, ...] = ()
    where: str = ""
    reason: str = ""


def verdicts(
    ablation: Ablation, results: Sequence[Result], where: str, trainings: Sequence[Result] = ()
) -> list[Verdict]:
    """A verdict for each claim about an ablation and each of its scores that there are, in the order of the claims.

    Parameters
    ----------
    results : sequence of Result
        Of the finished runs.
    where : str
        Data set and profile.
    trainings : sequence of Result
        Measures of their trainings, see `training_results`.
    """
    there = {column for result in (*results, *trainings) for column in result.table}
    steps, faults = _steps(ablation)
    asked = {key: [score for score in claim.scores if score in there] for key, (claim, _) in steps.items()}
    found: dict[tuple[str, str], list[Found]] = {}
    for score in dict.fromkeys(score for scores in asked.values() for score in scores):
        of_score = {key: steps[key] for key, scores in asked.items() if score in scores}
        with_score = [result for result in (*results, *trainings) if score in result.table]
        found |= {(key, score): values for key, values in _found(of_score, with_score, score).items()}
    judged = []
    for claim in ablation.claims:
        if claim.key in faults or not asked[claim.key]:
            judged.append(untested(claim, faults.get(claim.key) or _lacking(claim, results), where))
        else:
            judged += [judge(claim, score, found[claim.key, score], where) for score in asked[claim.key]]
    return judged


def untested(claim: Claim, reason: str, where: str = "") -> Verdict:
    """The verdict on a claim of which a launch, or the lack of one, says nothing."""
    return Verdict(claim, "", NOT_TESTED, (), where, reason)


def judge(claim: Claim, score: str, found: Sequence[Found], where: str) -> Verdict:
    """The verdict on a claim by what was found of its steps; for the rule see the module."""
    decide = DIRECTIONS[claim.direction]
    found = tuple(replace(step, holds=decide(step, claim)) for step in found)
    holds = [step.holds for step in found]
    reason = ""
    if not any(step.seeds for step in found):
        word, reason = NOT_TESTED, f"no seed has finished runs of all its variants: {found[0].step.label}"
    elif False in holds:
        word = NOT_REPRODUCED
    elif all(holds):
        word = REPRODUCED
    else:
        word = CANNOT_TELL
        if absent := [step.step.label for step in found if not step.seeds]:
            reason = f"no seed has finished runs of all variants: {'; '.join(absent)}"
        elif all(step.interval.kind in (IMAGES, "") for step in found):
            reason = _ONE_SEED
    return Verdict(claim, score, word, found if word != NOT_TESTED else (), where, reason)


def _steps(ablation: Ablation) -> tuple[dict[str, tuple[Claim, list[Step]]], dict[str, str]]:
    """Claims with their steps, and why others have none; both by key."""
    steps: dict[str, tuple[Claim, list[Step]]] = {}
    faults: dict[str, str] = {}
    for claim in ablation.claims:
        if not claim.contrast:
            faults[claim.key] = claim.note
            continue
        try:
            steps[claim.key] = claim, steps_of(claim, ablation)
        except StudyError as error:  # the question of this version varies something else
            faults[claim.key] = str(error)
    return steps, faults


def _lacking(claim: Claim, results: Sequence[Result]) -> str:
    return claim.note or (f"the runs log no {' or '.join(claim.scores)}" if results else "no finished run")


def _found(
    of_score: Mapping[str, tuple[Claim, list[Step]]], results: Sequence[Result], score: str
) -> dict[str, list[Found]]:
    """Intervals and adjusted p of all steps of some claims in one score, by the key of the claim.

    As in `statistics.contrasts`, the spread of trainings is estimated from all plain differences together.
    """
    distinct = {step.same_as[0]: step for _, steps in of_score.values() for step in steps}
    values = {key: combined(results, step, score) for key, step in distinct.items()}
    plain = [key for key, step in distinct.items() if step.is_difference]
    means = dict(zip(plain, intervals([values[key] for key in plain]), strict=True))
    means |= {key: interval(values[key]) for key in distinct if key not in means}
    tested = {
        step.same_as[0]: None for claim, steps in of_score.values() for step in steps if claim.direction in _SIGNS
    }
    adjusted = dict(zip(tested, holm([means[key].p for key in tested]), strict=True))

    def of_step(claim: Claim, step: Step) -> Found:
        key, sign = step.same_as
        sign *= distinct[key].same_as[1]
        p = float(adjusted[key]) if claim.direction in _SIGNS else _NAN
        there = ~np.isnan(values[key])
        seeds, images = int(there.any(axis=1).sum()), int(there.any(axis=0).sum())
        return Found(step, means[key] if sign > 0 else _reversed(means[key]), p, seeds, images)

    return {key: [of_step(claim, step) for step in steps] for key, (claim, steps) in of_score.items()}


def combined(results: Sequence[Result], step: Step, score: str) -> np.ndarray:
    """The weighted sum of a step less its reference, image by image and seed by seed.

    A row per seed that all variants have, a column per image; NaN where one of them has no score.
    """
    tables = [by_seed(of_variant(results, variant), score) for variant in step.variants]
    seeds = sorted(set.intersection(*({*table.columns} for table in tables)))
    weights = [weight for weight, _ in step.terms]
    total = sum(weight * table.reindex(columns=seeds) for weight, table in zip(weights, tables, strict=True))
    return (total - step.reference).to_numpy(float).T  # type: ignore[union-attr]


def _reversed(mean: Interval) -> Interval:
    return replace(mean, mean=-mean.mean, low=-mean.high, high=-mean.low)


def _signed(sign: int) -> Callable[[Found, Claim], bool | None]:
    """Whether a step has a sign, with an adjusted p below .05."""

    def decide(found: Found, _: Claim) -> bool | None:
        return sign * found.interval.mean > 0 if found.p < ALPHA else None  # NaN is below nothing

    return decide


def _within(found: Found, claim: Claim) -> bool | None:
    """Whether the interval lies within the margin around the reference; needs several seeds."""
    mean, margin = found.interval, claim.margin or 0.0
    if mean.kind in (IMAGES, ""):
        return None
    if -margin <= mean.low and mean.high <= margin:
        return True
    return False if mean.low > margin or mean.high < -margin else None


_SIGNS = {">": 1, "<": -1}
DIRECTIONS: dict[str, Callable[[Found, Claim], bool | None]] = {
    **{direction: _signed(sign) for direction, sign in _SIGNS.items()},
    "about": _within,
}
