from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.ablation.statistics import holm, interval, intervals
from study.ablation.verdicts import CANNOT_TELL, NOT_REPRODUCED, NOT_TESTED, REPRODUCED, verdicts
from study.ablation.verdicts.judging import combined
from study.ablation.verdicts.steps import steps_of
from study.runs.job import Result

DIMS, WEIGHT = "network.embedding_dim", "loss.inter_weight"
ABOVE = Claim("1", "p", "t", "8 beat 4", "dims", "difference", f"{DIMS}=8 - {DIMS}=4", ">", ("sbd",))
BELOW = replace(ABOVE, key="2", contrast=f"{DIMS}=4 - {DIMS}=8", direction="<")
CHAIN = replace(ABOVE, key="3", contrast=f"{DIMS}=16 - {DIMS}=8 - {DIMS}=4")
BEST = replace(ABOVE, key="4", kind="best", contrast=f"{DIMS}=16")
EQUAL = replace(ABOVE, key="5", direction="about", margin=0.05)
LEVEL = replace(ABOVE, key="6", kind="level", contrast=f"{DIMS}=8", direction="about", margin=0.05, reference=0.5)
SLOPE = replace(ABOVE, key="7", kind="slope", contrast=f"{DIMS} from 4")

# three seeds (rows) by four images around the mean that is added: the spread is small
SPREAD = np.array([[0.001, -0.002, 0.002, -0.001], [-0.002, 0.001, -0.001, 0.002], [0.002, 0.0, -0.001, -0.001]])
IMAGES = pd.DataFrame({"image": list("abcd")})


def ablation(*claims):
    return Ablation("dims", "?", {DIMS: [4, 8, 16]}, {DIMS: 8}, claims=claims)


def results(means, seeds=3, score="sbd", noise=1.0):
    """Scores of variants around their means; `noise` multiplies the spread, whose sign turns with the variant."""
    return [
        Result(
            {DIMS: dims},
            seed,
            pd.DataFrame({"image": list("abcd"), score: mean + noise * (-1) ** place * SPREAD[(seed + place) % 3]}),
            [],
        )
        for place, (dims, mean) in enumerate(means.items())
        for seed in range(seeds)
    ]


def word(claim, means, **more):
    (verdict,) = verdicts(ablation(claim), results(means, **more), "toys, profile smoke")
    assert verdict.where == "toys, profile smoke"
    return verdict.word


RISING, FALLING, LEVEL_ALL = {4: 0.3, 8: 0.5, 16: 0.7}, {4: 0.7, 8: 0.5, 16: 0.3}, {4: 0.5, 8: 0.5, 16: 0.5}


@pytest.mark.parametrize("claim", [ABOVE, BELOW, CHAIN, BEST, SLOPE], ids=lambda claim: claim.kind)
def test_a_sign_is_reproduced_or_not_or_cannot_be_told(claim):
    assert word(claim, RISING) == REPRODUCED
    assert word(claim, FALLING) == NOT_REPRODUCED
    assert word(claim, LEVEL_ALL) == CANNOT_TELL
    assert word(claim, RISING, noise=300) == CANNOT_TELL


@pytest.mark.parametrize("claim", [ABOVE, BELOW, CHAIN, BEST, SLOPE, EQUAL, LEVEL], ids=lambda claim: claim.kind)
@pytest.mark.parametrize("means", [RISING, FALLING, LEVEL_ALL])
def test_one_seed_can_tell_nothing(claim, means):
    (verdict,) = verdicts(ablation(claim), results(means, seeds=1), "")
    assert verdict.word == CANNOT_TELL
    assert verdict.reason.startswith("one seed: the interval is over images only")


def test_one_step_against_it_is_enough():
    assert word(CHAIN, {4: 0.3, 8: 0.7, 16: 0.5}) == NOT_REPRODUCED
    assert word(CHAIN, {4: 0.5, 8: 0.5, 16: 0.7}) == CANNOT_TELL  # one step holds
    assert word(BEST, {4: 0.5, 8: 0.7, 16: 0.6}) == NOT_REPRODUCED


def test_about_needs_the_whole_interval_within_the_margin():
    assert word(EQUAL, LEVEL_ALL) == REPRODUCED
    assert word(EQUAL, RISING) == NOT_REPRODUCED
    assert word(EQUAL, FALLING) == NOT_REPRODUCED
    assert word(EQUAL, LEVEL_ALL, noise=30) == CANNOT_TELL  # no difference is seen, but a large one may be there


def test_a_level_is_about_its_reference():
    assert word(LEVEL, LEVEL_ALL) == REPRODUCED
    assert word(LEVEL, {4: 0.5, 8: 0.8, 16: 0.5}) == NOT_REPRODUCED
    assert word(LEVEL, {4: 0.5, 8: 0.55, 16: 0.5}) == CANNOT_TELL  # the margin lies in its interval


def test_an_interaction():
    both = Ablation("both", "?", {DIMS: [16, 4], WEIGHT: [1.0, 10.0]}, {DIMS: 16, WEIGHT: 1.0})
    contrast = f"{DIMS}=4 - {DIMS}=16 at {WEIGHT}=10 more than at {WEIGHT}=1"
    claim = replace(ABOVE, kind="interaction", contrast=contrast, direction="<")
    both = replace(both, claims=(claim,))

    def found(lost_at_1, lost_at_10):
        lost = {(16, 1.0): 0, (4, 1.0): lost_at_1, (16, 10.0): 0, (4, 10.0): lost_at_10}
        of_variants = [
            Result(
                {DIMS: d, WEIGHT: w}, seed, pd.DataFrame({"image": list("abcd"), "sbd": 0.9 - less + SPREAD[seed]}), []
            )
            for (d, w), less in lost.items()
            for seed in range(3)
        ]
        (verdict,) = verdicts(both, of_variants, "")
        return verdict.word, [round(step.interval.mean, 6) for step in verdict.found]

    assert found(0.1, 0.3) == (REPRODUCED, [-0.3, -0.2])
    assert found(0.3, 0.1) == (NOT_REPRODUCED, [-0.1, 0.2])
    assert found(0.2, 0.2) == (CANNOT_TELL, [-0.2, 0.0])


def test_numbers_are_those_of_the_statistics_and_p_is_adjusted_over_all_claims():
    means = {4: 0.5, 8: 0.503, 16: 0.501}
    of_all = results(means)
    judged = verdicts(ablation(ABOVE, BELOW, BEST, EQUAL), of_all, "")
    claim = replace(BEST, contrast=f"{DIMS}=8")
    first, _ = steps_of(claim, ablation(claim))
    others = steps_of(BEST, ablation(BEST))
    values = [combined(of_all, step, "sbd") for step in (first, *others)]
    wanted = intervals(values)  # 8 - 4 once, though three claims are about it, and 16 - 4, 16 - 8
    p = holm([mean.p for mean in wanted])
    above, below, best, equal = judged
    assert above.found[0].interval == below_reversed(below.found[0].interval) == equal.found[0].interval == wanted[0]
    assert [step.interval for step in best.found] == wanted[1:]
    assert [above.found[0].p, below.found[0].p] == pytest.approx([p[0]] * 2)
    assert [step.p for step in best.found] == pytest.approx(p[1:])
    assert np.isnan(equal.found[0].p)
    assert (above.found[0].seeds, above.found[0].images) == (3, 4)


def below_reversed(mean):
    return replace(mean, mean=-mean.mean, low=-mean.high, high=-mean.low)


def test_only_paired_seeds_count():
    some = [result for result in results(RISING) if not (result.variant[DIMS] == 4 and result.seed == 1)]
    (verdict,) = verdicts(ablation(ABOVE), some, "")
    assert verdict.found[0].seeds == 2
    assert verdict.found[0].interval.mean == pytest.approx(interval(combined(some, verdict.found[0].step, "sbd")).mean)


def test_what_has_no_runs_is_not_tested_and_a_missing_step_leaves_it_open():
    some = [result for result in results(RISING) if result.variant[DIMS] != 4]
    above, chain = verdicts(ablation(ABOVE, CHAIN), some, "")
    assert (above.word, above.found) == (NOT_TESTED, ())
    assert above.reason == "no seed has finished runs of all its variants: 8 dimensions − 4 dimensions"
    assert (chain.word, chain.reason) == (
        CANNOT_TELL,
        "no seed has finished runs of all variants: 8 dimensions − 4 dimensions",
    )
    some = [result for result in results(FALLING) if result.variant[DIMS] != 4]
    assert verdicts(ablation(CHAIN), some, "")[0].word == NOT_REPRODUCED  # by the other step


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (replace(ABOVE, scores=("map",)), "the runs log no map"),
        (replace(ABOVE, scores=("map",), note="nobody counts them"), "nobody counts them"),
        (replace(ABOVE, contrast="", note="it cannot be computed"), "it cannot be computed"),
        (replace(ABOVE, contrast=f"{DIMS}=8 - {DIMS}=5"), "claim 1: no two variants differ as"),
    ],
)
def test_what_cannot_be_computed_is_not_tested_with_the_reason(claim, reason):
    (verdict,) = verdicts(ablation(claim), results(RISING), "")
    assert (verdict.word, verdict.found) == (NOT_TESTED, ())
    assert verdict.reason.startswith(reason)


def test_without_runs_nothing_is_tested():
    judged = verdicts(ablation(ABOVE, CHAIN), [], "")
    assert [(verdict.word, verdict.reason) for verdict in judged] == [(NOT_TESTED, "no finished run")] * 2


def test_each_score_has_a_verdict_of_its_own():
    claim = replace(ABOVE, scores=("sbd", "sbd_paper_thresholds"))
    of_all = results(RISING)
    assert [verdict.score for verdict in verdicts(ablation(claim), of_all, "")] == ["sbd"]
    for result, paper in zip(of_all, results(FALLING, score="sbd_paper_thresholds"), strict=True):
        result.table["sbd_paper_thresholds"] = paper.table["sbd_paper_thresholds"]
    judged = [(verdict.score, verdict.word) for verdict in verdicts(ablation(claim), of_all, "")]
    assert judged == [("sbd", REPRODUCED), ("sbd_paper_thresholds", NOT_REPRODUCED)]


def test_a_measure_of_trainings_is_judged_over_seeds():
    claim = replace(LEVEL, scores=("inter_over_intra",), margin=5.0, reference=10.0)

    def judged(*ratios):
        trainings = [
            Result({DIMS: 8}, seed, pd.DataFrame({"image": ["training"], "inter_over_intra": [ratio]}), [])
            for seed, ratio in enumerate(ratios)
        ]
        (verdict,) = verdicts(ablation(claim), results(RISING), "", trainings)
        return verdict.word

    assert judged(9.8, 10.1, 10.3) == REPRODUCED
    assert judged(2.1, 2.0, 2.2) == NOT_REPRODUCED
    assert judged(10.0) == CANNOT_TELL
    assert judged(2.0, 10.0, 20.0) == CANNOT_TELL
