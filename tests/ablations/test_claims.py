"""The table of claims fits the questions."""

import re

import pytest

from ablations import all_claims, find_ablations
from study.ablation.verdicts import MEASURES
from study.ablation.verdicts.judging import DIRECTIONS
from study.ablation.verdicts.steps import KINDS, steps_of
from study.metrics import score_of
from study.metrics.registry import LEGACY

ABLATIONS = find_ablations()
TESTED = [claim for claim in all_claims() if claim.contrast]


def test_all_claims_of_the_papers_are_there():
    numbers = {int(re.match(r"\d+", claim.key).group()) for claim in all_claims()}
    assert numbers >= set(range(1, 31))
    assert {claim.paper for claim in all_claims()} == {"Wu et al. 2020", "Chen et al. 2019", "Huang et al. 2022"}


def test_each_claim_names_a_question_that_is_there():
    named = {claim.question for claim in all_claims() if claim.question}
    assert named <= ABLATIONS.keys()


@pytest.mark.parametrize("claim", TESTED, ids=lambda claim: claim.key)
def test_a_claim_fits_its_question(claim):
    assert claim.kind in KINDS
    assert claim.direction in DIRECTIONS
    assert claim.scores
    for score in claim.scores:
        assert score in MEASURES or score_of(score).group != LEGACY  # printed legacy values are never compared with
    steps = steps_of(claim, ABLATIONS[claim.question])
    assert len({step.label for step in steps}) == len(steps)


def test_questions_have_their_claims():
    keys = {name: [claim.key for claim in ablation.claims] for name, ablation in ABLATIONS.items()}
    assert keys["concat_layer"] == ["1", "2", "3", "4", "5", "6"]
    assert keys["subsets"] == []
    found = [key for of_question in keys.values() for key in of_question]
    assert sorted(found) == sorted(claim.key for claim in all_claims() if claim.question)


@pytest.mark.parametrize(
    ("key", "count"),
    [
        ("5", 2),
        ("10", 8),
        ("11", 2),
        ("12a", 5),
        ("14", 2),
        ("15", 2),
        ("17", 6),
        ("18", 4),
        ("19", 1),
        ("21", 2),
        ("22", 2),
        ("26", 4),
    ],
)
def test_how_many_comparisons_a_claim_makes(key, count):
    (claim,) = [claim for claim in all_claims() if claim.key == key]
    assert len(steps_of(claim, ABLATIONS[claim.question])) == count
