"""All that draws: data in, picture out."""

from study.figures.colours import embedding_colours, label_colours, matched_to
from study.figures.panels import contact_sheet, embedding_figure, folded, panel
from study.figures.scores import score_curve, score_rows
from study.figures.search import search_contour, search_front, search_history, search_slices

__all__ = [
    "contact_sheet",
    "embedding_colours",
    "embedding_figure",
    "folded",
    "label_colours",
    "matched_to",
    "panel",
    "score_curve",
    "score_rows",
    "search_contour",
    "search_front",
    "search_history",
    "search_slices",
]
