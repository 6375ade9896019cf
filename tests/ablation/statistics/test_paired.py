import numpy as np
import pandas as pd
import pytest

from study.ablation.statistics import holm, of_variant
from study.ablation.statistics.paired import by_seed, differences
from study.runs.job import Result

NAN = float("nan")


def result(seed, images, **scores):
    return Result({"network.name": "unet"}, seed, pd.DataFrame({"image": list(images), **scores}), [])


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]).tolist() == pytest.approx([1, 1])  # at most 1, and never below that of a smaller p
    assert holm([0.2, NAN, 0.01]).tolist() == pytest.approx([0.2, NAN, 0.02], nan_ok=True)
    assert holm([]).size == 0
    assert np.isnan(holm([NAN, NAN])).all()


def test_differences_are_of_seeds_and_images_that_both_have():
    own = [result(0, "ab", sbd=[0.2, 0.8]), result(2, "ab", sbd=[0.4, 1.0]), result(7, "ab", sbd=[1.0, 1.0])]
    others = [result(2, "ba", sbd=[0.9, 0.3]), result(0, "ab", sbd=[0.1, 0.5]), result(1, "ab", sbd=[0, 0])]
    np.testing.assert_allclose(differences(own, others, "sbd"), [[0.1, 0.3], [0.1, 0.1]])
    (only,) = differences(own[:1], [result(0, "bc", sbd=[0.5, 0.5])], "sbd")
    np.testing.assert_allclose(only, [NAN, 0.3, NAN])
    assert differences(own, [], "sbd").shape[0] == 0


def test_a_score_that_a_result_lacks_is_nan():
    values = by_seed([result(0, "ab", sbd=[0.1, 0.2]), result(1, "ab", pq=[1.0, 1.0])], "sbd")
    np.testing.assert_array_equal(values, [[0.1, NAN], [0.2, NAN]])


def test_results_of_a_variant_are_ordered_by_seed():
    results = [result(3, "a"), result(1, "a"), Result({"network.name": "wnet"}, 2, pd.DataFrame(), [])]
    assert [found.seed for found in of_variant(results, {"network.name": "unet"})] == [1, 3]
