"""All that draws: data in, picture out."""

from study.figures.claims import claims_figure
from study.figures.colours import embedding_colours, found_colours, label_colours, label_picture, matched_to
from study.figures.grid import Tile, grid_figure, masks_of
from study.figures.panels import (
    contact_sheet,
    embedding_figure,
    folded,
    image_picture,
    outlined,
    panel,
    relative_brightness,
    tile_of,
)
from study.figures.report import (
    angle_figure,
    paired_figure,
    precision_figure,
    prediction_figure,
    ratio_figure,
    spread_figure,
    strip_figure,
    training_figure,
)
from study.figures.scores import score_curve, score_rows
from study.figures.search import search_contour, search_front, search_history, search_slices
from study.figures.sphere import sphere_figure
from study.figures.style import save
from study.figures.tiles import brightness, tile_figure, tiled, tiles_of
