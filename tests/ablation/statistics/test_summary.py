import numpy as np
import pytest

from study.ablation.design import Ablation
from study.ablation.statistics import holm, interval, summarize
from study.runs.job import Result
from tests.ablation.statistics.made import ABLATION, SCORES, made_up, noisy

FURTHER_SCORES = ("sbd_paper_thresholds", "sbd_legacy_paper_thresholds", "neighbour_angle")

VARIANTS = ABLATION.variants()
CONTROL = VARIANTS[2]


def row_of(table, variant):
    (row,) = [row for row in table.to_dict("records") if {name: row[name] for name in ABLATION.varied} == variant]
    return row


def test_a_row_for_each_variant_with_results():
    results = [
        made_up(VARIANTS[3], 0, [0.5, 0.7]),
        made_up(VARIANTS[0], 1, [0.4, 0.8]),
        made_up(VARIANTS[0], 0, [0.1, 0.3]),
    ]
    table = summarize(ABLATION, results)
    settings = table[list(ABLATION.varied)].to_dict("records")
    assert settings == [VARIANTS[0], VARIANTS[3]]  # in the order of the variants
    first, last = table.to_dict("records")
    assert (first["seeds"], first["images"], last["seeds"]) == (2, 2, 1)
    assert first["sbd"] == pytest.approx(0.4)
    assert first["sbd_seeds"] == pytest.approx([0.2, 0.6])  # by ascending seed
    found = interval(np.array([[0.1, 0.3], [0.4, 0.8]]))
    assert (first["sbd_low"], first["sbd_high"]) == pytest.approx((found.low, found.high))
    assert (first["fbd"], first["fbd_low"], first["fbd_high"]) == (1, 1, 1)
    for score in SCORES:
        assert {score, f"{score}_low", f"{score}_high", f"{score}_seeds"} <= set(table.columns)
    assert summarize(ABLATION, []).empty


def test_differences_pair_seeds_and_images():
    results = [
        made_up(CONTROL, 2, [0.3, 0.9]),
        made_up(CONTROL, 0, [0.1, 0.5]),
        made_up(CONTROL, 1, [0.0, 0.0]),  # of a seed that the variant lacks
        made_up(VARIANTS[0], 0, [0.2, 0.8]),
        made_up(VARIANTS[0], 2, [0.4, 1.0]),
        made_up(VARIANTS[0], 7, [1.0, 1.0]),  # of a seed that the control lacks
    ]
    row = row_of(summarize(ABLATION, results), VARIANTS[0])
    assert (row["seeds"], row["paired_seeds"], row["difference_over"]) == (3, 2, "seeds and images")
    found = interval(np.array([[0.1, 0.3], [0.1, 0.1]]))
    given = [row[f"sbd_diff{end}"] for end in ("", "_low", "_high", "_p")]
    assert given == pytest.approx([found.mean, found.low, found.high, found.p])
    assert [row[f"fbd_diff{end}"] for end in ("", "_low", "_high", "_p")] == [0, 0, 0, 1]


def test_p_is_adjusted_over_the_variants_of_each_score():
    results = [r for v, shift in zip(VARIANTS, (0.02, 0.004, 0, 0.01), strict=True) for r in noisy(v, shift)]
    table = summarize(ABLATION, results)
    p = table["sbd_diff_p"].to_numpy()
    assert np.isnan(p).tolist() == [False, False, True, False]  # none of the control
    assert table["sbd_diff_p_adjusted"].tolist() == pytest.approx(holm(p).tolist(), nan_ok=True)
    assert (table["sbd_diff_p_adjusted"][0], table["sbd_diff_p"][0]) != pytest.approx((p[0], p[0]))
    assert table["fbd_diff_p_adjusted"].tolist() == pytest.approx([1, 1, np.nan, 1], nan_ok=True)


def test_a_single_paired_seed_has_no_p():
    results = [*noisy(CONTROL, 0, (0,)), *noisy(VARIANTS[0], 0.3, (0,)), *noisy(VARIANTS[1], 0.3, (0, 1))]
    table = summarize(ABLATION, results)
    assert table[["sbd_diff_p", "sbd_diff_p_adjusted"]].isna().all(axis=None)
    row = row_of(table, VARIANTS[1])
    assert (row["seeds"], row["paired_seeds"], row["difference_over"]) == (2, 1, "images only")
    assert row["sbd_diff_low"] > 0


def test_what_is_hard_for_both_cancels_out():
    hard = np.random.default_rng(0).random(30)
    results = [made_up(CONTROL, 0, 0.5 * hard), made_up(VARIANTS[0], 0, 0.5 * hard + 0.01)]
    row = row_of(summarize(ABLATION, results), VARIANTS[0])
    assert (row["sbd_diff"], row["sbd_diff_low"], row["sbd_diff_high"]) == pytest.approx((0.01, 0.01, 0.01))
    assert row["sbd_high"] - row["sbd_low"] > 0.1


@pytest.mark.parametrize("others", [[], [made_up(CONTROL, 5, [0.3])]])
def test_no_difference_without_paired_seeds(others):
    table = summarize(ABLATION, [made_up(VARIANTS[0], 0, [0.2]), *others])
    ends = ("", "_low", "_high", "_p", "_p_adjusted")
    for row in table.to_dict("records"):  # the control's own one too
        assert row["paired_seeds"] == 0
        assert np.isnan([row[f"{score}_diff{end}"] for score in SCORES for end in ends]).all()


@pytest.mark.parametrize("name", FURTHER_SCORES)
def test_further_scores_of_images_that_have_them(name):
    results = [
        made_up(CONTROL, 0, [0.5, 0.5, 0.5], **{name: [80.0, np.nan, 90.0]}),
        made_up(VARIANTS[0], 0, [0.5, 0.5, 0.5], **{name: [81.0, np.nan, 91.0]}),
        made_up(VARIANTS[1], 0, [0.5, 0.5, 0.5], **{name: [np.nan] * 3}),
    ]
    table = summarize(ABLATION, results)
    row = row_of(table, VARIANTS[0])
    assert (row[name], row[f"{name}_seeds"]) == (86, [86])
    assert [row[f"{name}_diff{end}"] for end in ("", "_low", "_high")] == [1, 1, 1]
    none = row_of(table, VARIANTS[1])
    assert np.isnan([none[name], *none[f"{name}_seeds"], none[f"{name}_low"], none[f"{name}_diff"]]).all()
    assert not any(column.startswith("pq") for column in table)


@pytest.mark.parametrize("name", [*SCORES, *FURTHER_SCORES])
@pytest.mark.parametrize("lacking", [CONTROL, VARIANTS[0]])
def test_a_score_that_some_results_lack_is_nan_there(name, lacking):
    """Results that were reused are of before a score was added."""
    scores = dict.fromkeys(FURTHER_SCORES, 0.4)
    results = [made_up(v, seed, [0.5, 0.6], **scores) for v in (CONTROL, *VARIANTS[:2]) for seed in (0, 1)]
    results = [
        Result(r.variant, r.seed, r.table.drop(columns=name), []) if r.variant == lacking else r for r in results
    ]
    table = summarize(ABLATION, results)
    without, other = row_of(table, lacking), row_of(table, VARIANTS[1])
    assert np.isnan([without[name], *without[f"{name}_seeds"], without[f"{name}_diff"]]).all()
    assert other[name] > 0.3
    assert np.isnan(other[f"{name}_diff"]) == (lacking == CONTROL)


def test_settings_that_no_variant_with_results_names_have_a_column():
    beside = {"system": "three-class"}
    ablation = Ablation("x", "Which?", ABLATION.varied, CONTROL, extra_variants=[beside])
    table = summarize(ablation, [made_up(beside, 0, [0.5])])
    assert table["system"].tolist() == ["three-class"]
    assert table[["network.name", "loss.inter_weight"]].isna().all(axis=None)
