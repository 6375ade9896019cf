import numpy as np
import pandas as pd
import pytest

from study.metrics import (
    Metric,
    Score,
    described,
    drawn_scores,
    headline,
    kind_of,
    objectives,
    register,
    score_of,
    scores,
    summary_scores,
    variation_of_information,
)
from study.metrics.registry import all_scores

TRUE, PRED = np.array([[[1, 1, 0, 2, 2]]]), np.array([[[1, 3, 0, 3, 3]]])


def test_volumes_have_scores_of_their_own():
    found = scores(TRUE, PRED, kind="volumes")
    assert list(found) == ["voi_split", "voi_merge", "voi", "arand", "n_true", "n_pred"]
    split, merge = variation_of_information(TRUE, PRED)
    assert (found["voi_split"], found["voi_merge"], found["voi"]) == (split, merge, split + merge)
    assert (found["n_true"], found["n_pred"]) == (2, 2)
    assert "arand" not in scores(TRUE, PRED)


def test_every_computed_score_is_registered():
    for kind in ("images", "volumes"):
        for key in scores(TRUE, PRED, kind):
            assert score_of(key).key == key


@pytest.mark.parametrize(
    ("names", "prefix", "key", "sign", "item"),
    [
        (["image", "sbd", "map"], "", "sbd", 1, "image"),
        (pd.DataFrame(columns=["image", "voi", "arand"]), "", "arand", -1, "sub-volume"),
        ({"val/arand": 0.1, "test/sbd": 1.0}, "val/", "arand", -1, "sub-volume"),
        ([], "", "sbd", 1, "image"),
    ],
)
def test_the_headline_is_that_of_the_kind_of_data(names, prefix, key, sign, item):
    score = headline(names, prefix)
    assert (score.key, score.sign, kind_of(names, prefix).item) == (key, sign, item)


def test_summaries_begin_with_the_headline_and_have_both_thresholds():
    names = ["n_pred", "arand_paper_thresholds", "voi", "arand", "unknown"]
    assert [score.key for score in summary_scores(names)] == ["arand", "arand_paper_thresholds", "voi"]
    assert [score.key for score in drawn_scores(names)] == ["arand", "voi"]


@pytest.mark.parametrize(
    ("column", "label", "form"),
    [
        ("abs_dic", "|DiC|", ".2f"),
        ("sbd_paper_thresholds", "SBD, paper's thresholds", ".3f"),
        ("arand_diff", "difference to the control", "+.3f"),
        ("dic_diff", "difference to the control", "+.2f"),
        ("sbd_paper_thresholds_diff", "difference to the control, paper's thresholds", "+.3f"),
        ("sbd_paper_thresholds_diff_p_adjusted", "adjusted p, paper's thresholds", ".3f"),
        ("training_seconds", "training, s", ".0f"),
    ],
)
def test_derived_columns_are_described_by_their_names(column, label, form):
    score = score_of(column)
    assert (score.key, score.label, score.form) == (column, label, form)


def test_unknown_columns_are_no_scores():
    with pytest.raises(KeyError, match="sdb is no score"):
        score_of("sdb_diff")


def test_a_key_or_label_is_registered_once():
    before = len(all_scores())
    for taken in (Score("sbd", "new", ""), Score("new", "SBD", "")):
        with pytest.raises(ValueError, match="registered already"):
            register(Metric([taken]))
    assert len(all_scores()) == before


def test_objectives_have_a_direction_and_are_no_legacy_scores():
    assert [*objectives("images")] == ["sbd", "fbd", "abs_dic", "map"]
    assert [*objectives("volumes")] == ["voi_split", "voi_merge", "voi", "arand"]
    assert not objectives("images")["abs_dic"].higher_is_better


def test_captions_tell_what_labels_mean():
    assert described([score_of("fbd"), score_of("sbd_paper_thresholds")]) == "FBD: Dice of the foreground"
