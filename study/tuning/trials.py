"""Search of a clustering method's thresholds on stored maps of validation images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.pruners import NopPruner
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from study import metrics
from study.clustering import Clustering
from study.data.batches import NetworkImage
from study.errors import StudyError, unknown_name
from study.maps import ImageMaps
from study.segmentation import label_image
from study.settings import Tuning
from study.tuning.importance import importance_of
from study.tuning.journal import open_journal
from study.tuning.pruning import loses
from study.tuning.space import on_grid, space_of, starts

# direction of the scores that can be searched for
OBJECTIVES = {
    key: StudyDirection.MAXIMIZE if score.higher_is_better else StudyDirection.MINIMIZE
    for kind in metrics.KINDS
    for key, score in metrics.objectives(kind).items()
}

_AT_ONCE = 4  # images scored between two decisions to go on; not the number of threads, on which no result may depend
_MIN_DELTA = 1e-3  # of the first objective: less is no improvement
_AROUND = 0.15  # of a setting's range: how far from the optimum the sensitivity is measured
_OBJECTIVES = "objectives"  # attribute of the study
_ABOUT = "about"  # attribute of a trial: its stage, its scores

Score = Callable[[Clustering, int], dict[str, float]]  # settings, index of an image -> scores of that image


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    best : Clustering
        Of highest score; with several objectives, the one of the Pareto front that is best in the first. Where trials
        are equal, the first of them, so that the paper's values win.
    names : tuple of str
        The settings that were searched.
    objectives : tuple of str
    trials : DataFrame
        A row per trial: `trial` (number), `stage` (`paper`; `given`: the run's own settings; `search`; `around`: the
        optimum with one setting changed), `state` (`complete` or `pruned`), `images` (scored; fewer if pruned), mean
        scores `sbd`, `abs_dic`, `map`, `fbd`, the settings in `names`, `front` (whether it is on the Pareto front; with
        one objective, whether it is the best), `seconds`.
    importance : dict of str to float
        Share of the variance of the first objective that is due to each setting (fANOVA); empty where trials do not
        differ. A trial that ended early counts by how much worse than the best it was on the images it had.
    """

    best: Clustering
    names: tuple[str, ...]
    objectives: tuple[str, ...]
    trials: pd.DataFrame
    importance: dict[str, float]


def score_on(maps: Sequence[ImageMaps], images: Sequence[NetworkImage]) -> Score:
    """Scores of images from their stored maps: the network is not needed again."""

    def score(clustering: Clustering, i: int) -> dict[str, float]:
        true = images[i].original
        kind = "volumes" if true.ndim == 3 else "images"
        return metrics.scores(true, label_image(maps[i], images[i], clustering), kind)

    return score


def check_objectives(objectives: Sequence[str], kind: str = "images") -> None:
    """Raise a StudyError for a score that is not computed of this kind of data, or named twice."""
    known = metrics.objectives(kind)
    for objective in objectives:
        if objective not in known:
            raise unknown_name("objective", objective, known)
    if len(set(objectives)) < len(objectives):
        raise StudyError(f"--objectives names a score twice: {','.join(objectives)}")


def search(
    score: Score,
    images: int,
    clustering: Clustering,
    paper: Clustering,
    tuning: Tuning,
    *,
    seed: int = 0,
    objectives: Sequence[str] = ("sbd",),
    file: Path | None = None,
    threads: int = 1,
) -> SearchResult:
    """Search the thresholds of `clustering.method` that give the best mean scores.

    The first trial has the paper's values, so that on these images nothing worse is found, the second those of
    `clustering`, or the nearest within the ranges; then a tree-structured Parzen estimator proposes. With one
    objective, a trial ends early when a Wilcoxon test of its images against those of the best trial says that it will
    not win (p < 0.1), and at last the best values are tried with one setting at a time changed by 15 % of its range:
    the sensitivity around the optimum. Where one of these is better still, the same is done once more around it. These
    trials may end early, too, and values of a trial that has ended early are not tried again.

    An interrupted search goes on from its file, with the same result as if it had not been.

    Parameters
    ----------
    score : callable
        (Clustering, index of an image) -> its scores; called from several threads. See `score_on`.
    images : int
        Number of images, 1 at least.
    clustering : Clustering
        Its method is searched; settings that are not keep their values.
    paper : Clustering
        The same method with the paper's values.
    tuning : Tuning
    seed : int
    objectives : sequence of str
        Keys of `OBJECTIVES`.
    file : Path, optional
        Where trials are kept, for one process at a time; in memory by default.
    threads : int
        Images scored at once.
    """
    study, kept = _study(file, objectives)
    space = space_of(clustering)
    with ThreadPoolExecutor(threads) as pool:
        trials = _Trials(study, kept, space, clustering, score, np.random.default_rng(seed).permutation(images), pool)
        for number, (stage, values) in enumerate(starts(clustering, paper).items()):
            if number >= len(_all(study)):
                trials.run(stage, values)
        while not _over(study, tuning):
            number = len(_all(study))
            # by number and not from a state, which a search that goes on would not have
            study.sampler = TPESampler(seed=seed + 7919 * number)
            trials.run("search")
        if len(objectives) == 1:
            for refinement in (1, 2):
                _refine_locally(study, space, trials, refinement)
    return _found(study, space, clustering)


def _study(file: Path | None, objectives: Sequence[str]) -> tuple[optuna.Study, optuna.Study | None]:
    """A study in memory with the trials of the one in a file, and the latter, which gets each trial when it is over."""
    directions = [OBJECTIVES[objective] for objective in objectives]
    study = optuna.create_study(directions=directions, pruner=NopPruner())
    study.set_user_attr(_OBJECTIVES, list(objectives))
    if file is None:
        return study, None
    kept = optuna.create_study(
        storage=open_journal(file), study_name="search", directions=directions, load_if_exists=True
    )
    study.add_trials(_all(kept))
    return study, kept


def _all(study: optuna.Study) -> list[FrozenTrial]:
    """The trials of a study, not to be changed: copies of them take a third of the time of a search."""
    return study.get_trials(deepcopy=False)


@dataclass(frozen=True)
class _Trials:
    """Runs the trials of a study, one after the other."""

    study: optuna.Study
    kept: optuna.Study | None
    space: dict[str, BaseDistribution]
    clustering: Clustering
    score: Score
    order: np.ndarray
    pool: ThreadPoolExecutor

    def run(self, stage: str, values: dict[str, Any] | None = None, refinement: int = 0) -> None:
        """A trial with `values`, or with what the sampler proposes."""
        if values is not None:
            self.study.enqueue_trial(values)
        trial = self.study.ask(self.space)
        objectives = self.study.user_attrs[_OBJECTIVES]
        prunable = len(objectives) == 1 and stage in ("search", "around")
        clustering = replace(self.clustering, **on_grid(self.space, trial.params))
        scored: list[dict[str, float]] = []
        pruned = False
        for start in range(0, len(self.order), _AT_ONCE):  # all trials take the images in the same order
            chunk = self.order[start : start + _AT_ONCE]
            scored += self.pool.map(lambda i: self.score(clustering, int(i)), chunk)
            pruned = prunable and len(scored) < len(self.order) and self._loses([s[objectives[0]] for s in scored])
            if pruned:
                break
        means = {name: float(np.mean([found[name] for found in scored])) for name in OBJECTIVES if name in scored[0]}
        first = [found[objectives[0]] for found in scored]
        about = {"stage": stage, "refinement": refinement, "images": len(scored), "means": means, "scores": first}
        trial.set_user_attr(_ABOUT, about)
        if pruned:
            trial.report(first[-1], len(first) - 1)  # by this the sampler ranks trials that ended early
            told = self.study.tell(trial, state=TrialState.PRUNED)
        else:
            told = self.study.tell(trial, [means[name] for name in objectives])
        if self.kept is not None:
            self.kept.add_trial(told)

    def _loses(self, scores: list[float]) -> bool:
        """Whether a trial with these scores of its first images will most likely not win against the best one."""
        best = _best(self.study, _all(self.study))
        return loses(np.array(scores), np.array(best.user_attrs[_ABOUT]["scores"]), _signs(self.study)[0])


def _over(study: optuna.Study, tuning: Tuning) -> bool:
    """Whether there have been enough trials, or none of the last ones was better than those before."""
    trials = [trial for trial in _all(study) if trial.user_attrs[_ABOUT]["refinement"] == 0]
    if len(trials) >= tuning.trials or len(trials) < len(_all(study)):
        return True
    best, last_gain = -np.inf, 0
    sign = _signs(study)[0]
    for trial in trials:
        value = sign * trial.values[0] if trial.state == TrialState.COMPLETE else -np.inf
        if value > best + _MIN_DELTA:
            best, last_gain = value, trial.number
    alone = len(study.directions) == 1  # a front can grow without its first score getting better
    return alone and len(trials) - 1 - last_gain >= tuning.patience


def _refine_locally(study: optuna.Study, space: dict[str, BaseDistribution], trials: _Trials, refinement: int) -> None:
    """Try the best values until now with one setting changed, down and up, except what has been tried.

    `refinement` counts from 1. Trials of the same one do not count as best, so that an interrupted one goes on around
    the same values.
    """
    best = _best(study, [trial for trial in _all(study) if trial.user_attrs[_ABOUT]["refinement"] < refinement])
    done = [on_grid(space, trial.params) for trial in _all(study)]
    for name, distribution in space.items():
        assert isinstance(distribution, IntDistribution | FloatDistribution)
        reach = _AROUND * (distribution.high - distribution.low)
        for value in (best.params[name] - reach, best.params[name] + reach):
            values = on_grid(space, best.params | {name: value})
            if values not in done:
                trials.run("around", values, refinement)
                done.append(values)


def _best(study: optuna.Study, trials: Sequence[FrozenTrial]) -> FrozenTrial:
    """The complete trial that is best in the first objective; of equal ones, in the others; then the first of them."""
    signs = _signs(study)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    return max(complete, key=lambda t: ([s * v for s, v in zip(signs, t.values, strict=True)], -t.number))


def _signs(study: optuna.Study) -> list[int]:
    """Of each objective 1 where more is better, else -1."""
    return [1 if direction == StudyDirection.MAXIMIZE else -1 for direction in study.directions]


def _found(study: optuna.Study, space: dict[str, BaseDistribution], clustering: Clustering) -> SearchResult:
    best = _best(study, _all(study))
    front = {best.number} if len(study.directions) == 1 else {trial.number for trial in study.best_trials}
    rows = [
        {
            "trial": trial.number,
            "stage": trial.user_attrs[_ABOUT]["stage"],
            "state": trial.state.name.lower(),
            "images": trial.user_attrs[_ABOUT]["images"],
            **trial.user_attrs[_ABOUT]["means"],
            **on_grid(space, trial.params),
            "front": trial.number in front,
            "seconds": trial.duration.total_seconds() if trial.duration else np.nan,
        }
        for trial in _all(study)
    ]
    objectives = tuple(study.user_attrs[_OBJECTIVES])
    chosen = replace(clustering, **on_grid(space, best.params))
    values = [_estimate(trial, best) for trial in _all(study)]
    return SearchResult(chosen, tuple(space), objectives, pd.DataFrame(rows), importance_of(_all(study), values))


def _estimate(trial: FrozenTrial, best: FrozenTrial) -> float:
    """First objective of a trial on all images; of one that ended early, by how much worse it was than the best."""
    if trial.state == TrialState.COMPLETE:
        return trial.values[0]
    scores = np.array(trial.user_attrs[_ABOUT]["scores"])
    return float(best.values[0] + np.mean(scores - best.user_attrs[_ABOUT]["scores"][: len(scores)]))
