import math

import pytest

from study.statistics import Interval, interval
from tests.benchmarks.bench_intervals import MIXTURES, coverage, in_markdown, with_table

ROUNDS = 300  # a standard error of .013 at a coverage of .95
LEAST = {2: 0.90, 3: 0.93, 10: 0.93}


def short(rows):
    """Lines whose coverage is surely less than wanted."""
    return [row for row in rows if row[3] < LEAST[row[1]] - 2 * math.sqrt(0.05 * 0.95 / ROUNDS)]


def test_intervals_hold_the_truth_and_are_not_too_long():
    rows = list(coverage(ROUNDS, LEAST, (5, 24)))
    assert len(rows) == len(MIXTURES) * len(LEAST) * 2
    assert not short(rows)
    assert all(width <= 2.5 for _, seeds, images, _, width in rows if seeds > 2 and images == 24)


@pytest.mark.parametrize("of", ["seeds", "images"])
def test_intervals_that_leave_out_a_spread_are_found(of):
    def over_one(cells):
        return interval(cells.mean(axis=0 if of == "seeds" else 1).reshape((1, -1) if of == "seeds" else (-1, 1)))

    assert short(coverage(ROUNDS, LEAST, (24,), over_one))


def test_the_table_of_the_docs_is_replaced():
    rows = coverage(2, (2,), (5,), lambda _: Interval(0, -1, 1))
    table = in_markdown(rows)
    assert len(table) == 2 + len(MIXTURES)
    assert table[2].startswith("| 0.02 | 0 | 0.05 | 5 | 2 | 1.000 | ")
    assert with_table("a\n\n| old |\n|---|\n\nb\n", ["| new |"]) == "a\n\n| new |\n\nb\n"
