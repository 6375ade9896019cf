import pytest

from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.ablation.verdicts.steps import steps_of
from study.errors import StudyError

NET, DIMS, WEIGHT = "network.name", "network.embedding_dim", "loss.inter_weight"
TWO = Ablation("two", "?", {NET: ["unet", "wnet"], DIMS: [4, 8, 16]}, {NET: "wnet", DIMS: 8})
SYSTEMS = Ablation(
    "systems",
    "?",
    {"system": ["pea", "affinity-learning"]},
    {"system": "pea"},
    extra_variants=[
        *({"system": "ml-de", "clustering.method": method} for method in ("mutex-watershed", "mean-shift")),
        {"system": "pea", "clustering.method": "components-watershed"},
    ],
)


def terms(kind, contrast, ablation=TWO, reference=0.0):
    """Steps as lists of weights and the values of variants."""
    claim = Claim("1", "p", "t", "s", ablation.name, kind, contrast, ">", ("sbd",), reference=reference)
    return [[(weight, *variant.values()) for weight, variant in step.terms] for step in steps_of(claim, ablation)]


def test_a_difference_is_taken_at_each_value_of_what_is_not_named():
    assert terms("difference", f"{NET}=wnet - {NET}=unet") == [
        [(1, "wnet", dims), (-1, "unet", dims)] for dims in (4, 8, 16)
    ]
    one = f"{NET}=wnet and {DIMS}=8 - {NET}=unet and {DIMS}=4"
    assert terms("difference", one) == [[(1, "wnet", 8), (-1, "unet", 4)]]


def test_a_chain_and_alternatives():
    chain = f"{NET}=unet and {DIMS}=16 - {NET}=unet and {DIMS}=8 - {NET}=unet and {DIMS}=4"
    assert terms("difference", chain) == [
        [(1, "unet", 16), (-1, "unet", 8)],
        [(1, "unet", 8), (-1, "unet", 4)],
    ]
    mlde = "system=ml-de and clustering.method="
    either = f"system=pea - {mlde}mutex-watershed or {mlde}mean-shift - system=affinity-learning"
    assert terms("difference", either, SYSTEMS) == [
        [(1, "pea"), (-1, "ml-de", "mutex-watershed")],
        [(1, "pea"), (-1, "ml-de", "mean-shift")],
        [(1, "ml-de", "mutex-watershed"), (-1, "affinity-learning")],
        [(1, "ml-de", "mean-shift"), (-1, "affinity-learning")],
    ]


def test_a_variant_that_has_just_the_named_settings_is_meant_alone():
    assert terms("difference", "system=pea - system=affinity-learning", SYSTEMS) == [
        [(1, "pea"), (-1, "affinity-learning")]
    ]


def test_the_best_is_compared_with_each_other():
    assert terms("best", f"{DIMS}=8") == [
        [(1, network, 8), (-1, network, dims)] for network in ("unet", "wnet") for dims in (4, 16)
    ]


def test_a_slope_is_that_of_a_line_over_logarithms_of_numbers():
    weights = Ablation("w", "?", {WEIGHT: [0.5, 1.0, 10.0, 100.0, "only"]}, {WEIGHT: 1.0})
    assert terms("slope", f"{WEIGHT} from 1", weights) == [[(-0.5, 1.0), (0.0, 10.0), (0.5, 100.0)]]


def test_an_interaction_is_the_difference_there_and_how_much_more_it_is():
    distances = Ablation("d", "?", {DIMS: [16, 4], NET: ["unet", "wnet"]}, {DIMS: 16, NET: "wnet"})
    contrast = f"{DIMS}=4 - {DIMS}=16 at {NET}=unet more than at {NET}=wnet"
    there = [(1, 4, "unet"), (-1, 16, "unet")]
    assert terms("interaction", contrast, distances) == [there, [*there, (-1, 4, "wnet"), (1, 16, "wnet")]]


def test_a_level_is_compared_with_its_reference():
    claim = Claim("1", "p", "t", "s", "two", "level", f"{DIMS}=8", "about", ("sbd",), 0.1, 0.5)
    steps = steps_of(claim, TWO)
    assert [(step.reference, step.variants) for step in steps] == [
        (0.5, [{NET: network, DIMS: 8}]) for network in ("unet", "wnet")
    ]


def test_a_difference_and_its_reverse_are_one_comparison():
    first, second = (
        steps_of(Claim("1", "p", "t", "s", "two", "difference", contrast, ">", ("sbd",)), TWO)[0].same_as
        for contrast in (f"{NET}=wnet - {NET}=unet", f"{NET}=unet - {NET}=wnet")
    )
    assert first[0] == second[0]
    assert first[1] == -second[1]


@pytest.mark.parametrize(
    ("kind", "contrast", "words"),
    [
        ("difference", f"{DIMS}=8 - {DIMS}=9", "no two variants differ as"),
        ("difference", f"{DIMS}=8 - {DIMS}=4 - {DIMS}=2", "no two variants differ as"),
        ("best", f"{DIMS}=9", "does not have the variants of"),
        ("level", "8", "variants are named like"),
        ("slope", WEIGHT, "a slope has a contrast such as"),
        ("slope", f"{WEIGHT} from 1", "does not have the variants of"),
        ("interaction", f"{DIMS}=4 - {DIMS}=8", "an interaction has a contrast such as"),
        ("order", f"{DIMS}=8", "'order'"),
    ],
)
def test_contrasts_that_cannot_be_taken(kind, contrast, words):
    with pytest.raises(StudyError, match=words):
        terms(kind, contrast)
