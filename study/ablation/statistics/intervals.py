"""95 % interval of a mean over seeds and images, which are crossed: every seed has scores of the same images.

The score of seed s in image i is taken as mean + seed effect + image effect + rest, the effects drawn at random. The
variance of the mean then follows from the mean squares of the two-way table, (MS_seeds + MS_images - MS_rest) / (S I)
(Searle, Casella and McCulloch 1992, *Variance Components*, chapter 4). How wide the intervals are, and how often they
hold the truth, is in docs/intervals.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import root_scalar
from scipy.special import stdtr, stdtrit

SEEDS_AND_IMAGES, IMAGES, SEEDS = "seeds and images", "images only", "seeds only"  # what would be drawn anew
_NAN = float("nan")
_ROUNDS = 100  # of filling in missing cells: the error shrinks at least by the share of missing cells in each
_SMALLEST_P = 1e-12  # smaller ones are not told apart


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval.

    Attributes
    ----------
    mean, low, high : float
        NaN where there is no score, the interval also where there is a single one.
    p : float
        Of the hypothesis that the true mean is 0, two-sided: below .05 where the interval leaves 0 out. NaN where
        there is a single seed, from which nothing follows about another training.
    kind : str
        What the interval is over: `SEEDS_AND_IMAGES`, `IMAGES` (a single seed), `SEEDS` (a single image), or empty
        where there is no interval.
    seeds, images, rest : float
        Estimated variances of the effects; by chance the first two may be below 0. NaN but for `SEEDS_AND_IMAGES`.
    """

    mean: float = _NAN
    low: float = _NAN
    high: float = _NAN
    p: float = _NAN
    kind: str = ""
    seeds: float = _NAN
    images: float = _NAN
    rest: float = _NAN

    def columns(self, name: str) -> dict[str, float]:
        """Mean and interval as cells of a table, in the columns of `interval_columns`."""
        return dict(zip(interval_columns(name), (self.mean, self.low, self.high), strict=True))


def interval_columns(name: str) -> tuple[str, str, str]:
    """Names of the columns that hold a mean and the ends of its interval."""
    return name, f"{name}_low", f"{name}_high"


@dataclass(frozen=True)
class Spread:
    """The variance of a mean.

    Attributes
    ----------
    terms : sequence of float or of arrays
        Mean squares of seeds and of images, in units of the variance of the mean; in each the noise of single cells
        is held as well.
    degrees : sequence of float or of arrays
        Degrees of freedom of each.
    rest : float or array
        The part of the terms that is held twice, by seeds and by images.
    """

    terms: Sequence[float | np.ndarray]
    degrees: Sequence[float | np.ndarray]
    rest: float | np.ndarray

    @property
    def error(self) -> Any:
        """Standard error of the mean."""
        return np.sqrt(sum(self.terms) - self.rest)

    def critical(self, p: float) -> Any:
        """How many standard errors the mean is off with probability `p`.

        The mean of the t quantiles of the terms, weighted by the terms: Cochran's solution of the Behrens-Fisher
        problem (Cochran 1964, *Approximate significance levels of the Behrens-Fisher test*). Satterthwaite's degrees
        of freedom leave too short an interval where the few seeds lie near each other by chance.
        """
        quantiles = [-stdtrit(degrees, p / 2) for degrees in self.degrees]
        return sum(term * t for term, t in zip(self.terms, quantiles, strict=True)) / sum(self.terms)

    def p_of(self, mean: float) -> float:
        """Probability that a mean of true value 0 is off by `mean` or more: the inverse of `critical`."""
        if not self.error:
            return float(mean == 0)
        errors = abs(mean) / self.error
        each = [2 * float(stdtr(degrees, -errors)) for degrees in self.degrees]
        if min(each) == max(each) or max(each) < _SMALLEST_P:
            return max(each)
        smallest = max(min(each), _SMALLEST_P)
        if self.critical(smallest) <= errors:
            return smallest
        return root_scalar(lambda p: self.critical(p) - errors, bracket=(smallest, max(each)), xtol=1e-15).root


def interval(*blocks: np.ndarray, trainings: tuple[float, float] | None = None) -> Interval:
    """95 % interval of the mean, or of the unweighted mean of the means of blocks, over seeds and images.

    With a single seed it is over images, with a single image over seeds. A seed that lacks a block is left out.

    Parameters
    ----------
    *blocks : (S, I_k) float arrays
        A row per seed, the same in all blocks; a column per image of the block. NaN where there is no score: an image
        without any is skipped, and a single cell is filled by what its seed and its image predict.
    trainings : tuple of two floats, optional
        Variance of the means of seeds and its degrees of freedom, where they are known better than from the blocks;
        they do not enter the components.
    """
    tables = _tables(blocks)
    if not tables:
        return Interval()
    mean = float(np.mean([table.cells.mean() for table in tables]))
    spread = _spread(tables, trainings)
    if not spread.terms:
        return Interval(mean)
    off = float(spread.critical(0.05) * spread.error) if spread.error else 0.0
    several = len(tables[0].cells) > 1, any(table.cells.shape[1] > 1 for table in tables)
    kind = {(True, True): SEEDS_AND_IMAGES, (False, True): IMAGES, (True, False): SEEDS}[several]
    p = spread.p_of(mean) if several[0] else _NAN
    components = _components(tables) if kind == SEEDS_AND_IMAGES else ()
    return Interval(mean, mean - off, mean + off, p, kind, *components)


def variance_of_seeds(block: np.ndarray) -> tuple[float, int]:
    """Variance of the means of seeds, (S, I), and its degrees of freedom; NaN and 0 with fewer than two seeds."""
    tables = _tables([block])
    if not tables or len(tables[0].cells) < 2:
        return _NAN, 0
    return float(_seed_means(tables).var(ddof=1)), len(tables[0].cells) - 1


@dataclass(frozen=True)
class _Table:
    """A block without gaps: cells (S, I), and the mean square of what seed and image do not explain."""

    cells: np.ndarray
    rest: float

    @classmethod
    def of(cls, block: np.ndarray) -> _Table:
        missing = np.isnan(block)
        block, missing = block[:, ~missing.all(axis=0)], missing[:, ~missing.all(axis=0)]
        cells = np.where(missing, np.nanmean(block, axis=0), block)
        for _ in range(_ROUNDS if missing.any() else 0):  # Yates's missing plots
            cells = np.where(missing, _predicted(cells), cells)
        seeds, images = cells.shape
        degrees = np.count_nonzero(~missing) - seeds - images + 1
        rest = ((cells - _predicted(cells)) ** 2).sum() / degrees if degrees > 0 and min(seeds, images) > 1 else 0.0
        return cls(cells, float(rest))


def _predicted(cells: np.ndarray) -> np.ndarray:
    """Cells by their seed and image alone."""
    return cells.mean(axis=0) + cells.mean(axis=1, keepdims=True) - cells.mean()


def _tables(blocks: Sequence[np.ndarray]) -> list[_Table]:
    """Blocks without gaps and without seeds that lack one of them; none where no seed is left."""
    seeds = np.all([~np.isnan(block).all(axis=1) for block in blocks], axis=0)
    return [_Table.of(block[seeds]) for block in blocks] if seeds.any() else []


def _spread(tables: Sequence[_Table], trainings: tuple[float, float] | None) -> Spread:
    """Variance of the mean of the means of blocks. A block of one image counts as fixed."""
    seeds, blocks = len(tables[0].cells), len(tables)
    rests = [table.rest / (table.cells.size * blocks**2) for table in tables]
    terms, degrees, rest = [], [], sum(rests)
    for table, own in zip(tables, rests, strict=True):
        images = table.cells.shape[1]
        if images > 1:
            term = table.cells.mean(axis=0).var(ddof=1) / (images * blocks**2)
            terms.append(max(float(term), own))  # an effect has no negative variance
            degrees.append(images - 1)
    if seeds > 1:
        of_seeds, own = trainings or (float(_seed_means(tables).var(ddof=1)), seeds - 1)
        return Spread([max(of_seeds / seeds, rest), *terms], [own, *degrees], rest)
    return Spread(terms, degrees, 0.0)


def _seed_means(tables: Sequence[_Table]) -> np.ndarray:
    """Mean of each seed over the means of blocks."""
    return np.mean([table.cells.mean(axis=1) for table in tables], axis=0)


def _components(tables: Sequence[_Table]) -> tuple[float, float, float]:
    """Variances of the effects of seeds, of images and of single cells; the latter two are means over blocks."""
    seeds, blocks = len(tables[0].cells), len(tables)
    by_cells = sum(table.rest / (table.cells.shape[1] * blocks**2) for table in tables)
    several = [table for table in tables if table.cells.shape[1] > 1]
    images = [table.cells.mean(axis=0).var(ddof=1) - table.rest / seeds for table in several]
    rest = np.mean([table.rest for table in several])
    return float(_seed_means(tables).var(ddof=1) - by_cells), float(np.mean(images)), float(rest)
