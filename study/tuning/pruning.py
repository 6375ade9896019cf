"""Whether a trial can end early: a test of its images against those of the best one."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata, wilcoxon

_LOSES = 0.1  # p below which a trial ends early
_EXACT = 13  # differences, all of whose signs can be tried


def loses(scores: np.ndarray, best: np.ndarray, sign: int) -> bool:
    """Whether a one-sided Wilcoxon test (p < 0.1) finds the scores of the first images worse than those of the best.

    Unless their mean reaches that of the best over all images; see `optuna.pruners.WilcoxonPruner`.

    Parameters
    ----------
    scores : (n,) float array
    best : (N,) float array
        N at least n.
    sign : int
        1 where more is better, else -1.
    """
    if len(scores) < 2 or not (np.isfinite(scores).all() and np.isfinite(best).all()):
        return False
    if sign * scores.mean() >= sign * best.mean():
        return False
    return p_of_less(sign * (scores - best[: len(scores)])) < _LOSES


def p_of_less(differences: np.ndarray) -> float:
    """The p value of `scipy.stats.wilcoxon(differences, alternative="less", zero_method="zsplit")`.

    For up to 13 differences of which some are 0 or equal, scipy ranks all 2^n choices of signs anew, which takes
    0.3 s for 12: here their sums of ranks are one product of matrices. Two scores of an image are often equal.
    """
    count = len(differences)
    if count > _EXACT:
        return float(wilcoxon(differences, alternative="less", zero_method="zsplit").pvalue)  # type: ignore[attr-defined]
    ranks = rankdata(np.abs(differences))
    positive = np.where(differences == 0, 0.5, differences > 0) @ ranks
    signs = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    sums = np.where(differences == 0, 0.5, signs) @ ranks
    return float((sums <= positive).mean())  # ranks are halves, whose sums are exact
