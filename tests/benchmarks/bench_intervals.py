"""Coverage of the 95 % intervals over seeds and images, and their width, on drawn scores whose true mean is 0.

Prints a Markdown table; takes about a minute. With `--write docs/intervals.md` the table in that file is replaced.
Run: python tests/benchmarks/bench_intervals.py
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np

from study.statistics import interval

ROUNDS = 1500
SEEDS, IMAGES = (2, 3, 5, 10), (5, 24)
MIXTURES = (  # standard deviations of the effects of seeds, images and single cells on a paired difference
    (0.02, 0.0, 0.05),
    (0.01, 0.0, 0.10),
    (0.05, 0.05, 0.05),
    (0.005, 0.10, 0.05),
)
Row = tuple[tuple[float, float, float], int, int, float, float]


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


def drawn(mixture: tuple[float, float, float], seeds: int, images: int, rng: np.random.Generator) -> np.ndarray:
    """Differences of (seeds, images) with no true difference."""
    shapes = ((seeds, 1), (1, images), (seeds, images))
    return sum(rng.normal(0, spread, shape) for spread, shape in zip(mixture, shapes, strict=True))


def in_markdown(rows: Iterator[Row]) -> list[str]:
    head = ("spread of seeds", "of images", "of single cells", "images", "seeds", "coverage", "median width")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for mixture, seeds, images, held, width in rows:
        spreads = " | ".join(f"{spread:g}" for spread in mixture)
        lines.append(f"| {spreads} | {images} | {seeds} | {held:.3f} | {width:.2f} |")
    return lines


def with_table(text: str, table: list[str]) -> str:
    """A text whose only table is replaced."""
    lines = text.splitlines()
    places = [i for i, line in enumerate(lines) if line.startswith("|")]
    return "\n".join([*lines[: places[0]], *table, *lines[places[-1] + 1 :]]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="a Markdown file whose table is replaced")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    table = in_markdown(coverage(given.rounds))
    print("\n".join(table))
    if given.write:
        given.write.write_text(with_table(given.write.read_text(), table))


if __name__ == "__main__":
    main()
