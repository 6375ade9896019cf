import numpy as np
import pytest

from study.metrics import best_dice, foreground_dice, scores


def symmetric_best_dice(true, pred):
    return scores(true, pred)["sbd"]


def symmetric_best_dice_legacy(true, pred):
    return scores(true, pred)["sbd_legacy"]


def count_difference(true, pred):
    return scores(true, pred)["dic"]


DICES = [best_dice, symmetric_best_dice, symmetric_best_dice_legacy, foreground_dice]


def best_dice_by_loops(a, b):
    best = []
    for i in set(a.flat) - {0}:
        dice = [2 * ((a == i) & (b == j)).sum() / ((a == i).sum() + (b == j).sum()) for j in set(b.flat) - {0}]
        best.append(max(dice))
    return np.mean(best)


def test_best_dice_against_loops(label_pair):
    true, pred = label_pair
    forth, back = best_dice_by_loops(true, pred), best_dice_by_loops(pred, true)
    assert best_dice(true, pred) == pytest.approx(forth)
    assert best_dice(pred, true) == pytest.approx(back)
    assert symmetric_best_dice(true, pred) == pytest.approx(min(forth, back))
    assert symmetric_best_dice_legacy(true, pred) == pytest.approx(max(forth, back))


def test_a_missed_object_separates_the_two_directions():
    true = np.array([[1, 1, 0, 2], [1, 1, 0, 2]])
    pred = np.array([[5, 5, 0, 0], [5, 5, 0, 0]])
    assert best_dice(true, pred) == 0.5
    assert best_dice(pred, true) == 1
    assert symmetric_best_dice(true, pred) == 0.5
    assert symmetric_best_dice_legacy(true, pred) == 1
    assert foreground_dice(true, pred) == 8 / 10
    assert count_difference(true, pred) == -1


def test_splitting_an_object_leaves_the_foreground():
    true, pred = np.array([3, 3, 3, 3]), np.array([1, 1, 2, 2])
    assert foreground_dice(true, pred) == 1
    assert symmetric_best_dice(true, pred) == pytest.approx(2 / 3)
    assert count_difference(true, pred) == 1


@pytest.mark.parametrize("metric", DICES)
def test_empty_images(metric, empty, one):
    assert metric(empty, empty) == 1
    assert metric(one, empty) == 0
    assert metric(empty, one) == 0
    assert metric(one, one) == 1


def test_count_takes_distinct_ids(empty):
    gaps, components = np.array([[9, 0, 200], [9, 0, 200]]), np.array([[1, 0, 1], [1, 0, 1]])
    assert count_difference(gaps, components) == -1
    assert count_difference(empty, gaps) == 2
    assert count_difference(gaps, empty) == -2


def test_the_lowest_label_is_no_background():
    labels = np.array([4, 4, 7])
    assert best_dice(labels, labels) == 1
    assert best_dice(labels, np.array([0, 0, 7])) == 0.5


@pytest.mark.parametrize("metric", [*DICES, count_difference])
def test_flips_and_names_of_labels_do_not_matter(metric, label_pair):
    true, pred = label_pair
    names = np.append(0, 1 + np.random.default_rng(0).permutation(40))
    expected = metric(true, pred)
    assert metric(true[::-1], pred[::-1]) == pytest.approx(expected)
    assert metric(true.T, pred.T) == pytest.approx(expected)
    assert metric(names[true], pred) == pytest.approx(expected)
    assert metric(true, names[pred]) == pytest.approx(expected)
