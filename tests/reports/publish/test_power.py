import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from reports.publish.power import power_frame
from study.ablation.statistics import pooled_components
from study.ablation.statistics.power import smallest_difference
from study.runs.job import Result

CONSTRAINTS = find_ablations()["constraints"]


def results(seeds, spread):
    """All variants are alike but for what their training, and each image in it, adds."""
    rng = np.random.default_rng(0)
    made = []
    for seed in range(seeds):
        for variant in CONSTRAINTS.variants():
            scores = 0.5 + spread * rng.normal() + 0.02 * rng.normal(size=6)
            made.append(Result(variant, seed, pd.DataFrame({"image": list("abcdef"), "sbd": scores}), []))
    return made


def test_what_is_told_follows_from_the_spread():
    found = results(3, 0.05)
    row = power_frame({"cells": {(1, "constraints"): found}}).iloc[0]
    assert (row["data"], row["question"], row["score"]) == ("cells", "constraints", "sbd")
    assert (row["seeds"], row["images"], row["comparisons"]) == (3, 6, 2)  # claims 7 and 8 compare once each
    components = pooled_components(CONSTRAINTS, found)
    assert row["alone"] == smallest_difference(components, 3, 6)
    assert row["alone"] < row["first"] == smallest_difference(components, 3, 6, 2)
    assert row["0.05"] <= row["0.02"]
    at_need = smallest_difference(components, int(row["0.02"]), 6, 2)
    assert at_need <= 0.02 < smallest_difference(components, int(row["0.02"]) - 1, 6, 2)


def test_trainings_that_spread_more_tell_less():
    quiet, loud = (power_frame({"cells": {(1, "constraints"): results(3, of)}}) for of in (0.01, 0.1))
    assert quiet["first"].item() < loud["first"].item()


@pytest.mark.parametrize("found", [{(1, "constraints"): results(1, 0.05)}, {(2, "constraints"): results(3, 0.05)}])
def test_one_seed_and_the_control_tell_nothing(found):
    assert power_frame({"cells": found}).empty
