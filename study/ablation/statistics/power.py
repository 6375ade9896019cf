"""What an answer could have told: the smallest difference that so many seeds and images show, and what more would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import ndtr

from study.ablation.design import Ablation
from study.ablation.statistics.intervals import SEEDS_AND_IMAGES, Spread, interval
from study.ablation.statistics.moderation import moderated
from study.ablation.statistics.paired import differences, of_variant
from study.metrics import headline
from study.runs.job import Result

ALPHA, POWER = 0.05, 0.8
WANTED = (0.01, 0.02)  # differences whose cost is told
_SAMPLES = 4000  # of the mean squares that a launch may find
_ALL_SEEDS = 10_000  # as good as any number
_TAG = "variance."


@dataclass(frozen=True)
class Components:
    """Variances of the difference of two variants in one image and seed.

    Attributes
    ----------
    seeds : float
        Between trainings, on the same images.
    images : float
        Between images, in the mean of many trainings.
    rest : float
        Between single cells: what neither seed nor image explains.
    """

    seeds: float
    images: float
    rest: float

    def to_tags(self) -> dict[str, str]:
        """As tags of a run: `variance.seeds`, `variance.images`, `variance.rest`."""
        return {f"{_TAG}{name}": f"{value:.6g}" for name, value in vars(self).items()}

    @classmethod
    def from_tags(cls, tags: Mapping[str, str]) -> Components | None:
        """Those that a run is tagged with; None where it is not."""
        names = [f"{_TAG}{name}" for name in ("seeds", "images", "rest")]
        return cls(*(float(tags[name]) for name in names)) if all(name in tags for name in names) else None


def pooled_components(ablation: Ablation, results: Sequence[Result]) -> Components | None:
    """Components of the differences to the control, averaged over the variants that have two paired seeds or more.

    The differences are those of the headline score. Averaged as they were estimated, and only then not taken below 0:
    else they would be too large on average. None where no variant has two paired seeds and two images.
    """
    score = headline(column for result in results for column in result.table).key
    control = of_variant(results, ablation.control)
    others = [variant for variant in ablation.variants() if variant != ablation.control]
    means = [interval(differences(of_variant(results, variant), control, score)) for variant in others]
    parts = [(mean.seeds, mean.images, mean.rest) for mean in means if mean.kind == SEEDS_AND_IMAGES]
    return Components(*(max(0.0, float(value)) for value in np.mean(parts, axis=0))) if parts else None


def smallest_difference(components: Components, seeds: int, images: int, comparisons: int = 1) -> float:
    """The true difference that is called one in 80 % of launches of at least two seeds and images.

    Called at Holm's first step: the p value is below .05 / `comparisons`, the number of differences whose p values are
    adjusted together, the spread of trainings being moderated over these.
    """
    rest = components.rest / (seeds * images)
    expected = components.seeds / seeds + rest, components.images / images + rest  # mean squares, as in `Spread`
    degrees = (seeds - 1, images - 1, (seeds - 1) * (images - 1))
    rng = np.random.default_rng(0)
    of_seeds, own = _trainings(seeds - 1, comparisons, rng)
    of_images, of_rest = (rng.chisquare(df, of_seeds.shape) / df for df in degrees[1:])
    drawn = [expected[0] * of_seeds, expected[1] * of_images, rest * of_rest]
    spread = Spread([np.maximum(term, drawn[2]) for term in drawn[:2]], (own, degrees[1]), drawn[2])
    error = float(Spread(expected, degrees[:2], rest).error)
    if not error:
        return 0.0
    needed = spread.critical(ALPHA / comparisons) * spread.error / error  # in true standard errors
    told = root_scalar(lambda size: ndtr(size - needed).mean() - POWER, bracket=(0, needed.max() + 5))
    return told.root * error


def _trainings(degrees: int, comparisons: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Variances of seeds' means that launches may find, relative to the true one, and their degrees of freedom.

    Both (families, comparisons), moderated. All differences share a control, and all variants spread alike.
    """
    families = -(-_SAMPLES // comparisons)
    control = rng.chisquare(degrees, (families, 1))
    both = rng.noncentral_chisquare(degrees, control, (families, comparisons)) / 2
    return moderated(both / degrees, np.full(both.shape, float(degrees)))


def seeds_needed(components: Components, difference: float, images: int, comparisons: int = 1) -> int | None:
    """The smallest number of seeds with which `difference` can be told; None where no number suffices."""

    def suffices(seeds: int) -> bool:
        return smallest_difference(components, seeds, images, comparisons) <= difference

    if not suffices(_ALL_SEEDS):
        return None
    low, high = 1, 2  # too few, and at last enough
    while not suffices(high):
        low, high = high, min(2 * high, _ALL_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def describe_power(
    components: Components | None, seeds: int, images: int, comparisons: int, score: str = "SBD", items: str = "images"
) -> str:
    """Sentences on the differences in a score that a launch can tell.

    Parameters
    ----------
    components : Components, optional
        Of an earlier launch, or of the same; None where they are unknown.
    seeds, images, comparisons : int
        Of the launch; of volumes, `images` are the sub-volumes that are scored. Comparisons are those of variants with
        the control.
    score : str
        Label of the score.
    items : str
        What `images` are called.
    """
    if comparisons < 1:
        return "What could be told is unknown: nothing is compared with the control."
    if images < 2:
        return f"What could be told is unknown: the spread of {items} shows with two test {items} at least."
    if seeds < 2 and components is None:
        return (
            "With one seed it cannot be said what could be told: the spread of trainings is unknown, and shows with "
            "two seeds at least."
        )
    if components is None:
        return "What could be told is unknown: no launch with two seeds or more shows the spread of trainings yet."
    needs = " ".join(_need(components, difference, images, comparisons) for difference in WANTED)
    if seeds < 2:
        return f"One seed can tell no difference: that takes two seeds at least. {needs}"
    smallest = smallest_difference(components, seeds, images, comparisons)
    level = f"{ALPHA:g}/{comparisons}" if comparisons > 1 else f"{ALPHA:g}"
    compared = f", for the first of {comparisons} comparisons by Holm" if comparisons > 1 else ""
    return (
        f"What can be told: with {seeds} seeds and {images} {items}, a difference in {score} of {smallest:.3f} or more "
        f"(in 80 % of launches, at a level of {level}{compared}). {needs}"
    )


def _need(components: Components, difference: float, images: int, comparisons: int) -> str:
    """How many seeds a difference needs, in a sentence."""
    seeds = seeds_needed(components, difference, images, comparisons)
    if seeds is None:
        return f"A difference of {difference:g} cannot be told with these {images} images, by any number of seeds."
    return f"A difference of {difference:g} needs {seeds} seeds."
