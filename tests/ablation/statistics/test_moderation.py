import numpy as np
import pytest
from scipy import optimize, special

from study.ablation.statistics import contrasts, interval, intervals, moderated, summarize
from study.ablation.statistics.paired import differences
from tests.ablation.statistics.made import ABLATION, noisy
from tests.benchmarks.bench_intervals import EQUAL, families, spreads

NAN = float("nan")
UNET, UNET_ONLY, WNET, WNET_ONLY = ABLATION.variants()


def naive(variances, degrees):
    """The rule of docs/intervals.md, number by number."""
    number, total = len(variances), sum(degrees)
    mean = sum(v * d for v, d in zip(variances, degrees, strict=True)) / total
    held = total / (1 + (number - 1) / 4)
    logs = [
        np.log(max(v, 1e-5 * mean)) - special.digamma(d / 2) + np.log(d / 2)
        for v, d in zip(variances, degrees, strict=True)
    ]
    spread = sum((one - sum(logs) / number) ** 2 for one in logs) / (number - 1)
    chance = sum(special.polygamma(1, d / 2) for d in degrees) / number
    prior = np.inf
    if spread > chance:
        prior = 2 * float(
            optimize.root_scalar(lambda x: special.polygamma(1, x) - spread + chance, bracket=(1e-3, 1e6)).root
        )
    found = []
    for v, d in zip(variances, degrees, strict=True):
        own = 0 if v > 2 * mean or spread < 0.2 * chance else min(prior, max(held - d, 0))
        found.append(((own * mean + d * v) / (own + d), own + d))
    return [list(each) for each in zip(*found, strict=True)]


@pytest.mark.parametrize(
    ("variances", "degrees"),
    [
        ([1.0, 2.0, 4.0, 1.5, 0.5], [2] * 5),  # no more than chance
        ([1.0, 20.0, 400.0, 3.0, 0.1], [4] * 5),  # some, and one wild
        ([1.0, 1.1, 0.9, 1.05, 1.0], [2] * 5),  # too alike
        ([0.3, 0.8, 0.1], [2] * 3),
        ([1.0, 2.0, 4.0, 1.5, 0.5, 0.9], [1, 2, 2, 1, 9, 2]),
        ([0.0, 2.0, 4.0, 1.5, 0.0], [2] * 5),
    ],
)
def test_moderated_variances_equal_the_rule(variances, degrees):
    found = moderated(np.array(variances), np.array(degrees, float))
    assert [one.tolist() for one in found] == [pytest.approx(one) for one in naive(variances, degrees)]
    families = moderated(np.array([variances[::-1], variances]), np.array(degrees, float))
    assert families[0][1].tolist() == pytest.approx(found[0].tolist())  # families do not touch each other


def test_moderated_variances_by_hand():
    """Not more spread than chance: the mean has 10 / 2 degrees, of which 3 are drawn to each variance's own 2."""
    found, degrees = moderated(np.array([1.0, 2.0, 4.0, 1.5, 0.5]), np.full(5, 2.0))
    assert degrees.tolist() == pytest.approx([5, 5, 2, 5, 5])  # 4 is more than twice the mean, 1.8
    assert found.tolist() == pytest.approx([(3 * 1.8 + 2 * v) / 5 if v != 4 else 4 for v in (1.0, 2.0, 4.0, 1.5, 0.5)])


def test_the_more_variances_differ_the_less_is_pooled():
    logs = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    degrees = [moderated(np.exp(by * logs), np.full(5, 20.0))[1][0] for by in (0.4, 0.8, 1.6, 3.2)]
    assert degrees == sorted(degrees, reverse=True)
    assert degrees[0] > 45 > 21 > degrees[-1] > 20


@pytest.mark.parametrize("by", [1e-9, 1e9])
def test_the_scale_does_not_matter(by):
    variances, degrees = np.array([1.0, 2.0, 0.0, 1.5, 0.5]), np.full(5, 2.0)
    found, scaled = moderated(variances, degrees), moderated(by * variances, degrees)
    np.testing.assert_allclose(scaled[0], by * found[0])
    np.testing.assert_allclose(scaled[1], found[1])


@pytest.mark.parametrize("variances", [[], [1.0], [1.0, 2.0], [0.0] * 5])
def test_families_that_stay_as_they_are(variances):
    """Too few to show how far they differ, or without any spread."""
    found, degrees = moderated(np.array(variances), np.full(len(variances), 2.0))
    assert (found.tolist(), degrees.tolist()) == (variances, [2.0] * len(variances))


def test_a_family_of_differences():
    """As one by one but for the spread of trainings, at whatever numbers of seeds."""
    rng = np.random.default_rng(2)
    family = [rng.normal(0, 0.02, (seeds, 1)) + rng.normal(0, 0.01, (seeds, 9)) for seeds in (3, 2, 4, 3)]
    family += [np.full((3, 9), NAN), np.empty((0, 9)), rng.random((1, 9))]
    family[0][2, 4] = NAN
    found, alone = intervals(family), [interval(values) for values in family]
    of_seeds = [values[~np.isnan(values).any(axis=1)].mean(axis=1).var(ddof=1) for values in family[1:4]]
    filled = moderated(np.array([variance_of(family[0]), *of_seeds]), np.array([2.0, 1, 3, 2]))
    for one, by_itself, values, *trainings in zip(found, alone, family, *filled, strict=False):
        wanted = interval(values, trainings=(trainings[0], trainings[1]))
        assert (one.low, one.high, one.p) == pytest.approx((wanted.low, wanted.high, wanted.p))
        assert (one.mean, one.seeds, one.kind) == (by_itself.mean, by_itself.seeds, by_itself.kind)
    assert [one.high != by_itself.high for one, by_itself in zip(found[:4], alone[:4], strict=True)] == [True] * 4
    assert [repr(one) for one in found[4:]] == [repr(one) for one in alone[4:]]
    assert intervals([]) == []


def variance_of(values):
    """Of the means of seeds with a single gap, filled by what its seed and image predict (Yates 1933)."""
    (row,), (column,) = np.nonzero(np.isnan(values))
    seeds, images = values.shape
    of_row, of_column, whole = np.nansum(values[row]), np.nansum(values[:, column]), np.nansum(values)
    filled = values.copy()
    filled[row, column] = (seeds * of_row + images * of_column - whole) / ((seeds - 1) * (images - 1))
    return filled.mean(axis=1).var(ddof=1)


def test_answers_pool_all_differences_of_a_score_and_plain_means_stay():
    several = [result for variant in ABLATION.variants() for result in noisy(variant, 0.0)]
    of = {str(variant): [r for r in several if r.variant == variant] for variant in ABLATION.variants()}
    table = summarize(ABLATION, several)
    wanted = intervals([differences(of[str(v)], of[str(WNET)], "sbd") for v in (UNET, UNET_ONLY, WNET_ONLY)])
    rows = [row for row in table.to_dict("records") if row["paired_seeds"]]
    found = [[row[f"sbd_diff{end}"] for end in ("_low", "_high", "_p")] for row in rows]
    assert found == [[one.low, one.high, one.p] for one in wanted]
    alone = [interval(differences(of[str(v)], of[str(WNET)], "sbd")) for v in (UNET, UNET_ONLY, WNET_ONLY)]
    assert any(one.p != by_itself.p for one, by_itself in zip(wanted, alone, strict=True))
    plain = interval(np.array([r.table["sbd"] for r in of[str(UNET)]]))
    assert (table["sbd_low"][0], table["sbd_high"][0]) == (plain.low, plain.high)


def test_contrasts_pool_those_of_their_factor():
    wide = {"network.name": ["unet", "wnet"], "loss.inter_weight": [1.0, 2.0, 4.0, "only"]}
    ablation = type(ABLATION)("x", "Which?", wide, ABLATION.control)
    table = contrasts(ablation, [result for variant in ablation.variants() for result in noisy(variant, 0.0)])
    for factor, number in (("network.name", 4), ("loss.inter_weight", 6)):
        rows = [row for row in table.to_dict("records") if row["factor"] == factor]
        values = [differences(*sides(row, factor), "sbd") for row in rows]
        assert len(rows) == number
        assert [row["p"] for row in rows] == [one.p for one in intervals(values)]


def sides(row, factor):
    """Results of both levels of a contrast."""
    at = row["at"].removeprefix("λ = ")
    at = float(at) if at in ("1", "2", "4") else {"U-Net": "unet", "W-Net": "wnet"}.get(at, at)
    other = "loss.inter_weight" if factor == "network.name" else "network.name"
    pairs = ({factor: row[side], other: at} for side in ("level", "minus"))
    own, others = (noisy({name: pair[name] for name in ABLATION.varied}, 0.0) for pair in pairs)
    return own, others


def test_the_benchmark_takes_the_spread_that_intervals_take():
    values = families((0.02, 0.01, 0.05), EQUAL, (3, 5, 3, 8), np.random.default_rng(0)).astype(float)
    mean, spread = spreads(values, moderated)
    off = spread.critical(0.05) * spread.error
    found = [intervals(family) for family in values]
    np.testing.assert_allclose(mean - off, [[one.low for one in family] for family in found])
