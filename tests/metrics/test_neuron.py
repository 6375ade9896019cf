import numpy as np
import pytest
from skimage import metrics

from study.metrics import Contingency, adapted_rand_error, variation_of_information


def information_by_loops(true, pred):
    """H(pred | true) and H(true | pred) in bits over the pixels of true objects."""
    inside = true > 0
    a, b = true[inside], pred[inside]
    pairs = [((a == i) & (b == j), a == i, b == j) for i in set(a) for j in set(b)]
    pairs = [tuple(mask.mean() for mask in masks) for masks in pairs if masks[0].any()]
    return -sum(p * np.log2(p / x) for p, x, _ in pairs), -sum(p * np.log2(p / y) for p, _, y in pairs)


def rand_by_loops(true, pred):
    """1 - F-score over all pairs of different pixels."""
    a, b = true[true > 0], pred[true > 0]
    other = ~np.eye(a.size, dtype=bool)
    in_true, in_pred = (a[:, None] == a) & other, (b[:, None] == b) & other
    return 1 - 2 * (in_true & in_pred).sum() / (in_true.sum() + in_pred.sum())


def volumes(pair):
    return tuple(np.stack([labels, np.roll(labels, 1 + i, axis=0), labels[::-1]]) for i, labels in enumerate(pair))


@pytest.mark.parametrize("make", [lambda pair: pair, volumes], ids=["2-D", "3-D"])
def test_against_loops_and_scikit_image(label_pair, make):
    true, pred = make(label_pair)
    found = variation_of_information(true, pred)
    assert found == pytest.approx(information_by_loops(true, pred))
    assert found == pytest.approx(metrics.variation_of_information(true, pred, ignore_labels=[0]))
    error = adapted_rand_error(true, pred)
    assert error == pytest.approx(rand_by_loops(true, pred))
    assert error == pytest.approx(metrics.adapted_rand_error(true, pred, ignore_labels=[0])[0])
    table = Contingency.of(true, pred)
    assert variation_of_information(table) == found
    assert adapted_rand_error(table) == error


WHOLE, HALVES, QUARTERS = np.array([1, 1, 1, 1]), np.array([3, 3, 8, 8]), np.array([5, 6, 7, 8])


@pytest.mark.parametrize(("pieces", "bits"), [(HALVES, 1), (QUARTERS, 2)])
def test_cut_objects_are_splits_and_joined_ones_merges(pieces, bits):
    assert variation_of_information(WHOLE, pieces) == (bits, 0)
    assert variation_of_information(pieces, WHOLE) == (0, bits)


def test_rand_counts_pairs_of_pixels():
    assert adapted_rand_error(WHOLE, HALVES) == pytest.approx(1 - 2 * 2 / (6 + 2))  # 6 pairs, 2 pairs, 2 in both
    assert adapted_rand_error(HALVES, WHOLE) == pytest.approx(1 - 2 * 2 / (6 + 2))
    assert adapted_rand_error(WHOLE, QUARTERS) == adapted_rand_error(QUARTERS, WHOLE) == 1


def test_true_background_does_not_count():
    true = np.array([0, 0, 1, 1, 2, 2])
    for outside in ([0, 0], [9, 9], [3, 4]):
        pred = np.array([*outside, 3, 3, 4, 4])
        assert variation_of_information(true, pred) == (0, 0)
        assert adapted_rand_error(true, pred) == 0


def test_predicted_background_is_a_segment():
    true, pred = np.array([1, 1, 2, 2]), np.array([0, 0, 0, 0])
    assert variation_of_information(true, pred) == (0, 1)
    assert variation_of_information(true, np.array([0, 0, 4, 4])) == (0, 0)
    assert adapted_rand_error(true, pred) == pytest.approx(1 - 2 * 2 / (2 + 6))


def test_nothing_to_score(empty, one):
    for pred in (empty, one):
        assert variation_of_information(empty, pred) == (0, 0)
        assert adapted_rand_error(empty, pred) == 0
    assert variation_of_information(one, one) == (0, 0)
    assert adapted_rand_error(one, one) == 0
    assert adapted_rand_error(QUARTERS, QUARTERS) == 0  # all objects of one pixel


def test_names_of_labels_do_not_matter(label_pair):
    true, pred = label_pair
    names = np.append(0, 1 + np.random.default_rng(0).permutation(40)) * 10**9
    assert variation_of_information(names[true], names[pred]) == pytest.approx(variation_of_information(true, pred))
    assert adapted_rand_error(names[true], names[pred]) == pytest.approx(adapted_rand_error(true, pred))
