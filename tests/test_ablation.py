import numpy as np
import pandas as pd
import pytest

from study.ablation import SCORES, Ablation, Result, answer, bootstrap_interval, parse_seeds, plan, variant_name
from study.config import Settings
from study.errors import StudyError

ABLATION = Ablation(
    name="x",
    question="Which?",
    varied={"network.name": ["unet", "wnet"], "loss.inter_weight": [1.0, "only"]},
    control={"network.name": "wnet", "loss.inter_weight": 1.0},
    axis="loss.inter_weight",
)
VARIANTS = [
    {"network.name": "unet", "loss.inter_weight": 1.0},
    {"network.name": "unet", "loss.inter_weight": "only"},
    {"network.name": "wnet", "loss.inter_weight": 1.0},
    {"network.name": "wnet", "loss.inter_weight": "only"},
]


def test_variants_are_all_combinations():
    assert ABLATION.variants() == VARIANTS


def test_a_plan_goes_seed_by_seed():
    base = Settings().with_({"network.embedding_dim": 3, "seed": 9})
    runs = plan(ABLATION, base, [4, 2])
    assert [run.settings.seed for run in runs] == [4] * 4 + [2] * 4
    assert [run.variant for run in runs] == VARIANTS * 2
    for run in runs:
        flat = run.settings.flat()
        assert {name: flat[name] for name in run.variant} == run.variant
        assert flat["network.embedding_dim"] == 3
    assert runs[0].settings.network.concat_layer == "none"
    assert len({run.settings.digest() for run in runs}) == 8
    assert runs[0].name == "unet, inter_weight 1, seed 4"


def test_a_plan_refuses_what_no_run_could_take():
    wrong = Ablation("x", "?", {"network.depth": [4, 99]}, {"network.depth": 4}, "network.depth")
    with pytest.raises(StudyError, match=r"network\.depth must be at least 1 and at most 7"):
        plan(wrong, Settings(), [0])
    with pytest.raises(StudyError, match="seed must be at least 0"):
        plan(ABLATION, Settings(), [-1])


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ({"network.name": "unet", "loss.inter_weight": 0.5}, "unet, inter_weight 0.5"),
        ({"network.name": "wnet", "loss.inter_weight": "only"}, "wnet, inter_weight only"),
        ({"loss.inter_weight": 500.0, "network.embedding_dim": 16}, "inter_weight 500, embedding_dim 16"),
        ({"network.stop_gradient": True}, "stop_gradient True"),
    ],
)
def test_variant_name(variant, name):
    assert variant_name(variant) == name


def test_parse_seeds():
    assert parse_seeds("0") == [0]
    assert parse_seeds(" 2, 0,1") == [2, 0, 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "--seeds takes whole numbers joined by commas"),
        ("0,,1", "whole numbers"),
        ("0;1", "'0;1'"),
        ("1.5", "whole numbers"),
        ("3,1,3", "--seeds repeats a seed: 3,1,3"),
    ],
)
def test_wrong_seeds(text, words):
    with pytest.raises(StudyError) as error:
        parse_seeds(text)
    assert words in str(error.value)


def naive_interval(scores, rng, rounds):
    """Resample after resample, drawn in the order of `bootstrap_interval`."""
    seeds, images = scores.shape
    rows = rng.integers(0, seeds, (rounds, seeds, 1))
    columns = rng.integers(0, images, (rounds, 1, images))
    found = []
    for r in range(rounds):
        chosen = [scores[row, column] for row in rows[r, :, 0] for column in columns[r, 0]]
        found.append(sum(chosen) / len(chosen))
    found.sort()
    return [np.interp(share * (rounds - 1), range(rounds), found) for share in (0.025, 0.975)]


@pytest.mark.parametrize("shape", [(1, 5), (3, 4), (2, 1)])
def test_bootstrap_interval_equals_a_loop(shape):
    scores = np.random.default_rng(1).random(shape)
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


def result(variant, seed, sbd):
    table = pd.DataFrame({"image": [f"i{i}" for i in range(len(sbd))], **dict.fromkeys(SCORES, sbd)})
    table["fbd"] = 1.0
    return Result(variant, seed, table, [])


def test_answer():
    results = [
        result(VARIANTS[3], 0, [0.5, 0.7]),
        result(VARIANTS[0], 0, [0.1, 0.3]),
        result(VARIANTS[0], 1, [0.4, 0.8]),
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
    assert first["sbd_seeds"] == pytest.approx([0.2, 0.6])
    assert first["sbd_low"] < 0.4 < first["sbd_high"]
    assert (first["fbd"], first["fbd_low"], first["fbd_high"]) == (1, 1, 1)
    for score in SCORES:
        assert {score, f"{score}_low", f"{score}_high", f"{score}_seeds"} <= set(table.columns)
    # no other result shifts a variant's interval
    alone = answer(ABLATION, results[1:]).to_dict("records")[0]
    assert (alone["sbd_low"], alone["sbd_high"]) == (first["sbd_low"], first["sbd_high"])
    assert answer(ABLATION, []).empty
