"""How much each setting of a search matters."""

from __future__ import annotations

from collections.abc import Sequence

import optuna
from optuna.trial import FrozenTrial, create_trial


def importance_of(trials: Sequence[FrozenTrial], values: Sequence[float]) -> dict[str, float]:
    """Share of the variance of the values of trials that is due to each setting (fANOVA); empty where all are equal."""
    # with it comes scikit-learn, which takes a second: here, so that the first run of a launch starts without it
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    if len(set(values)) < 2:
        return {}
    study = optuna.create_study()
    for trial, value in zip(trials, values, strict=True):  # as complete ones: it leaves out those that ended early
        study.add_trial(create_trial(params=trial.params, distributions=trial.distributions, value=value))
    importance = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))
    return {name: float(value) for name, value in importance.items()}
