import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from reports.publish.control import changing_signs, control_frame, keeps_sign
from study.runs.job import Result

VARIANTS = find_ablations()["constraints"].variants()


def results(difference, seeds=(0,)):
    """Of all variants: in 8 dimensions local constraints are better by so much than global ones in both images."""
    made = []
    for seed in seeds:
        for variant in VARIANTS:
            local = variant["loss.constraints"] == "local"
            table = pd.DataFrame({"image": ["a", "b"], "sbd": np.array([0.4, 0.6]) + difference * local + seed * 0.1})
            made.append(Result(variant, seed, table, []))
    return made


def test_a_row_per_budget_of_the_first_seed():
    found = {(1, "constraints"): results(0.2, (0, 1)), (4, "constraints"): results(-0.1)}
    frame = control_frame({"cells": found})
    assert frame["times"].tolist() == [1, 4]
    assert frame["value"].tolist() == pytest.approx([0.2, -0.1])
    assert (set(frame["claim"]), set(frame["images"])) == ({"7"}, {2})
    assert changing_signs(frame) == {("cells", "7")}


def test_nothing_is_told_of_one_budget():
    frame = control_frame({"cells": {(1, "constraints"): results(0.2)}})
    assert frame.empty
    assert changing_signs(frame) == set()


def test_a_sign_that_stays():
    assert keeps_sign([0.1, 0.3])
    assert keeps_sign([-0.1, -0.3])
    assert not keeps_sign([0.1, -0.3])
