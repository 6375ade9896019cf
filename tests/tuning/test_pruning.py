import numpy as np
import optuna
import pytest
from scipy.stats import wilcoxon

from study.tuning.pruning import loses, p_of_less


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize("direction", ["maximize", "minimize"])
@pytest.mark.parametrize("gap", [0.0, 0.03, 0.1])
def test_trials_end_early_where_the_pruner_of_optuna_ends_them(direction, gap):
    sign = 1 if direction == "maximize" else -1
    found = []
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(0, 0.1, (2, 12))
        scores[0] += sign * gap
        study = optuna.create_study(direction=direction, pruner=optuna.pruners.WilcoxonPruner(p_threshold=0.1))
        best, other = study.ask(), study.ask()
        for step, value in enumerate(scores[0]):
            best.report(value, step)
        study.tell(best, scores[0].mean())
        for step, value in enumerate(scores[1][:8]):
            other.report(value, step)
        found.append(loses(scores[1][:8], scores[0], sign))
        assert found[-1] == other.should_prune()
    assert any(found) or not gap
    assert not all(found)


def test_scores_that_are_not_finite_end_no_trial():
    assert not loses(np.array([0.1, np.nan, 0.1, 0.1, 0.1]), np.full(8, 0.9), 1)
    assert loses(np.full(5, 0.1), np.full(8, 0.9), 1)


@pytest.mark.parametrize("values", [1, 3, 1000])  # equal ones and zeros are frequent, or there are none
@pytest.mark.parametrize("count", [2, 5, 8, 11, 16])
def test_the_p_value_is_that_of_scipy(values, count):
    rng = np.random.default_rng(values + count)
    for differences in rng.integers(-values, values + 1, (3, count)) / values:
        expected = wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue
        assert p_of_less(differences) == pytest.approx(expected, abs=1e-12)


def test_all_signs_of_thirteen_images_are_tried_at_once(monkeypatch):
    """By scipy it took most of a search of cheap clusterings."""
    monkeypatch.setattr("study.tuning.pruning.wilcoxon", None)
    assert p_of_less(-np.ones(13)) == 0.5**13
    assert p_of_less(np.zeros(13)) == 1
