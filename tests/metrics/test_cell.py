import numpy as np
import pytest

from study.metrics import Contingency, aggregated_jaccard, panoptic_quality


def masks(labels):
    return [labels == i for i in sorted(set(labels.flat) - {0})]


def aji_by_loops(true, pred):
    true_masks, pred_masks = masks(true), masks(pred)
    shared = union = 0
    taken = set()
    for a in true_masks:
        overlapping = [(j, b) for j, b in enumerate(pred_masks) if (a & b).any()]
        if not overlapping:
            union += a.sum()
            continue
        j, b = max(overlapping, key=lambda pair: ((a & pair[1]).sum() / (a | pair[1]).sum(), (a & pair[1]).sum()))
        shared, union = shared + (a & b).sum(), union + (a | b).sum()
        taken.add(j)
    return shared / (union + sum(b.sum() for j, b in enumerate(pred_masks) if j not in taken))


def quality_by_loops(true, pred):
    true_masks, pred_masks = masks(true), masks(pred)
    iou = [(a & b).sum() / (a | b).sum() for a in true_masks for b in pred_masks]
    found = [value for value in iou if value > 0.5]
    misses = (len(true_masks) + len(pred_masks) - 2 * len(found)) / 2
    mean = np.mean(found) if found else 0
    return sum(found) / (len(found) + misses), mean, len(found) / (len(found) + misses)


def volumes(pair):
    """The images of a pair as planes, of which some are shifted."""
    return tuple(np.stack([labels, np.roll(labels, 1 + i, axis=0), labels[::-1]]) for i, labels in enumerate(pair))


@pytest.mark.parametrize("make", [lambda pair: pair, volumes], ids=["2-D", "3-D"])
def test_against_loops(label_pair, make):
    true, pred = make(label_pair)
    assert aggregated_jaccard(true, pred) == pytest.approx(aji_by_loops(true, pred))
    assert panoptic_quality(true, pred) == pytest.approx(quality_by_loops(true, pred))
    table = Contingency.of(true, pred)
    assert aggregated_jaccard(table) == aggregated_jaccard(true, pred)
    assert panoptic_quality(table) == panoptic_quality(true, pred)


def test_a_missed_object_adds_its_area_and_takes_no_prediction():
    true = np.array([1, 1, 1, 1, 0, 2, 2, 0, 0])
    pred = np.array([5, 5, 5, 0, 0, 0, 0, 7, 7])
    assert aggregated_jaccard(true, pred) == 3 / (4 + 2 + 2)
    assert aggregated_jaccard(true, np.where(pred == 7, 0, pred)) == 3 / (4 + 2)
    assert aggregated_jaccard(np.where(true == 2, 0, true), pred) == 3 / (4 + 2)


def test_two_true_objects_may_take_one_prediction():
    true, pred = np.array([1, 1, 2, 2]), np.array([3, 3, 3, 3])
    assert aggregated_jaccard(true, pred) == 4 / (4 + 4)
    assert aggregated_jaccard(pred, true) == 2 / (4 + 2)  # the second half is left over


def test_quality_is_the_product_of_its_factors():
    true = np.array([1, 1, 1, 1, 0, 2, 2, 0, 3, 3])
    pred = np.array([4, 4, 4, 0, 0, 5, 0, 0, 6, 6])  # IoU 3/4, 1/2 (not above .5) and 1
    found = panoptic_quality(true, pred)
    assert found.sq == (3 / 4 + 1) / 2
    assert found.rq == 2 / (2 + 0.5 + 0.5)
    assert found.pq == found.sq * found.rq


def test_empty_images(empty, one):
    assert aggregated_jaccard(empty, empty) == 1
    assert panoptic_quality(empty, empty) == (1, 1, 1)
    assert aggregated_jaccard(one, one) == 1
    assert panoptic_quality(one, one) == (1, 1, 1)
    for true, pred in ((one, empty), (empty, one)):
        assert aggregated_jaccard(true, pred) == 0
        assert panoptic_quality(true, pred) == (0, 0, 0)


def test_objects_apart_score_nothing():
    true, pred = np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1])
    assert aggregated_jaccard(true, pred) == 0
    assert panoptic_quality(true, pred) == (0, 0, 0)


@pytest.mark.parametrize("metric", [aggregated_jaccard, panoptic_quality])
def test_flips_and_names_of_labels_do_not_matter(metric, label_pair):
    true, pred = label_pair
    names = np.append(0, 1 + np.random.default_rng(0).permutation(40))
    expected = metric(true, pred)
    assert metric(true[::-1], pred[::-1]) == pytest.approx(expected)
    assert metric(names[true], names[pred]) == pytest.approx(expected)
