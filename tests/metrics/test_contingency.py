import numpy as np
import pytest

from study.metrics import Contingency, scores
from study.metrics.contingency import _DENSE_CELLS


def as_dict(true, pred):
    """Overlaps of each pair of ids, by loops."""
    pairs = {
        (i, j): int(((true == i) & (pred == j)).sum()) for i in np.unique(true) for j in np.unique(pred) if i and j
    }
    return {pair: pixels for pair, pixels in pairs.items() if pixels}


def test_against_loops(label_pair):
    true, pred = label_pair
    table = Contingency.of(true, pred)
    true_ids, pred_ids = np.setdiff1d(true, [0]), np.setdiff1d(pred, [0])
    assert table.true_area.tolist() == [(true == i).sum() for i in true_ids]
    assert table.pred_area.tolist() == [(pred == j).sum() for j in pred_ids]
    pairs = zip(true_ids[table.true_index], pred_ids[table.pred_index], strict=True)
    assert dict(zip(pairs, table.overlap.tolist(), strict=True)) == as_dict(true, pred)


def test_dice_and_iou_of_a_pair():
    table = Contingency.of(np.array([7, 7, 7, 0]), np.array([0, 2, 2, 2]))
    assert table.overlap.tolist() == [2]
    assert table.dice.tolist() == [4 / 6]
    assert table.iou.tolist() == [2 / 4]


def test_transposed_exchanges_the_images(label_pair):
    true, pred = label_pair
    forth, back = Contingency.of(true, pred).transposed, Contingency.of(pred, true)
    assert forth.true_area.tolist() == back.true_area.tolist()
    assert forth.pred_area.tolist() == back.pred_area.tolist()
    assert sorted(zip(forth.true_index, forth.pred_index, forth.overlap, strict=True)) == sorted(
        zip(back.true_index, back.pred_index, back.overlap, strict=True)
    )


@pytest.mark.parametrize("factor", [1_000, 100_000, 2**20, 2**40])
def test_large_ids_change_nothing(label_pair, factor):
    true, pred = (labels.astype(np.int64) for labels in label_pair)
    assert scores(true * factor, pred * factor) == scores(true, pred)
    assert scores(true * factor, pred) == scores(true, pred)


def test_more_cells_than_fit_a_dense_table():
    objects = int(_DENSE_CELLS**0.5) + 1
    ids = np.arange(1, objects + 1)
    table = Contingency.of(np.repeat(ids, 2), np.roll(np.repeat(ids, 2), 1))
    assert table.true_area.tolist() == [2] * objects
    assert table.overlap.tolist() == [1] * (2 * objects)
    assert scores(ids, ids)["sbd"] == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.uint32, np.int64, np.uint64])
def test_any_integer_type(label_pair, dtype):
    true, pred = label_pair
    assert scores(true.astype(dtype), pred) == scores(true, pred)


def test_masks_are_one_object():
    assert scores(np.array([True, True, False]), np.array([0, 1, 0]))["sbd"] == 2 / 3


@pytest.mark.parametrize("metric", [scores, Contingency.of])
@pytest.mark.parametrize(
    ("true", "pred", "message"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"differ in shape: true \(2, 3\), pred \(3, 2\)"),
        (np.array([0, -1]), np.array([0, 1]), "true labels must not be negative; the smallest is -1"),
        (np.array([0, 1]), np.array([-7, 1]), "pred labels must not be negative; the smallest is -7"),
        (np.array([0.0, 1.0]), np.array([0, 1]), "true labels must be integers, not float64"),
        (np.array([0, 1]), np.array([0, 1], np.float32), "pred labels must be integers, not float32"),
    ],
)
def test_refuses(metric, true, pred, message):
    with pytest.raises(ValueError, match=message):
        metric(true, pred)
