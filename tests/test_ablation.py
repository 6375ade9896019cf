from dataclasses import replace

import pytest

from study.ablation import Ablation, parse_seeds, plan, variant_name
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
    runs = plan(ABLATION, lambda _: base, [4, 2])
    assert [run.settings.seed for run in runs] == [4] * 4 + [2] * 4
    assert [run.variant for run in runs] == VARIANTS * 2
    for run in runs:
        flat = run.settings.flat()
        assert {name: flat[name] for name in run.variant} == run.variant
        assert flat["network.embedding_dim"] == 3
    assert runs[0].settings.network.concat_layer == "none"
    assert len({run.settings.digest() for run in runs}) == 8
    assert runs[0].name == "unet, inter_weight 1, seed 4"


def test_what_follows_from_a_value_comes_along_beneath_the_variant():
    follows = {
        ("network.name", "unet"): {
            "training.batch_size": 2,
            "loss.inter_weight": 7.0,
            "network.concat_layer": "coordinate",
        },
        ("loss.inter_weight", "only"): {"training.batch_size": 3},
    }
    runs = plan(replace(ABLATION, follows=follows), lambda _: Settings().with_({"training.batch_size": 5}), [0])
    assert [run.variant for run in runs] == VARIANTS  # without what follows
    assert [run.name for run in runs] == [run.name for run in plan(ABLATION, lambda _: Settings(), [0])]
    assert [run.settings.training.batch_size for run in runs] == [2, 3, 5, 3]  # the later setting wins
    assert [run.settings.loss.inter_weight for run in runs] == [1.0, "only", 1.0, "only"]  # the variant wins
    assert [run.settings.network.concat_layer for run in runs] == ["coordinate", "coordinate", "dfeat.32", "dfeat.32"]


def test_what_follows_is_checked():
    wrong = replace(ABLATION, follows={("network.name", "wnet"): {"training.batch": 2}})
    with pytest.raises(StudyError, match=r"unknown setting 'training\.batch'"):
        plan(wrong, lambda _: Settings(), [0])


def test_a_plan_refuses_what_no_run_could_take():
    wrong = Ablation("x", "?", {"network.depth": [4, 99]}, {"network.depth": 4}, "network.depth")
    with pytest.raises(StudyError, match=r"network\.depth must be at least 1 and at most 7"):
        plan(wrong, lambda _: Settings(), [0])
    with pytest.raises(StudyError, match="seed must be at least 0"):
        plan(ABLATION, lambda _: Settings(), [-1])


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
