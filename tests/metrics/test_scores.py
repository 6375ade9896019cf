import numpy as np
import pytest

from study.metrics import (
    aggregated_jaccard,
    average_precision,
    best_dice,
    foreground_dice,
    panoptic_quality,
    scores,
)

KEYS = [
    *("sbd", "sbd_legacy", "best_dice_true", "best_dice_pred", "fbd", "dic", "abs_dic"),
    *("ap_50", "ap_55", "ap_60", "ap_65", "ap_70", "ap_75", "ap_80", "ap_85", "ap_90", "map"),
    *("aji", "pq", "sq", "rq", "n_true", "n_pred"),
]


def test_equal_to_the_single_metrics(label_pair):
    true, pred = label_pair
    result = scores(true, pred)
    assert list(result) == KEYS
    assert all(type(value) is float for value in result.values())
    assert result["sbd"] == min(best_dice(true, pred), best_dice(pred, true))
    assert result["sbd_legacy"] == max(best_dice(true, pred), best_dice(pred, true))
    assert result["best_dice_true"] == best_dice(true, pred)
    assert result["best_dice_pred"] == best_dice(pred, true)
    assert result["fbd"] == foreground_dice(true, pred)
    assert result["dic"] == result["n_pred"] - result["n_true"]
    assert result["abs_dic"] == abs(result["dic"])
    assert [result[key] for key in KEYS[7:16]] == average_precision(true, pred).tolist()
    assert result["map"] == average_precision(true, pred).mean()
    assert result["aji"] == aggregated_jaccard(true, pred)
    assert (result["pq"], result["sq"], result["rq"]) == panoptic_quality(true, pred)
    assert (result["n_true"], result["n_pred"]) == (len(np.setdiff1d(true, [0])), len(np.setdiff1d(pred, [0])))


@pytest.mark.parametrize("shape", [(3, 4), (0, 4)])
def test_two_empty_images(shape):
    counts = ("dic", "abs_dic", "n_true", "n_pred")
    empty = np.zeros(shape, int)
    assert scores(empty, empty) == {key: float(key not in counts) for key in KEYS}


def test_nothing_found(empty, one):
    assert scores(one, empty) == dict.fromkeys(KEYS, 0.0) | {"dic": -1.0, "abs_dic": 1.0, "n_true": 1.0}
