import dataclasses

import numpy as np
import pytest

from study.ablation.statistics import contrasts, holm, interval
from study.ablation.statistics.paired import differences
from tests.ablation.statistics.made import ABLATION, noisy

UNET, UNET_ONLY, WNET, WNET_ONLY = ABLATION.variants()


def results(*variants, **more):
    return [result for i, variant in enumerate(variants) for result in noisy(variant, 0.02 * i, **more)]


def test_the_controls_level_less_each_other_at_each_value_of_the_rest():
    found = results(UNET, UNET_ONLY, WNET, WNET_ONLY)
    table = contrasts(ABLATION, found)
    assert table[["factor", "level", "minus", "at"]].to_numpy().tolist() == [
        ["network.name", "wnet", "unet", "λ = 1"],
        ["network.name", "wnet", "unet", "λ = only"],
        ["loss.inter_weight", 1.0, "only", "U-Net"],
        ["loss.inter_weight", 1.0, "only", "W-Net"],
    ]
    assert set(table["score"]) == {"sbd"}
    of = {str(variant): [r for r in found if r.variant == variant] for variant in ABLATION.variants()}
    pairs = ((WNET, UNET), (WNET_ONLY, UNET_ONLY), (UNET, UNET_ONLY), (WNET, WNET_ONLY))
    for row, (first, second) in zip(table.to_dict("records"), pairs, strict=True):
        wanted = interval(differences(of[str(first)], of[str(second)], "sbd"))
        assert [row["diff"], row["low"], row["high"]] == [wanted.mean, wanted.low, wanted.high]
        assert (row["p"], row["over"], row["seeds"], row["images"]) == (wanted.p, "seeds and images", 3, 20)


def test_p_is_adjusted_within_each_factor_and_score():
    table = contrasts(ABLATION, results(UNET, UNET_ONLY, WNET, WNET_ONLY, paper=0.1))
    assert len(table) == 8
    for _, family in table.groupby(["factor", "score"]):
        assert len(family) == 2
        np.testing.assert_allclose(family["p_adjusted"], holm(family["p"].to_numpy()))


def test_networks_come_first_however_they_are_varied():
    varied = dict(reversed(ABLATION.varied.items()))
    turned = dataclasses.replace(ABLATION, varied=varied, control=dict(reversed(ABLATION.control.items())))
    table = contrasts(turned, results(*turned.variants()))
    assert table["factor"].tolist() == ["network.name"] * 2 + ["loss.inter_weight"] * 2


def test_what_has_no_result_has_no_row():
    table = contrasts(ABLATION, results(UNET_ONLY, WNET, WNET_ONLY))
    assert table["factor"].tolist() == ["network.name", "loss.inter_weight"]
    unpaired = [*noisy(UNET, 0, (0, 1)), *noisy(WNET, 0, (2,))]
    assert contrasts(ABLATION, unpaired).empty


def test_a_single_seed_has_no_p():
    table = contrasts(ABLATION, results(UNET, WNET, seeds=(0,)))
    assert table[["p", "p_adjusted"]].isna().all(axis=None)
    assert table["over"].tolist() == ["images only"]
    assert table["diff"].tolist() == pytest.approx([0.02], abs=0.02)


def test_a_question_over_one_setting_has_none():
    one = dataclasses.replace(ABLATION, varied={"network.name": ["unet", "wnet"]}, control={"network.name": "wnet"})
    table = contrasts(one, [*noisy(one.control, 0), *noisy({"network.name": "unet"}, 0)])
    assert table.empty
    assert "p_adjusted" in table
