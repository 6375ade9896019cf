import pytest

from reports.publish.together import counts, judged_claims, reasons, word_of
from study.ablation.claim import Claim
from study.ablation.verdicts import CANNOT_TELL, NOT_REPRODUCED, NOT_TESTED, REPRODUCED, Verdict, untested

FIRST, SECOND, THIRD = (Claim(key, "A paper", "Table 1", f"Claim {key}.", "q") for key in ("1", "2", "3"))


@pytest.mark.parametrize(
    ("words", "together"),
    [
        ([], NOT_TESTED),
        ([NOT_TESTED], NOT_TESTED),
        ([REPRODUCED, NOT_TESTED], REPRODUCED),
        ([REPRODUCED, REPRODUCED], REPRODUCED),
        ([REPRODUCED, CANNOT_TELL], CANNOT_TELL),
        ([CANNOT_TELL, NOT_REPRODUCED], NOT_REPRODUCED),
        ([REPRODUCED, NOT_REPRODUCED], NOT_REPRODUCED),
    ],
)
def test_words_of_several_data_sets(words, together):
    assert word_of(words) == word_of(reversed(words)) == together


@pytest.fixture
def judged():
    real = [Verdict(FIRST, "sbd", REPRODUCED), Verdict(FIRST, "sbd_paper_thresholds", NOT_REPRODUCED)]
    drawn = [Verdict(FIRST, "sbd", NOT_REPRODUCED), Verdict(SECOND, "sbd", REPRODUCED), untested(THIRD, "no score")]
    return judged_claims((FIRST, SECOND, THIRD), {"cells": real, "drawn": drawn}, ["cells"])


def test_the_first_score_on_real_images_counts(judged):
    assert [one.word for one in judged] == [REPRODUCED, NOT_TESTED, NOT_TESTED]
    assert counts(judged) == {REPRODUCED: 1, NOT_TESTED: 2}
    assert counts(judged, "drawn") == {NOT_REPRODUCED: 1, REPRODUCED: 1, NOT_TESTED: 1}
    assert counts(judged, "cells") == {REPRODUCED: 1, NOT_TESTED: 2}


def test_why_a_claim_is_not_tested(judged):
    assert [reasons(one, ["q"]) for one in judged] == [[], [], ["no score"]]
    (alone,) = judged_claims((FIRST,), {}, [])
    assert reasons(alone, ["q"]) == ["no launch of q yet"]
    (why,) = reasons(alone, ["another"])
    assert why.startswith("q is not asked: ")
