import math

import numpy as np
import pytest

from study.ablation.statistics import Interval, interval
from tests.benchmarks.bench_intervals import (
    COMPARED,
    EQUAL,
    MIXTURES,
    ONE_WILD,
    SPREADS,
    coverage,
    families_in_markdown,
    family_coverage,
    in_markdown,
    with_tables,
)

ROUNDS = 300  # a standard error of .013 at a coverage of .95
LEAST = {2: 0.90, 3: 0.93, 10: 0.93}
MOST = 0.06  # family-wise error


def short(rows):
    """Lines whose coverage is surely less than wanted."""
    return [row for row in rows if row[3] < LEAST[row[1]] - 2 * math.sqrt(0.05 * 0.95 / ROUNDS)]


def test_intervals_hold_the_truth_and_are_not_too_long():
    rows = list(coverage(ROUNDS, tuple(LEAST), (5, 24)))
    assert len(rows) == len(MIXTURES) * len(LEAST) * 2
    assert not short(rows)
    assert all(width <= 2.5 for _, seeds, images, _, width in rows if seeds > 2 and images == 24)


@pytest.mark.parametrize("of", ["seeds", "images"])
def test_intervals_that_leave_out_a_spread_are_found(of):
    def over_one(cells):
        return interval(cells.mean(axis=0 if of == "seeds" else 1).reshape((1, -1) if of == "seeds" else (-1, 1)))

    assert short(coverage(ROUNDS, tuple(LEAST), (24,), over_one))


def wrong(rows):
    """Lines whose coverage or family-wise error is surely out of bounds, that of the wild variant too."""
    off = 2 * math.sqrt(0.06 * 0.94 / ROUNDS)
    return [
        (spread, compared, seeds)
        for spread, compared, seeds, _, found in rows
        if np.mean([one.held for one in found]) < LEAST[seeds] - off
        or max(one.wrong for one in found) > MOST + off
        or (spread == ONE_WILD and min(one.first for one in found) < 0.9 - off)
    ]


def test_moderated_intervals_hold_the_truth_and_tell_more():
    rows = list(family_coverage(ROUNDS, (3,)))
    assert len(rows) == len(SPREADS) * len(COMPARED)
    assert not wrong(rows)
    told = {compared: pooled[0].told / own[0].told for spread, compared, _, own, pooled in rows if spread == EQUAL}
    assert told[5] < 0.8
    assert told[11] < 0.5


def test_variances_that_are_only_averaged_are_found():
    def averaged(variances, degrees):
        mean = np.broadcast_to(variances.mean(-1, keepdims=True), variances.shape)
        return mean, degrees * variances.shape[-1]

    assert {spread for spread, *_ in wrong(family_coverage(ROUNDS, (3,), averaged))} >= {ONE_WILD, SPREADS[-1]}


def test_the_tables_of_the_docs_are_replaced():
    rows = coverage(2, (2,), (5,), lambda _: Interval(0, -1, 1))
    table = in_markdown(rows)
    assert len(table) == 2 + len(MIXTURES)
    assert table[2].startswith("| 0.02 | 0 | 0.05 | 5 | 2 | 1.000 | ")
    of_families = families_in_markdown(family_coverage(2, (2,)))
    assert len(of_families) == 2 + len(SPREADS) * len(COMPARED)
    assert {line.count("|") for line in of_families} == {of_families[0].count("|")}
    text = "a\n\n| old |\n|---|\n\nb\n\n| older |\n\nc\n"
    assert with_tables(text, [["| new |"], ["| newer |"]]) == "a\n\n| new |\n\nb\n\n| newer |\n\nc\n"
