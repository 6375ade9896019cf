"""A question as a plan: Ablation -> planned runs. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from study.ablation.claim import Claim
from study.errors import StudyError, first_line, unknown_name
from study.runs.job import PlannedRun, variant_name
from study.settings import Settings, all_names

_OTHER_FIGURES = ("contact_sheet",)  # that every answer has


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
        `study.systems.SYSTEMS`).
    extra_variants : list of dict
        Further variants, which need not name all of the varied settings, nor only these.
    axis : str, optional
        The varied setting along the axis of the figure, a curve, where variants that do not name it are level lines;
        without one the figure has a row per variant.
    printed : Path, optional
        CSV file of the paper's values: the varied settings, `value`, maybe `test_set` (what they were measured on, see
        `study.ablation.printed`) and, for readers, `source`.
    dependent_settings : dict
        (Dotted name, varied value) -> settings that come along with that value, such as the smaller batch of a large
        embedding. They do not belong to the variant's name.
    pictures : dict
        Name of a figure -> the variants whose embeddings stand side by side in it, from (a) on.
    fixed : dict
        Dotted name -> value of settings that the question depends on, such as the loss that it is about: above every
        profile and option, below the variants. A variant whose system lacks one goes without.
    defaults : dict
        Dotted name -> value of settings, such as `data.name`, that the question is asked with unless the command line
        says otherwise.
    entry_point : str
        The question's name in MLproject; `ablate_NAME` by default.
    order_in_all : int, optional
        The place of the question in `all`; without one it is not part of it.
    claims : tuple of Claim
        What the papers claim of it, by which the answer begins; a changed claim makes another answer.

    Raises
    ------
    StudyError
        If it could not be answered, or not be drawn: what would be noticed at the end, when all runs are done.
    """

    name: str
    question: str
    varied: dict[str, list[Any]]
    control: dict[str, Any]
    system: str = "wnet"
    extra_variants: list[dict[str, Any]] = field(default_factory=list)
    axis: str | None = None
    printed: Path | None = None
    dependent_settings: dict[tuple[str, Any], dict[str, Any]] = field(default_factory=dict)
    pictures: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    # no part of the representation, which identifies the answer
    defaults: dict[str, Any] = field(default_factory=dict, repr=False)
    entry_point: str = field(default="", repr=False)
    order_in_all: int | None = field(default=None, repr=False)

    def __post_init__(self):
        faults = itertools.chain.from_iterable(check(self) for check in _CHECKS)
        if (fault := next(faults, None)) is not None:
            raise StudyError(f"ablation {self.name!r}: {fault}")
        # in the order of the variant's settings, which its name follows
        object.__setattr__(self, "control", self._as_varied(self.control))
        pictures = {name: [self._as_varied(shown) for shown in all_shown] for name, all_shown in self.pictures.items()}
        object.__setattr__(self, "pictures", pictures)
        object.__setattr__(self, "entry_point", self.entry_point or f"ablate_{self.name}")

    def _as_varied(self, variant: dict[str, Any]) -> dict[str, Any]:
        return next(own for own in self.variants() if own == variant)

    def variants(self) -> list[dict[str, Any]]:
        """All combinations of the varied settings, the last name fastest, and the extra variants."""
        combined = [dict(zip(self.varied, values, strict=True)) for values in itertools.product(*self.varied.values())]
        return combined + self.extra_variants

    def names(self) -> list[str]:
        """Dotted names of all settings that a variant names."""
        return list(dict.fromkeys(name for variant in self.variants() for name in variant))

    def varied_names(self) -> list[str]:
        """`names`, and those of the settings that come along with a varied value."""
        along = (name for settings in self.dependent_settings.values() for name in settings)
        return list(dict.fromkeys([*self.names(), *along]))

    def settings_of(self, variant: dict[str, Any]) -> dict[str, Any]:
        """The settings of a variant by dotted name: those that depend on its values, and above these the variant."""
        dependent: dict[str, Any] = {}
        for pair in variant.items():
            dependent |= self.dependent_settings.get(pair, {})
        return dependent | variant

    def system_and_changes(self, variant: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The system of a variant, and what it has otherwise than that."""
        changes = self.settings_of(variant)
        return changes.pop("system", self.system), changes


def _faults_of_settings(ablation: Ablation) -> Iterator[str]:
    """Settings that do not exist, and values that make no variants."""
    if not ablation.varied:
        yield "it varies nothing: give `varied` a setting and its values"
    for name, values in ablation.varied.items():
        if not values:
            yield f"`varied` has no value of {name}: list some, or leave it out"
        for i, value in enumerate(values):
            if value in values[:i]:
                yield f"`varied` has the value {value!r} of {name} twice: leave one out"
    dependent = [name for settings in ablation.dependent_settings.values() for name in settings]
    known = set(all_names()) - {"seed"}
    for name in (*ablation.varied, *ablation.names(), *dependent, *ablation.fixed, *ablation.defaults):
        if name == "seed":
            yield "seed is no setting of a variant: every variant is run with all seeds that --seeds lists"
        if name not in known:
            yield str(unknown_name("setting", name, known))


def _faults_of_variants(ablation: Ablation) -> Iterator[str]:
    """Variants that cannot be told apart, and what refers to none."""
    named: dict[str, dict[str, Any]] = {}
    for variant in ablation.variants():
        name = variant_name(variant)
        if name in named:
            yield (
                f"the variants {named[name]} and {variant} have the same name, {name!r}, by which tables and pages "
                "tell them apart: leave one out, or vary another setting"
            )
        named[name] = variant
    referring = [("`control`", ablation.control)]
    referring += [
        (f"`pictures` ({name})", shown) for name, all_shown in ablation.pictures.items() for shown in all_shown
    ]
    for where, variant in referring:
        if variant not in named.values():
            yield f"{where} names {variant}, which is none of its variants: take one of {'; '.join(named)}"
    for name, value in ablation.dependent_settings:
        if not any(name in variant and variant[name] == value for variant in named.values()):
            yield (
                f"`dependent_settings` names {name} = {value!r}, which no variant has: take a varied value, or leave "
                "it out"
            )


def _faults_of_figures(ablation: Ablation) -> Iterator[str]:
    """What the figures of the answer need and lack."""
    axis, varied = ablation.axis, ablation.varied
    if axis is not None and axis not in varied:
        yield f"`axis` is {axis}, which is not varied: take one of {', '.join(varied)}, or leave it out"
    if axis is not None and len(varied) != 2:
        yield (
            f"a figure along {axis} has a line for each value of one other varied setting, not of {len(varied) - 1}: "
            "vary two settings, or leave `axis` out for a figure with a row per variant"
        )
    for variant in ablation.extra_variants if axis is not None else []:
        if not (varied.keys() <= variant.keys() or (axis not in variant and "system" in variant)):
            yield (
                f"`extra_variants` has {variant}, which has no place in a figure along {axis}: let it name all varied "
                f"settings, or `system` and not {axis}"
            )
    for name in ablation.pictures:
        if name in (ablation.name, *_OTHER_FIGURES):
            yield f"`pictures` has a figure {name}, as another figure of the answer is called: give it another name"


def _faults_of_printed(ablation: Ablation) -> Iterator[str]:
    """What the file of printed values lacks."""
    if ablation.printed is None:
        return
    try:
        columns = set(pd.read_csv(ablation.printed, nrows=0).columns)
    except (OSError, ValueError) as error:
        yield f"`printed`, {ablation.printed}, cannot be read ({first_line(error)}): fix it, or leave it out"
        return
    needed = {*ablation.varied, "value"}
    if not needed <= columns <= {*needed, *ablation.names(), "test_set", "source"}:
        yield (
            f"`printed`, {ablation.printed}, has the columns {', '.join(sorted(columns))}: it needs "
            f"{', '.join(sorted(needed))}, and may have test_set and source"
        )


_CHECKS = (_faults_of_settings, _faults_of_variants, _faults_of_figures, _faults_of_printed)


def parse_seeds(text: str) -> list[int]:
    """``0,1,2`` as a list; raises StudyError if it repeats a seed or holds something else than whole numbers."""
    try:
        seeds = [int(part) for part in text.split(",")]
    except ValueError:
        raise StudyError(f"--seeds takes whole numbers joined by commas, such as 0,1,2, not {text!r}") from None
    if len(set(seeds)) < len(seeds):
        raise StudyError(f"--seeds repeats a seed: {text}")
    return seeds


SettingsOf = Callable[[Ablation, dict[str, Any]], Settings]  # (ablation, one of its variants) -> Settings


def plan(ablation: Ablation, base: SettingsOf, seeds: Sequence[int]) -> list[PlannedRun]:
    """All runs of an ablation, seed by seed, so that a first answer is whole early.

    `base` gives all settings of a variant but the seed. Raises StudyError if a varied value, or a setting that depends
    on it, does not fit.
    """

    def planned(variant: dict[str, Any], seed: int) -> PlannedRun:
        return PlannedRun(variant, base(ablation, variant).with_({"seed": seed}))

    return [planned(variant, seed) for seed in seeds for variant in ablation.variants()]
