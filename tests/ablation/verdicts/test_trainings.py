import pytest

from study.ablation.claim import Claim
from study.ablation.design import Ablation
from study.ablation.verdicts import needs_trainings, training_results
from study.tracking import Point, connect, start_run, stored_run

WEIGHT = "loss.inter_weight"
RATIO = Claim("1", "p", "t", "s", "w", "level", f"{WEIGHT}=1", "about", ("inter_over_intra",), 5.0, 10.0)
ABLATION = Ablation("w", "?", {WEIGHT: [1.0, 10.0]}, {WEIGHT: 1.0}, claims=(RATIO,))


def trained(curves):
    run = start_run(connect(), "a run", "", {})
    for step, values in enumerate(curves, start=1):
        run.log_metrics(Point(step, values))
    return stored_run(run.run_id)


def test_curves_are_only_needed_for_claims_about_trainings():
    assert needs_trainings([RATIO])
    assert not needs_trainings([Claim("1", "p", "t", "s", scores=("sbd",))])


@pytest.mark.usefixtures("store")
def test_the_ratio_is_the_median_over_steps_that_have_both_terms():
    curves = [
        {"train/loss_inter": 8.0, "train/loss_intra": 1.0},
        {"train/loss_inter": 9.0},
        {"train/loss_inter": 6.0, "train/loss_intra": 0.5},
        {"train/loss_inter": 5.0, "train/loss_intra": 0.0},
        {"train/loss_inter": 2.0, "train/loss_intra": 1.0},
    ]
    runs = {
        ("inter_weight 1", 3): trained(curves),
        ("inter_weight 1", 4): trained([{"train/loss_inter": 8.0}]),
        ("inter_weight 10", 3): trained(curves),  # no claim is about it
        ("inter_weight 7", 3): trained(curves),  # no variant of this version
    }
    (result,) = training_results(ABLATION, runs)
    assert (result.variant, result.seed) == ({WEIGHT: 1.0}, 3)
    assert result.table["inter_over_intra"].tolist() == [8.0]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("curve", "gain"),
    [
        ([(0, 0.1), (5, 0.7), (9, 0.6)], 0.5),
        ([(5, 0.7), (9, 0.6)], None),  # the run of a resumed training does not have the untrained network
        ([(0, 0.1)], None),
    ],
)
def test_the_gain_is_over_the_untrained_network(curve, gain):
    claim = Claim("1", "p", "t", "s", "w", "level", f"{WEIGHT}=1", ">", ("sbd_gain",))
    run = start_run(connect(), "a run", "", {})
    for step, value in curve:
        run.log_metrics(Point(step, {"val/sbd": value}))
    ablation = Ablation("w", "?", {WEIGHT: [1.0, 10.0]}, {WEIGHT: 1.0}, claims=(claim,))
    results = training_results(ablation, {("inter_weight 1", 0): stored_run(run.run_id)})
    assert [result.table["sbd_gain"].tolist() for result in results] == ([[pytest.approx(gain)]] if gain else [])
