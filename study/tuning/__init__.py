"""Search of thresholds on stored maps of validation images; the only package that knows Optuna."""

from study.tuning.space import paper_thresholds, space_of
from study.tuning.trials import OBJECTIVES, SearchResult, check_objectives, score_on, search
