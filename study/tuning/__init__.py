"""Search of thresholds on stored maps of validation images; the only package that knows Optuna."""

from study.tuning.space import SPACES, paper_thresholds, space_of
from study.tuning.trials import OBJECTIVES, Found, check_objectives, score_on, search

__all__ = ["OBJECTIVES", "SPACES", "Found", "check_objectives", "paper_thresholds", "score_on", "search", "space_of"]
