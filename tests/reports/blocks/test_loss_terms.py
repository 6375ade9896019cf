import numpy as np
import pandas as pd
import pytest

from reports.blocks.loss_terms import ratio_curve


def curve(steps, values):
    return pd.DataFrame({"step": steps, "value": values})


def test_the_ratio_of_means_over_parts_of_the_training():
    steps = range(1, 41)  # two in each of 20 parts
    found = ratio_curve(curve(steps, [6.0, 2.0] * 20), curve(steps, [0.5, 1.5] * 20))
    assert found["step"].tolist() == [1.5 + 2 * k for k in range(20)]
    assert found[["inter", "intra", "ratio"]].drop_duplicates().to_numpy().tolist() == [[4.0, 1.0, 4.0]]


def test_a_short_training_has_a_point_for_each_logged_step():
    found = ratio_curve(curve([3, 6], [1.0, 2.0]), curve([6, 3], [4.0, 0.0]))
    assert found["step"].tolist() == [3, 6]
    assert found["ratio"].tolist() == pytest.approx([np.nan, 0.5], nan_ok=True)


def test_without_points_there_is_no_ratio():
    assert ratio_curve(curve([], []), curve([1], [2.0])).empty
