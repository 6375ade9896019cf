from itertools import pairwise

import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from study.figures import claims_figure

TABLE = pd.DataFrame(
    [
        ("1", "leaves", 0.1, 0.05, 0.15, "reproduced"),
        ("1", "nuclei", 0.0, -0.1, 0.1, "cannot be told"),
        ("2", "nuclei", -0.2, -0.3, -0.1, "not reproduced"),
    ],
    columns=["key", "data", "value", "low", "high", "verdict"],
)


@pytest.fixture
def axis():
    figure = claims_figure(TABLE, {"1": "First.", "2": "Second."}, ["reproduced", "not reproduced"])
    figure.draw_without_rendering()
    return figure.axes[0]


def marks(axis):
    points = [collection for collection in axis.collections if isinstance(collection, PathCollection)]
    return [collection for collection in points if len(collection.get_offsets())]  # those of the legend have none


def test_rows_stand_in_the_order_of_the_labels(axis):
    assert [label.get_text() for label in axis.get_yticklabels()] == ["First.", "Second."]
    first, second = axis.get_yticks()
    assert first > second


def test_a_mark_per_claim_and_data_set(axis):
    offsets = [tuple(point) for collection in marks(axis) for point in collection.get_offsets()]
    assert sorted(x for x, _ in offsets) == [-0.2, 0.0, 0.1]
    of_first = sorted((y for x, y in offsets if x > -0.1), reverse=True)
    assert of_first[0] != of_first[1]  # side by side, not upon one another
    first, second = axis.get_yticks()
    assert sum(of_first) / 2 == pytest.approx(first)  # around the middle of their row
    assert [y for x, y in offsets if x < -0.1] == [second]  # alone in its row


def test_only_what_is_told_is_filled(axis):
    leaves, nuclei = (collection.get_facecolors() for collection in marks(axis))
    assert not (leaves[0][:3] == 1).all()
    assert [(colour[:3] == 1).all() for colour in nuclei] == [True, False]


def test_an_interval_that_is_far_wider_than_the_others_ends_in_an_arrow():
    near = [(str(key), "leaves", 0.05, 0.0, 0.1, "cannot be told") for key in range(8)]
    far = [("8", "leaves", 0.04, -3.0, 3.0, "cannot be told"), ("9", "leaves", 0.5, 0.45, 0.55, "cannot be told")]
    table = pd.DataFrame(near + far, columns=TABLE.columns)
    figure = claims_figure(table, {key: key for key in table["key"]}, ["reproduced"])
    figure.draw_without_rendering()
    (axis,) = figure.axes
    assert axis.get_xlim()[1] < 0.2
    ticks = list(axis.get_yticks())
    arrows = {line.get_marker(): list(line.get_ydata()) for line in axis.lines if line.get_marker() in "<>"}
    assert arrows == {"<": ticks[8:9], ">": ticks[8:]}
    assert [text.get_text() for text in axis.texts] == ["+0.50"]  # which else were not to be seen


def test_what_is_told_is_seen_as_a_whole():
    near = [(str(key), "leaves", 0.05, 0.0, 0.1, "cannot be told") for key in range(8)]
    table = pd.DataFrame([*near, ("8", "leaves", 0.5, 0.4, 0.6, "reproduced")], columns=TABLE.columns)
    (axis,) = claims_figure(table, {key: key for key in table["key"]}, ["reproduced"]).axes
    assert 0.6 < axis.get_xlim()[1] < 0.7
    assert not axis.texts


def test_numbers_of_one_row_do_not_overlap():
    near = [(str(key), "leaves", 0.05, 0.0, 0.1, "cannot be told") for key in range(10)]
    far = [("10", name, 0.5, -0.1, 1.1, "cannot be told") for name in ("leaves", "nuclei")]
    table = pd.DataFrame(near + far, columns=TABLE.columns)
    figure = claims_figure(table, {key: key for key in table["key"]}, [])
    figure.draw_without_rendering()
    upper, lower = (text.get_window_extent() for text in figure.axes[0].texts)
    assert lower.y1 < upper.y0


def test_nothing_below_the_title_of_the_axis_is_empty():
    figure = claims_figure(TABLE, {str(key): "A claim." for key in range(30)}, [])
    figure.draw_without_rendering()
    assert figure.axes[0].xaxis.label.get_window_extent().y0 < 0.02 * figure.bbox.height


def test_long_words_have_room():
    long = {"1": "A claim of so many words that they fill three lines and more. " * 2, "2": "Second."}
    figure = claims_figure(TABLE, {"0": "None.", **long}, [])
    figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in figure.axes[0].get_yticklabels()]
    assert all(below.y1 <= above.y0 for above, below in pairwise(boxes))
