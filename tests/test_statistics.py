import numpy as np
import pandas as pd
import pytest

from study.ablation import Ablation, Result
from study.statistics import FURTHER_SCORES, SCORES, answer, bootstrap_interval, found

ABLATION = Ablation(
    name="x",
    question="Which?",
    varied={"network.name": ["unet", "wnet"], "loss.inter_weight": [1.0, "only"]},
    control={"network.name": "wnet", "loss.inter_weight": 1.0},
)
VARIANTS = ABLATION.variants()
CONTROL = VARIANTS[2]


def naive_interval(scores, rng, rounds):
    """Resample after resample, drawn as in `bootstrap_interval`; those without a score have no mean."""
    seeds, images = scores.shape
    rows = rng.integers(0, seeds, (rounds, seeds, 1))
    columns = rng.integers(0, images, (rounds, 1, images))
    found = []
    for r in range(rounds):
        chosen = [scores[row, column] for row in rows[r, :, 0] for column in columns[r, 0]]
        there = [score for score in chosen if score == score]
        found += [sum(there) / len(there)] if there else []
    found.sort()
    return [np.interp(share * (len(found) - 1), range(len(found)), found) for share in (0.025, 0.975)]


@pytest.mark.parametrize("shape", [(1, 5), (3, 4), (2, 1)])
@pytest.mark.parametrize("missing", [0, 0.5])
def test_bootstrap_interval_equals_a_loop(shape, missing):
    scores = np.random.default_rng(1).random(shape)
    scores[np.random.default_rng(0).random(shape) < missing] = np.nan
    found = bootstrap_interval(scores, np.random.default_rng(7), 200)
    np.testing.assert_allclose(found, naive_interval(scores, np.random.default_rng(7), 200))


def test_properties_of_the_interval():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 20))
    low, high = bootstrap_interval(scores, rng)
    assert scores.min() <= low < scores.mean() < high <= scores.max()
    assert bootstrap_interval(np.full((3, 5), 0.7), rng) == pytest.approx((0.7, 0.7), abs=1e-12)
    assert bootstrap_interval(np.array([[0.3]]), rng) == (0.3, 0.3)
    many = rng.random((1, 1000))  # the interval of a mean: 1.96 standard errors each side
    low, high = bootstrap_interval(many, rng)
    assert high - low == pytest.approx(2 * 1.96 * many.std() / 1000**0.5, rel=0.1)
    # seeds that agree add no certainty about images, which are drawn for all seeds together
    alike = np.repeat(scores[:1], 3, axis=0)
    single, triple = (bootstrap_interval(s, np.random.default_rng(0)) for s in (scores[:1], alike))
    assert triple[1] - triple[0] == pytest.approx(single[1] - single[0], rel=0.1)


def test_the_order_of_seeds_and_images_hardly_matters():
    rng = np.random.default_rng(0)
    scores = rng.random((3, 15))
    shuffled = scores[[2, 0, 1]][:, rng.permutation(15)]
    first, second = (bootstrap_interval(s, np.random.default_rng(0), 20000) for s in (scores, shuffled))
    assert first == pytest.approx(second, abs=0.01)


def test_scores_that_are_not_there_are_passed_over():
    rng = np.random.default_rng(0)
    scores = rng.random((2, 12))
    gaps = scores.copy()
    gaps[:, 7:] = np.nan  # images without such a score
    low, high = bootstrap_interval(gaps, rng)
    assert gaps[:, :7].min() <= low < gaps[:, :7].mean() < high <= gaps[:, :7].max()
    gaps[0, :3] = np.nan  # and a seed without
    assert np.isfinite(bootstrap_interval(gaps, rng)).all()
    assert bootstrap_interval(np.array([[0.4, np.nan, np.nan, np.nan]]), rng) == pytest.approx((0.4, 0.4))
    assert np.isnan(bootstrap_interval(np.full((2, 3), np.nan), rng)).all()


def result(variant, seed, sbd, **more):
    table = pd.DataFrame({"image": [f"i{i}" for i in range(len(sbd))], **dict.fromkeys(SCORES, sbd), **more})
    table["fbd"] = 1.0
    return Result(variant, seed, table, [])


def test_answer():
    results = [
        result(VARIANTS[3], 0, [0.5, 0.7]),
        result(VARIANTS[0], 1, [0.4, 0.8]),
        result(VARIANTS[0], 0, [0.1, 0.3]),
    ]
    table = answer(ABLATION, results)
    # a row for each variant that has results, in the order of the variants
    assert [{name: row[name] for name in ABLATION.varied} for row in table.to_dict("records")] == [
        VARIANTS[0],
        VARIANTS[3],
    ]
    first, last = table.to_dict("records")
    assert (first["seeds"], first["images"], last["seeds"]) == (2, 2, 1)
    assert first["sbd"] == pytest.approx(0.4)
    assert first["sbd_seeds"] == pytest.approx([0.2, 0.6])  # by ascending seed
    assert first["sbd_low"] < 0.4 < first["sbd_high"]
    assert (first["fbd"], first["fbd_low"], first["fbd_high"]) == (1, 1, 1)
    for score in SCORES:
        assert {score, f"{score}_low", f"{score}_high", f"{score}_seeds"} <= set(table.columns)
    # no other result shifts a variant's interval
    alone = answer(ABLATION, results[1:]).to_dict("records")[0]
    assert (alone["sbd_low"], alone["sbd_high"]) == (first["sbd_low"], first["sbd_high"])
    assert answer(ABLATION, []).empty


def row_of(table, variant):
    (row,) = [row for row in table.to_dict("records") if {name: row[name] for name in ABLATION.varied} == variant]
    return row


def test_differences_pair_seeds_and_images():
    results = [
        result(CONTROL, 2, [0.3, 0.9]),
        result(CONTROL, 0, [0.1, 0.5]),
        result(CONTROL, 1, [0.0, 0.0]),  # of a seed that the variant lacks
        result(VARIANTS[0], 0, [0.2, 0.8]),
        result(VARIANTS[0], 2, [0.4, 1.0]),
        result(VARIANTS[0], 7, [1.0, 1.0]),  # of a seed that the control lacks
    ]
    row = row_of(answer(ABLATION, results), VARIANTS[0])
    wanted = np.array([[0.1, 0.3], [0.1, 0.1]])
    assert (row["seeds"], row["paired_seeds"]) == (3, 2)
    assert row["sbd_diff"] == pytest.approx(wanted.mean())
    interval = bootstrap_interval(wanted, np.random.default_rng(0))
    assert (row["sbd_diff_low"], row["sbd_diff_high"]) == pytest.approx(interval)
    assert (row["fbd_diff"], row["fbd_diff_low"], row["fbd_diff_high"]) == (0, 0, 0)


def test_what_is_hard_for_both_cancels_out():
    hard = np.random.default_rng(0).random(30)
    row = row_of(
        answer(ABLATION, [result(CONTROL, 0, 0.5 * hard), result(VARIANTS[0], 0, 0.5 * hard + 0.01)]), VARIANTS[0]
    )
    assert (row["sbd_diff"], row["sbd_diff_low"], row["sbd_diff_high"]) == pytest.approx((0.01, 0.01, 0.01))
    assert row["sbd_high"] - row["sbd_low"] > 0.1


def test_images_are_paired_by_name():
    turned = result(VARIANTS[0], 0, [0.1, 0.2, 0.6])
    turned.table["image"] = ["i2", "i1", "i0"]
    row = row_of(answer(ABLATION, [result(CONTROL, 0, [0.5, 0.1, 0.0]), turned]), VARIANTS[0])
    assert (row["sbd_diff_low"], row["sbd_diff_high"]) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize("others", [[], [result(CONTROL, 5, [0.3])]])
def test_no_difference_without_paired_seeds(others):
    table = answer(ABLATION, [result(VARIANTS[0], 0, [0.2]), *others])
    for row in table.to_dict("records"):  # the control's own one too
        assert row["paired_seeds"] == 0
        assert np.isnan([row[f"{score}_diff{end}"] for score in SCORES for end in ("", "_low", "_high")]).all()


@pytest.mark.parametrize("name", FURTHER_SCORES)
def test_further_scores_of_images_that_have_them(name):
    results = [
        result(CONTROL, 0, [0.5, 0.5, 0.5], **{name: [80.0, np.nan, 90.0]}),
        result(VARIANTS[0], 0, [0.5, 0.5, 0.5], **{name: [81.0, np.nan, 91.0]}),
        result(VARIANTS[1], 0, [0.5, 0.5, 0.5], **{name: [np.nan] * 3}),
    ]
    table = answer(ABLATION, results)
    row = row_of(table, VARIANTS[0])
    assert (row[name], row[f"{name}_seeds"], row[f"{name}_low"], row[f"{name}_high"]) == (86, [86], 81, 91)
    assert [row[f"{name}_diff{end}"] for end in ("", "_low", "_high")] == [1, 1, 1]
    none = row_of(table, VARIANTS[1])
    assert np.isnan([none[name], *none[f"{name}_seeds"], none[f"{name}_low"], none[f"{name}_diff"]]).all()
    without = answer(ABLATION, [*results, result(VARIANTS[3], 0, [0.5, 0.5, 0.5])])
    assert not any(column.startswith(name) for column in without)


def test_settings_that_no_variant_with_results_names_have_a_column():
    beside = {"system": "three-class"}
    ablation = Ablation("x", "Which?", ABLATION.varied, CONTROL, beside=[beside])
    names = ["network.name", "loss.inter_weight"]
    table = answer(ablation, [result(beside, 0, [0.5])])
    assert table["system"].tolist() == ["three-class"]
    assert table[names].isna().all(axis=None)


SPREAD = np.linspace(-0.05, 0.05, 20)
BETTER, LEVEL, WORSE = (
    result(variant, 0, 0.5 + shift + SPREAD)
    for variant, shift in zip([VARIANTS[0], VARIANTS[1], VARIANTS[3]], [0.2, 0.0, -0.2], strict=True)
)
OWN = result(CONTROL, 0, 0.5 + SPREAD[::-1])


def words_of(*results):
    words, _, markdown = found(ABLATION, answer(ABLATION, results)).partition("| variant")
    return words, [line.split(" | ") for line in markdown.splitlines()]


def test_found_tells_what_was_asked_and_what_is_best():
    words, table = words_of(BETTER, LEVEL, OWN, WORSE)
    assert words.startswith("Asked: SBD by network and inter_weight; control: `wnet, inter_weight 1`. ")
    assert "best of 4 is **unet, inter_weight 1**; it differs from the control by +0.200 (+0.1" in words
    assert ", beyond the interval." in words
    assert "- better than the control beyond the interval: unet, inter_weight 1\n" in words
    assert "- worse than the control beyond the interval: wnet, inter_weight only\n" in words
    assert "- not told apart from it: unet, inter_weight only\n" in words
    assert [row[0] for row in table[2:]] == [
        f"| {name}"
        for name in (
            "unet, inter_weight 1",
            "unet, inter_weight only",
            "wnet, inter_weight 1",
            "wnet, inter_weight only",
        )
    ]
    assert {len(row) for row in (table[0], *table[2:])} == {5}
    assert table[2][2].startswith("+0.200 (+0.1")
    assert table[4][2] == ""  # the control


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([OWN, WORSE], "best of 2 is **wnet, inter_weight 1**, the control itself."),
        ([BETTER, WORSE], "best of 2 is **unet, inter_weight 1**; the control has no result to compare it with."),
        ([result(LEVEL.variant, 0, 0.501 + SPREAD), OWN], "by +0.001 (-0.0"),
        ([result(LEVEL.variant, 0, 0.501 + SPREAD), OWN], ", not beyond the interval."),
    ],
)
def test_found_tells_how_the_best_stands_to_the_control(results, expected):
    words, _ = words_of(*results)
    assert expected in words


def test_found_warns_of_a_single_seed():
    again = result(CONTROL, 1, 0.5 + SPREAD)
    assert "With one seed" in words_of(OWN, WORSE)[0]
    assert "With one seed" not in words_of(OWN, again, WORSE)[0]


def test_found_shows_angles_where_they_are():
    _, table = words_of(OWN, WORSE)
    assert not any("angle" in title for title in table[0])
    _, table = words_of(
        result(CONTROL, 0, [0.5], neighbour_angle=88.04), result(WORSE.variant, 0, [0.4], neighbour_angle=70.0)
    )
    assert [row[-1] for row in table if len(row) > 1] == ["angle between neighbours, ° |", "88.0 |", "70.0 |"]
