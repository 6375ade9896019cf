import numpy as np
import pandas as pd
import pytest

from study.figures import search_contour, search_front, search_history, search_slices

NAMES = ("angle", "min_size")


def trials(count=12, pruned=()):
    """A search whose last five trials change one setting of the best one."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(count):
        stage = "paper" if i == 0 else "given" if i == 1 else "search"
        row = {
            "angle": 11.0 + 5 * (i % 7),
            "min_size": 35 - 5 * (i % 3),
            "sbd": rng.uniform(0.3, 0.7),
            "abs_dic": i % 5,
        }
        rows.append(
            {"trial": i, "stage": stage, "state": "pruned" if i in pruned else "complete", **row, "front": False}
        )
    rows[2] |= {"angle": 20.0, "min_size": 10, "sbd": 0.8, "front": True}
    for k, (angle, size) in enumerate(((15.0, 10), (25.0, 10), (20.0, 5), (20.0, 15))):
        row = {"trial": count + k, "stage": "around", "state": "complete", "angle": angle, "min_size": size}
        rows.append({**row, "sbd": 0.7 - 0.01 * k, "abs_dic": 1, "front": False})
    return pd.DataFrame(rows)


def test_the_course_of_a_search(png):
    figure = search_history(trials(pruned=(5, 6)), {"angle": 0.8, "min_size": 0.2}, "sbd", "cells")
    left, right = figure.axes
    (best,) = left.get_lines()
    assert list(best.get_ydata()) == sorted(best.get_ydata())
    assert best.get_ydata()[-1] == 0.8
    shown = sum(len(points.get_offsets()) for points in left.collections)
    assert shown == 16
    assert [bar.get_width() for bar in right.patches] == [0.2, 0.8]
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "ended early", "proposed", "around the optimum", "the run's own values", "the paper's values", "best so far"
    ]  # fmt: skip
    png(figure)


def test_of_a_count_the_least_is_the_best(png):
    figure = search_history(trials(), {}, "abs_dic", "cells")
    (best,) = figure.axes[0].get_lines()
    assert list(best.get_ydata()) == sorted(best.get_ydata(), reverse=True)
    assert "all trials scored the same" in [text.get_text() for text in figure.axes[1].texts]
    png(figure)


def test_slices_join_what_differs_in_one_setting(png):
    figure = search_slices(trials(), NAMES, "sbd", "cells")
    for axis, expected in zip(figure.axes, ([15, 20, 25], [5, 10, 15]), strict=True):
        joined = axis.get_lines()[0]
        assert list(joined.get_xdata()) == expected
    png(figure)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 7])
def test_slices_of_any_number_of_settings(count, png):
    names = [f"angle{i}" for i in range(count)]
    table = pd.concat([trials(), pd.DataFrame({name: range(16) for name in names})], axis=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.figures.search.setting_label", str)
        figure = search_slices(table, names, "sbd", "cells")
    assert sum(axis.get_visible() for axis in figure.axes) == count
    png(figure)


@pytest.mark.parametrize("table", [trials(), trials().head(3), trials().iloc[[2, 2, 2]], trials().iloc[[2, 12, 13]]])
def test_a_contour_of_few_trials_or_of_trials_on_a_line(table, png):
    figure = search_contour(table, NAMES, "sbd", "cells")
    points = np.unique(table[list(NAMES)].to_numpy(float), axis=0)
    area = len(points) > 2 and np.linalg.matrix_rank(points - points[0]) > 1
    assert (len(figure.axes) == 2) == area  # with a colour bar
    png(figure)


def test_a_front(png):
    table = trials()
    table["front"] = table["trial"].isin((2, 5))
    figure = search_front(table, ("sbd", "abs_dic"), "cells")
    (line,) = figure.axes[0].get_lines()
    assert len(line.get_xdata()) == 2
    assert list(line.get_xdata()) == sorted(line.get_xdata())
    png(figure)


def test_the_axis_of_scores_is_where_the_better_trials_are():
    table = trials()
    table.loc[0, "sbd"] = 0.01  # the paper's values, far off
    for figure in (search_history(table, {}, "sbd", ""), search_slices(table, NAMES, "sbd", "")):
        low, high = figure.axes[0].get_ylim()
        shown = table["sbd"].between(low, high)
        assert shown.mean() >= 0.75
        assert shown[table["sbd"].idxmax()]
        assert not shown[0]


def test_the_axis_of_a_count_reaches_to_the_least():
    low, high = search_history(trials(), {}, "abs_dic", "").axes[0].get_ylim()
    assert low < 0 < high < 5
