"""From the contrast of a claim to steps, each a weighted sum of the scores of variants of its question.

Variants are named by settings, `network.name=wnet and network.embedding_dim=8`. Settings that are not named stay as
they are: the step is taken at each combination of them that has all of its variants.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.config import is_number
from study.errors import StudyError, unknown_name
from study.figures.names import setting_label, variant_label
from study.runs.job import variant_name

Variant = dict[str, Any]
_RANGE = re.compile(r"(?P<name>\S+) from (?P<low>\S+)")
_INTERACTION = re.compile(r"(?P<first>.+) - (?P<second>.+) at (?P<at>.+) more than at (?P<other>.+)")


@dataclass(frozen=True)
class Step:
    """A weighted sum of the scores of variants, less a reference.

    Attributes
    ----------
    label : str
        What is compared, in words.
    terms : tuple of (float, dict)
        Weight and variant.
    reference : float
        What is taken off the sum; it is not 0 for levels alone.
    """

    label: str
    terms: tuple[tuple[float, Variant], ...]
    reference: float = 0.0

    @property
    def variants(self) -> list[Variant]:
        """The variants without which it cannot be taken."""
        return [variant for _, variant in self.terms]

    @property
    def is_level(self) -> bool:
        """Whether it is the score of a single variant, not a comparison of several."""
        return len(self.terms) == 1

    @property
    def is_difference(self) -> bool:
        """Whether it is the plain difference of two variants."""
        return sorted(weight for weight, _ in self.terms) == [-1, 1]

    @property
    def same_as(self) -> tuple[frozenset, int]:
        """What tells it from other sums, and its sign: a difference and its reverse are one comparison."""
        named = sorted((variant_name(variant), weight) for weight, variant in self.terms)
        sign = 1 if named[0][1] > 0 else -1
        return frozenset((name, sign * weight) for name, weight in named) | {("less", self.reference)}, sign


def steps_of(claim: Claim, ablation: Ablation) -> list[Step]:
    """What must be computed of an ablation to judge a claim: one step at least.

    Raises StudyError if the kind is unknown, or the contrast names variants that the ablation does not have.
    """
    if claim.kind not in KINDS:
        raise unknown_name("kind of claim", claim.kind, KINDS)
    steps = list(KINDS[claim.kind](claim, ablation.variants()))
    if not steps:
        raise StudyError(f"claim {claim.key}: {ablation.name} does not have the variants of {claim.contrast!r}")
    return steps


def _differences(claim: Claim, variants: Sequence[Variant]) -> Iterator[Step]:
    """`A - B`: each A less its B. `A - B - C`: also B less C. `A or B - C`: A less C, and B less C."""
    sides = [[_named(text) for text in side.split(" or ")] for side in claim.contrast.split(" - ")]
    for firsts, seconds in itertools.pairwise(sides):
        for first, second in itertools.product(firsts, seconds):
            pairs = _pairs(variants, first, second)
            if not pairs:  # a chain that lacks a link is not the paper's
                raise StudyError(f"claim {claim.key}: no two variants differ as {first} and {second}")
            yield from (_difference(*pair) for pair in pairs)


def _best(claim: Claim, variants: Sequence[Variant]) -> Iterator[Step]:
    """`A`: A less each variant that differs from it in the settings of A alone."""
    wanted = _named(claim.contrast)
    for own in _matching(variants, wanted):
        for other in variants:
            if other != own and other.keys() == own.keys() and _rest(other, wanted) == _rest(own, wanted):
                yield _difference(own, other)


def _slope(claim: Claim, variants: Sequence[Variant]) -> Iterator[Step]:
    """`NAME from X`: the slope of the line of least squares over log10 of a setting whose value is a number >= X."""
    parts = _RANGE.fullmatch(claim.contrast)
    if parts is None:
        raise StudyError(f"claim {claim.key}: a slope has a contrast such as 'loss.inter_weight from 1'")
    name, low = parts["name"], float(parts["low"])
    curves: dict[str, list[Variant]] = {}
    for variant in variants:
        if is_number(variant.get(name)) and variant[name] >= low > 0:
            curves.setdefault(variant_label(_rest(variant, (name,))), []).append(variant)
    for at, points in curves.items():
        if len(points) > 1:
            logs = np.array([math.log10(point[name]) for point in points])
            centred = logs - logs.mean()
            weights = (centred / (centred**2).sum()).tolist()
            label = f"slope per tenfold {setting_label(name)}{f', {at}' if at else ''}"
            yield Step(label, tuple(zip(weights, points, strict=True)))


def _interaction(claim: Claim, variants: Sequence[Variant]) -> Iterator[Step]:
    """`A - B at C more than at D`: A less B at C, and how much that is more than A less B at D."""
    parts = _INTERACTION.fullmatch(claim.contrast)
    if parts is None:
        raise StudyError(f"claim {claim.key}: an interaction has a contrast such as 'A - B at C more than at D'")
    first, second, at, other = (_named(text) for text in parts.groups())
    there, elsewhere = (_pairs(variants, first | place, second | place) for place in (at, other))
    for pair, reference in zip(there, elsewhere, strict=True):
        step, base = _difference(*pair), _difference(*reference)
        yield step
        label = f"({step.label}) − ({base.label})"
        yield Step(label, (*step.terms, *((-weight, variant) for weight, variant in base.terms)))


def _level(claim: Claim, variants: Sequence[Variant]) -> Iterator[Step]:
    """`A`: the score of A itself, next to the reference."""
    for variant in _matching(variants, _named(claim.contrast)):
        yield Step(variant_label(variant), ((1.0, variant),), claim.reference)


KINDS: dict[str, Callable[[Claim, Sequence[Variant]], Iterator[Step]]] = {
    "difference": _differences,
    "best": _best,
    "slope": _slope,
    "interaction": _interaction,
    "level": _level,
}


def _named(text: str) -> dict[str, str]:
    """`network.name=wnet and network.embedding_dim=8` as a mapping; values stay texts."""
    parts = [part.partition("=") for part in text.split(" and ")]
    if not all(name and value for name, _, value in parts):
        raise StudyError(f"variants are named like 'network.name=wnet and network.embedding_dim=8', not {text!r}")
    return {name.strip(): value.strip() for name, _, value in parts}


def _texts(variant: Mapping[str, Any]) -> dict[str, str]:
    """The values of a variant as contrasts write them."""
    return {name: f"{value:g}" if is_number(value) else str(value) for name, value in variant.items()}


def _rest(variant: Variant, names: Mapping[str, Any] | Sequence[str]) -> Variant:
    """A variant without some of its settings."""
    return {name: value for name, value in variant.items() if name not in names}


def _matching(variants: Sequence[Variant], wanted: dict[str, str]) -> list[Variant]:
    """The variant that has just the wanted settings, or else those that have them among others."""
    exact = [variant for variant in variants if _texts(variant) == wanted]
    return exact or [variant for variant in variants if wanted.items() <= _texts(variant).items()]


def _pairs(variants: Sequence[Variant], first: dict[str, str], second: dict[str, str]) -> list[tuple[Variant, Variant]]:
    """Variants that have the settings `first`, each with the one that has `second` and is alike in the others."""
    partners = {tuple(sorted(_texts(variant).items())): variant for variant in variants}
    wanted = [(own, _texts(_rest(own, first)) | second) for own in _matching(variants, first)]
    keys = [(own, tuple(sorted(texts.items()))) for own, texts in wanted]
    return [(own, partners[key]) for own, key in keys if key in partners]


def _difference(first: Variant, second: Variant) -> Step:
    """A step whose label names what differs, and then what both have."""
    common = {name: value for name, value in first.items() if name in second and second[name] == value}
    label = " − ".join(variant_label(_rest(variant, common)) for variant in (first, second))
    at = f", {variant_label(common)}" if common else ""
    return Step(f"{label}{at}", ((1.0, first), (-1.0, second)))
