import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from study.metrics import THRESHOLDS, Contingency, average_precision


def ap_by_loops(true, pred, threshold):
    """Pairs of masks, matched by an assignment that maximises the number of pairs that pass."""
    true_masks = [true == i for i in set(true.flat) - {0}]
    pred_masks = [pred == j for j in set(pred.flat) - {0}]
    iou = np.array([[(a & b).sum() / (a | b).sum() for b in pred_masks] for a in true_masks])
    passes = iou >= threshold
    found = passes[linear_sum_assignment(passes, maximize=True)].sum()
    return found / (len(true_masks) + len(pred_masks) - found)


def test_against_loops(label_pair):
    thresholds = (0.1, 0.25, 1 / 3, *THRESHOLDS, 0.95, 1)
    expected = [ap_by_loops(*label_pair, t) for t in thresholds]
    assert average_precision(*label_pair, thresholds).tolist() == pytest.approx(expected)


def test_counts_found_missed_and_wrong_objects():
    true = np.array([[1, 1, 1, 1, 0, 2, 2, 0]])
    pred = np.array([[0, 3, 3, 3, 0, 0, 4, 5]])  # IoU 3/4 and 1/2; 5 is wrong
    assert average_precision(true, pred, [0.5, 0.6, 0.75, 0.8]).tolist() == [2 / 3, 1 / 4, 1 / 4, 0]


def test_an_equal_overlap_passes():
    true, pred = np.array([1, 1, 1, 1, 1]), np.array([1, 1, 1, 0, 0])  # IoU 3/5
    assert average_precision(true, pred, [0.6]).tolist() == [1]
    assert average_precision(true, pred).mean() == pytest.approx(3 / 9)


@pytest.mark.parametrize("steps", [np.arange(0.5, 1, 0.05), 1 - np.arange(0.05, 0.55, 0.05)])
@pytest.mark.parametrize("percent", range(50, 100, 5))
def test_equality_survives_float_steps(percent, steps):
    true = np.repeat([1], 100)
    pred = (np.arange(100) < percent).astype(int)
    assert (average_precision(true, pred, steps) == 1).sum() == 1 + (percent - 50) // 5


def test_halves_of_an_object_are_found_once():
    whole, halves = np.array([1, 1, 2, 2]), np.array([1, 2, 3, 3])  # IoU 1/2, 1/2 and 1
    assert average_precision(whole, halves, [0.5]).tolist() == [2 / 3]
    assert average_precision(halves, whole, [0.5]).tolist() == [2 / 3]


def test_low_thresholds_match_as_many_as_possible():
    true, pred = np.array([1, 1, 1, 2, 2]), np.array([0, 5, 6, 6, 0])  # object 1 passes with 5 and 6, object 2 with 6
    assert average_precision(true, pred, [0.25]).tolist() == [1]


def test_empty_images(empty, one):
    assert average_precision(empty, empty).tolist() == [1] * 9
    assert average_precision(one, empty).tolist() == [0] * 9
    assert average_precision(empty, one).tolist() == [0] * 9
    assert average_precision(empty, one, [0.5]).tolist() == [0]
    assert average_precision(one, one).tolist() == [1] * 9


def test_default_thresholds():
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)


def test_takes_a_table(label_pair):
    table = Contingency.of(*label_pair)
    assert average_precision(table, thresholds=[0.5]).tolist() == average_precision(*label_pair, [0.5]).tolist()


@pytest.mark.parametrize("thresholds", [[0], [0.5, 1.1], [-0.5], [np.nan], 0.5])
def test_refuses_thresholds(one, thresholds):
    with pytest.raises(ValueError, match="IoU thresholds must be"):
        average_precision(one, one, thresholds)
