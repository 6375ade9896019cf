"""How often 95 % intervals over seeds and images hold the truth, on drawn scores whose true mean is 0.

Prints two Markdown tables: of single differences, and of families of differences that share a control, whose spread of
trainings is moderated. Takes about a minute. With `--write docs/intervals.md` the tables in that file are replaced.
Run: python tests/benchmarks/bench_intervals.py
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from study.ablation.statistics import Components, interval, moderated
from study.ablation.statistics.intervals import Spread
from study.ablation.statistics.power import ALPHA, POWER, smallest_difference

ROUNDS = 1500
SEEDS, IMAGES = (2, 3, 5, 10), (5, 24)
MIXTURES = (  # standard deviations of the effects of seeds, images and single cells on a paired difference
    (0.02, 0.0, 0.05),
    (0.01, 0.0, 0.10),
    (0.05, 0.05, 0.05),
    (0.005, 0.10, 0.05),
)
Mixture = tuple[float, float, float]
Row = tuple[Mixture, int, int, float, float]

COMPARED, FAMILY_SEEDS, FAMILY_IMAGES = (5, 11), (2, 3, 5), 24
EQUAL, FACTOR_10, ONE_WILD, WILD_CONTROL = "equal", "over a factor of 10", "one variant 25 x", "the control 25 x"
SPREADS = (EQUAL, FACTOR_10, ONE_WILD, WILD_CONTROL)  # variances between the trainings of a variant
Rule = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def coverage(
    rounds: int = ROUNDS, seeds: Sequence[int] = SEEDS, images: Sequence[int] = IMAGES, method=interval
) -> Iterator[Row]:
    """Mixture, seeds, images, share of intervals that hold the truth, median width against that of known components."""
    for mixture, n_images, n_seeds in product(MIXTURES, images, seeds):
        rng = np.random.default_rng(0)
        found = [method(drawn(mixture, n_seeds, n_images, rng)) for _ in range(rounds)]
        held = np.mean([one.low <= 0 <= one.high for one in found])
        of_seeds, of_images, of_cells = np.square(mixture) / (n_seeds, n_images, n_seeds * n_images)
        known = 2 * 1.96 * np.sqrt(of_seeds + of_images + of_cells)
        yield mixture, n_seeds, n_images, float(held), float(np.median([one.high - one.low for one in found]) / known)


def drawn(mixture: Mixture, seeds: int, images: int, rng: np.random.Generator) -> np.ndarray:
    """Differences of (seeds, images) with no true difference."""
    shapes = ((seeds, 1), (1, images), (seeds, images))
    effects = (rng.normal(0, spread, shape) for spread, shape in zip(mixture, shapes, strict=True))
    return sum(effects, np.zeros((seeds, images)))


def families(mixture: Mixture, spread: str, shape: tuple[int, int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Differences to a control with no true difference, (rounds, compared, seeds, images) as in `shape`.

    Of each spread of `mixture`, half the variance is the control's and half the variant's; `spread` multiplies that
    between trainings, in the first variant where it is of one.
    """
    rounds, compared, seeds, images = shape
    factors = np.ones((rounds, compared + 1, 1, 1))
    if spread == FACTOR_10:
        factors = 10 ** rng.uniform(-0.5, 0.5, factors.shape)
    elif spread != EQUAL:
        factors[:, 0 if spread == WILD_CONTROL else 1] = 25
    of_seeds, of_images, of_cells = np.array(mixture) / np.sqrt(2)
    scores = of_cells * rng.standard_normal((rounds, compared + 1, seeds, images), np.float32)
    scores += (of_seeds * np.sqrt(factors) * rng.normal(size=(rounds, compared + 1, seeds, 1))).astype(np.float32)
    scores += (of_images * rng.normal(size=(rounds, compared + 1, 1, images))).astype(np.float32)
    return scores[:, 1:] - scores[:, :1]


def spreads(values: np.ndarray, rule: Rule) -> tuple[np.ndarray, Spread]:
    """Means of differences (..., seeds, images), and what `intervals` takes as their spread, all at once."""
    seeds, images = values.shape[-2:]
    by_seed, by_image = values.mean(-1, dtype=float), values.mean(-2, dtype=float)
    mean = by_seed.mean(-1)
    residuals = values - by_seed[..., None] - by_image[..., None, :] + mean[..., None, None]
    rest = np.square(residuals).sum((-1, -2)) / ((seeds - 1) * (images - 1) * seeds * images)
    of_seeds, degrees = rule(by_seed.var(-1, ddof=1), np.full(mean.shape, seeds - 1.0))
    terms = [np.maximum(of_seeds / seeds, rest), np.maximum(by_image.var(-1, ddof=1) / images, rest)]
    return mean, Spread(terms, [degrees, images - 1], rest)


def unmoderated(variances: np.ndarray, degrees: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return variances, degrees


@dataclass(frozen=True)
class Found:
    """Of a family: coverage, that of the first difference, family-wise error, and the smallest difference told."""

    held: float
    first: float
    wrong: float
    told: float

    @classmethod
    def of(cls, values: np.ndarray, rule: Rule) -> "Found":
        mean, spread = spreads(values, rule)
        held = abs(mean) <= spread.critical(0.05) * spread.error
        needed = spread.critical(ALPHA / values.shape[1]) * spread.error  # at Holm's first step
        told = np.quantile((needed - mean)[:, 1:], POWER)  # of differences other than the first, which may be wild
        return cls(held.mean(), held[:, 0].mean(), (abs(mean) > needed).any(1).mean(), float(told))


FamilyRow = tuple[str, int, int, list[Found], list[Found]]


def family_coverage(rounds: int = ROUNDS, seeds: Sequence[int] = FAMILY_SEEDS, rule: Rule = moderated):
    """Spread, number compared, seeds, and what is found in each of `MIXTURES` without and with moderation."""
    for spread, compared, n_seeds in product(SPREADS, COMPARED, seeds):
        rng = np.random.default_rng(1)
        own, pooled = [], []
        for mixture in MIXTURES:
            values = families(mixture, spread, (rounds, compared, n_seeds, FAMILY_IMAGES), rng)
            own.append(Found.of(values, unmoderated))
            pooled.append(Found.of(values, rule))
        yield spread, compared, n_seeds, own, pooled


def in_markdown(rows: Iterable[Row]) -> list[str]:
    head = ("spread of seeds", "of images", "of single cells", "images", "seeds", "coverage", "median width")
    lines = _head(head)
    for mixture, seeds, images, held, width in rows:
        of_effects = " | ".join(f"{spread:g}" for spread in mixture)
        lines.append(f"| {of_effects} | {images} | {seeds} | {held:.3f} | {width:.2f} |")
    return lines


def families_in_markdown(rows: Iterable[FamilyRow]) -> list[str]:
    head = ("spread of trainings", "compared", "seeds", "coverage: own", "moderated", "lowest", "of the wild one")
    lines = _head((*head, "family-wise error: own", "moderated", "smallest told: own", "moderated", "predicted"))
    for spread, compared, seeds, own, pooled in rows:
        held = [f"{np.mean([one.held for one in of]):.3f}" for of in (own, pooled)]
        wild = f"{min(one.first for one in pooled):.3f}" if spread == ONE_WILD else ""
        wrong = [f"{max(one.wrong for one in of):.3f}" for of in (own, pooled)]
        told = [f"{of[0].told:.3f}" for of in (own, pooled)]
        parts = Components(*np.square(MIXTURES[0]))
        predicted = f"{smallest_difference(parts, seeds, FAMILY_IMAGES, compared):.3f}" if spread == EQUAL else ""
        cells = (spread, compared, seeds, *held, f"{min(one.held for one in pooled):.3f}", wild, *wrong, *told)
        lines.append(f"| {' | '.join(map(str, cells))} | {predicted} |")
    return lines


def _head(titles: Sequence[str]) -> list[str]:
    return [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]


def with_tables(text: str, tables: Sequence[list[str]]) -> str:
    """A text whose tables are replaced, one by one."""
    left, lines, inside = iter(tables), [], False
    for line in text.splitlines():
        if line.startswith("|") and not inside:
            lines += next(left)
        inside = line.startswith("|")
        lines += [] if inside else [line]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="a Markdown file whose tables are replaced")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    rounds = 2 if given.tiny else given.rounds
    tables = [in_markdown(coverage(rounds)), families_in_markdown(family_coverage(rounds))]
    print("\n\n".join("\n".join(table) for table in tables))
    if given.write:
        given.write.write_text(with_tables(given.write.read_text(), tables))


if __name__ == "__main__":
    main()
