import itertools

import numpy as np
import pandas as pd
import pytest

from study.figures import score_curve, score_rows


def table(seeds, weights=(0.5, 10.0, "only"), networks=("unet", "wnet")):
    rng = np.random.default_rng(0)
    rows = []
    for network in networks:
        for weight in weights:
            row = {"network.name": network, "loss.inter_weight": weight}
            for score in ("sbd", "sbd_legacy", "map"):
                found = rng.uniform(0.4, 0.8, seeds)
                row |= {score: found.mean(), f"{score}_low": found.mean() - 0.1, f"{score}_high": found.mean() + 0.05}
                row[f"{score}_seeds"] = found.tolist()
            rows.append(row)
    return pd.DataFrame(rows)


PRINTED = pd.DataFrame({"network.name": ["unet", "wnet"], "loss.inter_weight": [10.0, 10.0], "value": [0.79, 0.88]})
PRINTED = PRINTED.assign(test_set="plants", same=True)
ELSEWHERE = PRINTED.assign(test_set="the server's images", same=False)


def curve(answer, printed=None):
    return score_curve(answer, "loss.inter_weight", "network.name", "leaves, 4 images", printed)


CONTROL = {"network.name": "wnet", "loss.inter_weight": 0.5}


def rows_of(answer, control=CONTROL, printed=None):
    return score_rows(answer, ["network.name", "loss.inter_weight"], control, "leaves, 4 images", printed)


def rows_of_clusterings(answer):
    answer = answer.rename(columns={"loss.inter_weight": "clustering.method"})
    control = {"network.name": "wnet", "clustering.method": answer["clustering.method"].iloc[0]}
    return score_rows(answer, ["network.name", "clustering.method"], control, "leaves, 4 images")


def drawn_scores(printed):
    return "sbd", "map" if printed is None else "sbd_legacy"


def lines(axis, marker):
    return [line for line in axis.get_lines() if line.get_marker() == marker]


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("printed", [None, PRINTED])
def test_a_score_curve_shows_means_and_seeds(png, seeds, printed):
    answer = table(seeds)
    figure = curve(answer, printed)
    for axis, score in zip(figure.axes, drawn_scores(printed), strict=True):
        means = np.concatenate([line.get_ydata() for line in lines(axis, "s")])
        np.testing.assert_array_equal(means, answer[score])
        dots = [value for line in lines(axis, "o") for value in line.get_ydata()]
        assert dots == ([] if seeds == 1 else np.concatenate(answer[f"{score}_seeds"].to_list()).tolist())
        assert [tick.get_text() for tick in axis.get_xticklabels()] == ["0.5", "10", "only"]
    shared = figure.axes[0].get_ylim()[0] == figure.axes[1].get_ylim()[0]
    assert shared == (printed is not None)  # so that two kinds of best Dice can be compared
    assert figure.axes[1].get_ylabel().startswith("mAP" if printed is None else "legacy")
    assert png(figure).std() > 10


def test_printed_values_stand_beside_the_legacy_score_alone():
    true, legacy = curve(table(1), PRINTED).axes
    assert not lines(true, "*")
    assert [list(line.get_ydata()) for line in lines(legacy, "*")] == [[0.79], [0.88]]
    assert [list(line.get_xdata()) for line in lines(legacy, "*")] == [[1], [1]]
    assert not any("printed" in text.get_text() for text in true.get_legend().get_texts())
    assert {"U-Net, printed", "W-Net, printed"} <= {text.get_text() for text in legacy.get_legend().get_texts()}


def test_printed_values_of_variants_without_results_are_left_out():
    _, legacy = curve(table(1, weights=(0.5, "only")), PRINTED).axes
    assert not lines(legacy, "*")


def test_every_value_of_the_second_setting_is_drawn():
    names = ["a", "b", "c", "unet"]
    true, _ = curve(table(2, networks=names)).axes
    assert sorted(text.get_text() for text in true.get_legend().get_texts()) == ["U-Net", "a", "b", "c"]
    starts = [line.get_xdata()[0] for line in lines(true, "s")]
    assert len(set(starts)) == 4
    assert np.mean(starts) == pytest.approx(0)


@pytest.mark.parametrize("draw", [curve, rows_of])
def test_perfect_scores_stay_inside_the_axes(draw):
    answer = table(1)
    for score in ("sbd", "sbd_legacy", "map"):
        answer[[score, f"{score}_low", f"{score}_high"]] = 1.0
        answer[f"{score}_seeds"] = [[1.0]] * len(answer)
    for axis in [*draw(answer).axes, *draw(answer, printed=PRINTED).axes]:
        low, high = axis.get_ylim() if draw is curve else axis.get_xlim()
        assert low < 1 <= high


def test_numbers_stand_by_size_before_words():
    answer = table(1, weights=(10.0, "only", 0.5))
    true, _ = curve(answer).axes
    assert [tick.get_text() for tick in true.get_xticklabels()] == ["0.5", "10", "only"]
    first = lines(true, "s")[0]
    drawn = dict(zip(np.round(first.get_xdata()), first.get_ydata(), strict=True))
    assert [drawn[0], drawn[1], drawn[2]] == [answer["sbd"][i] for i in (2, 0, 1)]


def test_dimensions_stand_by_size():
    answer = table(1, weights=(8, 64, 4)).rename(columns={"loss.inter_weight": "network.embedding_dim"})
    true, legacy = score_curve(answer, "network.embedding_dim", "network.name", "leaves").axes
    assert [tick.get_text() for tick in legacy.get_xticklabels()] == ["4", "8", "64"]
    assert true.get_xlabel() == "dimensions of the embedding"


def test_variants_beside_the_axis_are_level_lines(png):
    along = table(2, weights=(10.0, 30.0)).rename(columns={"loss.inter_weight": "loss.neighbour_distance"})
    beside = table(1, weights=(np.nan,)).rename(columns={"loss.inter_weight": "loss.neighbour_distance"})
    beside = beside.assign(**{"network.name": np.nan}, system=["three-class", "StarDist (imported)"])
    figure = score_curve(pd.concat([along, beside]), "loss.neighbour_distance", "network.name", "cells")
    for axis, score in zip(figure.axes, ("sbd", "map"), strict=True):
        level = [line for line in axis.get_lines() if line.get_linestyle() == "--"]
        assert [line.get_ydata() for line in level] == [[value] * 2 for value in beside[score]]
        assert len(lines(axis, "s")) == 2
        assert [tick.get_text() for tick in axis.get_xticklabels()] == ["10", "30"]
    (legend,) = [axis.get_legend() for axis in figure.axes if axis.get_legend()]
    assert {"three-class U-Net", "StarDist (imported)"} <= {text.get_text() for text in legend.get_texts()}
    figure.draw_without_rendering()
    box = legend.get_window_extent()
    assert figure.axes[1].bbox.x1 <= box.x0 < box.x1 <= figure.bbox.x1
    alone = score_curve(beside, "loss.neighbour_distance", "network.name", "cells")
    assert not lines(alone.axes[0], "s")
    assert png(alone).std() > 5


@pytest.mark.parametrize("networks", [["wnet"], ["unet", "wnet"]])
@pytest.mark.parametrize("weights", [(10.0,), (0.5, 10.0)])
def test_a_score_curve_of_a_single_value(png, networks, weights):
    figure = curve(table(1, weights, networks), PRINTED)
    for axis in figure.axes:
        assert len(lines(axis, "s")) == len(networks)
        assert axis.get_xlim() == (-0.5, len(weights) - 0.5)
    assert png(figure).std() > 10


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("printed", [None, PRINTED])
def test_score_rows_show_means_and_seeds(png, seeds, printed):
    answer = table(seeds)
    figure = rows_of(answer, printed=printed)
    assert len(figure.axes) == 2
    for axis, score in zip(figure.axes, drawn_scores(printed), strict=True):
        means = lines(axis, "s")
        assert [line.get_xdata()[0] for line in means] == answer[score].to_list()
        assert [line.get_ydata()[0] for line in means] == list(range(6))
        circles = [list(line.get_xdata()) for line in lines(axis, "o")]
        assert circles == ([] if seeds == 1 else answer[f"{score}_seeds"].to_list())  # a single one lies on the mean
        assert axis.yaxis.get_inverted()  # the first variant on top
    names = ["U-Net, λ = 0.5", "U-Net, λ = 10", "U-Net, λ = only", "W-Net, λ = 0.5", "W-Net, λ = 10", "W-Net, λ = only"]
    assert [tick.get_text() for tick in figure.axes[0].get_yticklabels()] == names
    assert (figure.axes[0].get_xlim() == figure.axes[1].get_xlim()) == (printed is not None)
    assert png(figure).std() > 10


def test_the_intervals_of_score_rows():
    answer = table(1)
    true, _ = rows_of(answer).axes
    intervals = [container.lines[2][0].get_segments()[0][:, 0] for container in true.containers]
    np.testing.assert_allclose(intervals, answer[["sbd_low", "sbd_high"]])


def test_the_stars_of_score_rows_stand_in_their_rows_of_the_legacy_score():
    true, legacy = rows_of(table(1), printed=PRINTED).axes
    assert not lines(true, "*")
    assert [(list(line.get_xdata()), round(line.get_ydata()[0])) for line in lines(legacy, "*")] == [
        ([0.79], 1),
        ([0.88], 4),
    ]
    figure = rows_of(table(1, weights=(0.5,)), printed=PRINTED)  # not a printed one
    assert not lines(figure.axes[1], "*")
    assert "Stars" not in figure.get_supxlabel()


@pytest.mark.parametrize("draw", [curve, lambda answer, printed: rows_of(answer, printed=printed)])
def test_stars_of_other_images_are_grey(draw):
    answer = table(1)
    legacy, other = (draw(answer, printed=printed) for printed in (PRINTED, ELSEWHERE))
    assert {line.get_markerfacecolor() for line in lines(other.axes[1], "*")} == {"0.8"}
    assert "0.8" not in {line.get_markerfacecolor() for line in lines(legacy.axes[1], "*")}
    words = " ".join(other.get_supxlabel().split())
    assert "Grey stars: the paper's values, on other images: the server's images." in words
    assert "on the same test images" not in words
    assert "Stars: the paper's values, on the same test images." in " ".join(legacy.get_supxlabel().split())


def test_the_control_is_marked():
    answer = table(1)
    control = {"network.name": "wnet", "loss.inter_weight": 10.0}
    figure = rows_of(answer, control=control)
    for axis, score in zip(figure.axes, ("sbd", "map"), strict=True):
        (band,) = axis.patches
        assert (band.get_y(), band.get_height()) == (3.5, 1)
        assert [line.get_xdata()[0] for line in lines(axis, "None") if line.get_linestyle() == ":"] == [
            answer[score][4]
        ]
    assert "Shaded: the control" in figure.get_supxlabel()
    figure = rows_of(answer, control={"network.name": "wnet", "loss.inter_weight": 3.0})  # without a result
    assert not any(axis.patches for axis in figure.axes)
    assert "control" not in figure.get_supxlabel()


@pytest.mark.parametrize("count", [1, 2, 12])
def test_the_parts_of_score_rows_do_not_meet(count):
    answer = table(1, weights=tuple(float(i) for i in range(count)), networks=["wnet"])
    figure = rows_of_clusterings(answer)
    figure.draw_without_rendering()
    assert min(axis.get_window_extent().height for axis in figure.axes) > 40
    caption = figure._supxlabel.get_window_extent()
    assert 0 <= caption.y0 < caption.y1 <= min(axis.get_tightbbox().y0 for axis in figure.axes)
    boxes = [axis.get_tightbbox() for axis in figure.axes]
    assert boxes[0].x0 >= 0
    assert boxes[-1].x1 <= figure.bbox.x1
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_numbers_of_a_narrow_axis_stand_apart(png):
    answer = table(3).assign(sbd=0.85, sbd_low=0.805, sbd_high=0.88)
    figure = rows_of(answer.assign(sbd_seeds=[[0.84, 0.85, 0.86]] * len(answer)))
    png(figure)
    for axis in figure.axes:
        low, high = axis.get_xlim()
        labels = [label for label in axis.get_xticklabels() if low <= label.get_position()[0] <= high]
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) > 2
        assert all(left.x1 + left.width / 2 < right.x0 for left, right in itertools.pairwise(boxes))


def test_errors_begin_at_zero_and_stand_in_place_of_shares():
    errors = table(3).rename(columns=lambda name: name.replace("sbd_legacy", "voi").replace("sbd", "arand"))
    for figure, axes in ((curve(errors), "y"), (rows_of(errors), "x")):
        arand, *others = figure.axes
        assert getattr(arand, f"get_{axes}label")() == "ARAND"
        assert "VOI" in [getattr(axis, f"get_{axes}label")() for axis in others]
        for axis in figure.axes:
            low, high = getattr(axis, f"get_{axes}lim")()
            assert low == 0 or getattr(axis, f"get_{axes}label")() == "mAP"
            assert high >= getattr(axis.dataLim, f"{axes}1")
