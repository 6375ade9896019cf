"""Search of thresholds on stored maps of validation images; the only package that knows Optuna."""

from study.tuning.on_images import images_searched, score_on, search_on_images
from study.tuning.space import paper_thresholds, space_of
from study.tuning.trials import OBJECTIVES, SearchResult, check_objectives, search
