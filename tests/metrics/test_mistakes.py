import numpy as np
import pytest

from study.metrics.mistakes import Mistakes, matched, mistakes


def test_merged_split_and_missed():
    true = np.array([[1, 1, 1, 0, 3, 3, 3, 3], [2, 2, 2, 0, 3, 3, 3, 3], [5, 5, 5, 0, 9, 9, 9, 9]])
    pred = np.array([[4, 4, 4, 0, 6, 6, 7, 7], [4, 4, 0, 0, 6, 6, 7, 7], [8, 0, 0, 0, 2, 2, 2, 0]])
    # 4 covers 1 and 2; 6 and 7 lie in 3, neither covering more than half of it; 8 covers a third of 5; 2 is 9
    assert mistakes(true, pred) == Mistakes(merged=((1, 2),), split=(3,), missed=(3, 5))


def test_just_half_covers_nothing():
    true, pred = np.array([[1, 1, 2, 2]]), np.array([[5, 0, 5, 0]])
    assert mistakes(true, pred) == Mistakes((), (), (1, 2))


def test_each_predicted_object_merges_a_group_of_its_own():
    true = np.array([[7, 3, 1, 2, 4]])
    assert mistakes(true, np.array([[1, 1, 2, 2, 3]])).merged == ((3, 7), (1, 2))


@pytest.mark.parametrize("labels", [np.array([[0, 1], [5, 5]]), np.zeros((2, 2), int)])
def test_the_truth_itself_has_no_mistakes(labels):
    assert mistakes(labels, 2 * labels) == Mistakes((), (), ())


def test_without_predictions_all_are_missed():
    assert mistakes(np.array([[0, 4, 2]]), np.zeros((1, 3), int)) == Mistakes((), (), (2, 4))


def test_matched_objects_overlap_enough():
    true = np.array([[1, 1, 1, 1, 1, 2, 2, 2, 2, 2]])
    pred = np.array([[7, 7, 7, 7, 0, 5, 5, 5, 3, 3]])  # IoU .8, .6 and .4
    assert matched(true, pred, 0.6).tolist() == [7]
    assert sorted(matched(true, pred, 0.59)) == [5, 7]
