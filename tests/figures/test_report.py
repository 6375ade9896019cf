import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from study.figures import (
    angle_figure,
    paired_figure,
    precision_figure,
    prediction_figure,
    ratio_figure,
    score_curve,
    spread_figure,
    strip_figure,
    training_figure,
)
from study.figures.style import WIDTH, save


def shown(axis):
    return [np.asarray(image.get_array()) for image in axis.get_images()]


def curve(*values):
    return pd.DataFrame({"step": range(len(values)), "value": values})


def test_predictions_stand_beside_the_truth(a_panel, png):
    one, two = a_panel(seed=0), a_panel(seed=1)
    figure = prediction_figure([("a", {"U-Net": one, "W-Net": two}), ("b", {"W-Net": two})])
    axes = np.reshape(figure.axes, (2, 4))
    tiles = [one[:, 244 * k : 244 * k + 240] for k in range(5)]
    for axis, tile in zip(axes[0], (tiles[0], tiles[1], tiles[4], two[:, 976:]), strict=True):
        np.testing.assert_array_equal(shown(axis)[0], tile)
    assert [axis.get_title() for axis in axes[0]] == ["image", "truth", "U-Net", "W-Net"]
    assert not shown(axes[1][2])
    np.testing.assert_array_equal(shown(axes[1][3])[0], two[:, 976:])
    assert png(figure).std() > 10


def test_strips_stand_below_each_other(a_panel):
    figure = strip_figure([("first", a_panel(seed=0)), ("second", a_panel(seed=1))])
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["first", "second"]
    assert [text.get_text() for text in figure.axes[-1].get_xticklabels()][::2] == [
        "image",
        "distance",
        "prediction",
    ]
    np.testing.assert_array_equal(shown(figure.axes[1])[0], a_panel(seed=1))


def test_precision_by_overlap():
    rows = {"network": ["unet", "wnet"] * 2, "label": ["U-Net", "W-Net"] * 2, "iou": [0.5, 0.5, 0.9, 0.9]}
    curves = pd.DataFrame({**rows, "ap": [0.6, 0.7, 0.2, 0.3], "low": 0.1, "high": 0.8})
    (axis,) = precision_figure(curves).axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}
    assert lines == {"U-Net": [0.6, 0.2], "W-Net": [0.7, 0.3]}


@pytest.mark.parametrize("style", [None, "dims"])
def test_angles_are_means_over_seeds(style, png):
    rows = [
        {"step": step, "d": f"d = {d}", "dims": f"{dims} dimensions", "angle": 10.0 * step + d + dims + 2 * seed}
        for d in (10, 30) for dims in (16, 4)[: 1 + bool(style)] for seed in (0, 1) for step in (1, 2)
    ]  # fmt: skip
    figure = angle_figure(pd.DataFrame(rows), "d", style)
    (axis,) = figure.axes
    drawn = sorted(list(line.get_ydata()) for line in axis.get_lines() if list(line.get_xdata()) == [1, 2])
    assert drawn == sorted([11.0 + n, 21.0 + n] for n in ((26, 46) if style is None else (26, 46, 14, 34)))
    words = [text.get_text() for text in axis.get_legend().get_texts()]
    assert words == (["d = 10", "d = 30"] if style is None else
                     ["d", "d = 10", "d = 30", "dims", "16 dimensions", "4 dimensions"])  # fmt: skip
    figure.draw_without_rendering()
    assert axis.get_legend().get_window_extent().x1 <= figure.bbox.x1
    assert png(figure).std() > 10


@pytest.mark.parametrize(("losses", "scale"), [([3.0, 0.2], "log"), ([1.0, -1.0], "linear")])
def test_losses_and_scores_of_a_training(losses, scale, png):
    figure = training_figure({"train/loss": curve(*losses)}, {"val/sbd": curve(0.1, 0.5)})
    left, right = figure.axes
    assert list(left.get_lines()[0].get_ydata()) == losses
    assert list(right.get_lines()[0].get_ydata()) == [0.1, 0.5]
    assert left.get_yscale() == scale
    assert png(figure).std() > 10


def test_a_training_without_validation():
    (axis,) = training_figure({"train/loss": curve(1.0, 0.5)}, {}).axes
    assert list(axis.get_lines()[0].get_ydata()) == [1.0, 0.5]
    assert axis.get_ylabel() == "training loss"


@pytest.mark.parametrize("scores", [[0.5], [0.1, 0.9, 0.92, 1.0, 0.0]])
def test_the_spread_shows_each_image(scores):
    upper, lower = spread_figure(scores, "SBD").axes
    assert sum(bar.get_height() for bar in upper.patches) == len(scores)
    assert list(lower.get_lines()[0].get_xdata()) == scores
    assert lower.get_lines()[1].get_xdata()[0] == pytest.approx(sum(scores) / len(scores))


@pytest.mark.parametrize(
    ("scores", "ends"), [([0.86, 0.99], (0.8, 1)), ([0.5, 0.5], (0.3, 0.7)), ([0.0, 0.02], (0, 0.2)), ([1.0], (0.8, 1))]
)
def test_the_spread_of_scores_fills_its_axis(scores, ends):
    upper, lower = spread_figure(scores, "SBD").axes
    assert lower.get_xlim() == pytest.approx(ends)
    assert sum(bar.get_height() for bar in upper.patches) == len(scores)


def test_steps_of_few_points_are_written_below_them():
    few, many = curve(*[0.5] * 4), curve(*[0.5] * 30)
    losses, scores = training_figure({"sum": many}, {"SBD": few}).axes
    assert scores.get_xticks().tolist() == [0, 1, 2, 3]
    assert len(losses.get_xticks()) < 9


@pytest.mark.parametrize("count", [1, 3, 7])
def test_pairs_have_a_panel_per_run(count, png):
    pairs = {f"run {i}": pd.DataFrame({"first": [0.1, 0.2], "other": [0.1 * i, 0.5]}) for i in range(count)}
    figure = paired_figure(pairs, "the first", "SBD")
    axes = [axis for axis in figure.axes if axis.get_visible()]
    assert [axis.get_title() for axis in axes] == list(pairs)
    for i, axis in enumerate(axes):
        assert list(axis.get_lines()[1].get_ydata()) == [0.1 * i, 0.5]
    assert png(figure).std() > 10


def test_paired_scores_fill_their_panels():
    pair = pd.DataFrame({"first": [0.8, 0.9, np.nan], "other": [0.85, 0.95, 0.9]})
    axis = paired_figure({"a": pair}, "the first", "SBD").axes[0]
    for low, high in (axis.get_xlim(), axis.get_ylim()):
        assert 0.75 < low < 0.8
        assert 0.95 < high < 1.0


def test_figures_are_readable_in_print(a_panel, tmp_path):
    """At most as wide as a page, and no letter below 7 points."""
    table = pd.DataFrame({"x": [1, 2], "h": ["unet", "unet"]})
    for score in ("sbd", "map"):
        table = table.assign(**{score: 0.5, f"{score}_low": 0.4, f"{score}_high": 0.6})
        table[f"{score}_seeds"] = [[0.5], [0.5]]
    pairs = {"a": pd.DataFrame({"first": [0.1], "other": [0.2]})}
    figures = [
        score_curve(table, "x", "h", "caption"),
        prediction_figure([("a", {f"run {i}": a_panel() for i in range(4)})]),
        strip_figure([("first", a_panel())]),
        training_figure({"a": curve(1.0, 0.1)}, {"b": curve(0.5)}),
        spread_figure([0.5], "SBD"),
        paired_figure(pairs, "first", "SBD"),
        angle_figure(pd.DataFrame({"step": [1, 2], "angle": [3.0, 4.0], "d": ["a", "b"]}), "d"),
    ]
    for figure in figures:
        assert figure.get_figwidth() <= WIDTH
        figure.draw_without_rendering()
        texts = [text for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
        assert min(text.get_fontsize() for text in texts) >= 7
        save(figure, tmp_path / "figure.pdf")
        assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_the_ratio_of_the_loss_terms(png):
    curves = pd.DataFrame({"step": [1, 2] * 2, "ratio": [2.0, 4.0, 20.0, 8.0], "λ": ["1"] * 2 + ["10"] * 2, "net": "U"})
    figure = ratio_figure(curves, "λ", "net", 10)
    (axis,) = figure.axes
    drawn = [list(line.get_ydata()) for line in axis.get_lines()]
    assert [2.0, 4.0] in drawn
    assert [20.0, 8.0] in drawn
    assert [10, 10] in drawn
    assert axis.get_yscale() == "log"
    assert png(figure).std() > 10
