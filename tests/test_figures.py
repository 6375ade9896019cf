import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from study.figures import contact_sheet, embedding_colours, label_colours, matched_to, panel, score_curve


def units(*shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def png(figure):
    """The figure as pixels, by way of a PNG file."""
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize("dims", [1, 2, 8, 32])
def test_an_embedding_has_one_colour_in_any_picture(dims):
    vectors = units(30, dims)
    colours = embedding_colours(vectors.reshape(5, 6, dims)).reshape(30, 3)
    assert colours.dtype == np.uint8
    for vector, colour in zip(vectors, colours, strict=True):
        np.testing.assert_array_equal(embedding_colours(vector.reshape(1, 1, dims))[0, 0], colour)
    others = np.concatenate([vectors[::-1], units(40, dims, seed=1)])
    np.testing.assert_array_equal(embedding_colours(others[None])[0, :30], colours[::-1])


def test_different_embeddings_have_different_colours():
    axes = np.concatenate([np.eye(8), -np.eye(8)])
    colours = embedding_colours(axes[None])[0].astype(int)
    apart = np.abs(colours[:, None] - colours).max(axis=2) + 999 * np.eye(16, dtype=int)
    assert apart.min() > 10
    np.testing.assert_allclose(colours[:8] + colours[8:], 256, atol=2)  # opposite vectors, opposite colours


def test_half_precision_changes_no_colour_by_more_than_one():
    vectors = units(9, 9, 8)
    exact, half = embedding_colours(vectors).astype(int), embedding_colours(vectors.astype(np.float16)).astype(int)
    assert np.abs(exact - half).max() <= 1


def test_labels_are_colours_and_the_background_is_black():
    labels = np.array([[0, 1, 2], [3, 0, 1]])
    colours = label_colours(labels)
    assert (colours.shape, colours.dtype) == ((2, 3, 3), np.uint8)
    assert not colours[labels == 0].any()
    np.testing.assert_array_equal(colours[0, 1], colours[1, 2])
    np.testing.assert_array_equal(label_colours(np.array([[2]]))[0, 0], colours[0, 2])  # whatever else is there
    many = label_colours(np.arange(1, 41)[None])[0].astype(int)
    assert len(np.unique(many, axis=0)) == 40
    assert np.abs(np.diff(many, axis=0)).sum(axis=1).min() > 60
    assert not label_colours(np.zeros((2, 2), int)).any()


TRUE = np.array([[1, 1, 1, 0], [2, 2, 0, 0], [2, 2, 4, 4]])


@pytest.mark.parametrize("ids", [(0, 1, 2, 3, 4), (0, 2, 4, 3, 1), (0, 7, 1, 3, 20), (0, 4, 1, 3, 2)])
def test_permuted_labels_are_matched_exactly(ids):
    matched = matched_to(TRUE, np.array(ids)[TRUE])
    assert matched.dtype == np.int32
    np.testing.assert_array_equal(matched, TRUE)


def test_parts_and_unions_are_matched_to_what_they_cover_most():
    split = np.array([[5, 5, 6, 0], [3, 3, 0, 9], [3, 3, 8, 8]])
    np.testing.assert_array_equal(matched_to(TRUE, split), [[1, 1, 5, 0], [2, 2, 0, 6], [2, 2, 4, 4]])
    union = np.where(TRUE > 0, 1, 0)
    np.testing.assert_array_equal(matched_to(TRUE, union), 2 * union)  # 2 is the largest


def test_matching_keeps_the_objects_apart():
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 5, (9, 9)), rng.integers(0, 8, (9, 9))
    matched = matched_to(true, pred)
    np.testing.assert_array_equal(matched == 0, pred == 0)
    pairs = np.unique(np.stack([pred.ravel(), matched.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_matching_without_objects():
    none = np.zeros((2, 2), int)
    assert not matched_to(none, none).any()
    assert not matched_to(np.ones((2, 2), int), none).any()
    np.testing.assert_array_equal(matched_to(none, none + 3), none + 1)


def a_panel(shape=(20, 30), channels=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, shape)
    return panel(
        rng.normal(size=(*shape, channels)).astype(np.float16),
        labels,
        rng.random(shape).astype(np.float16),
        units(*shape, 8).astype(np.float16),
        labels[::-1],
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("shape", "factor"), [((20, 30), 8), ((50, 20), 4), ((160, 3), 1), ((200, 10), 1), ((1, 1), 160)]
)
def test_a_panel_is_five_tiles_and_four_gaps(channels, shape, factor):
    picture = a_panel(shape, channels)
    assert picture.dtype == np.uint8
    assert picture.shape == (shape[0] * factor, 5 * shape[1] * factor + 16, 3)


def test_the_tiles_of_a_panel():
    shape = (160, 2)
    labels = np.ones(shape, int)
    labels[80:] = 2
    swapped = 3 - labels
    distance = np.linspace(0, 3, 320).reshape(shape)
    image = np.linspace(-2, 2, 320).reshape(*shape, 1)
    embedding = units(*shape, 4)
    picture = panel(image, labels, distance, embedding, swapped)
    tiles = [picture[:, 6 * i : 6 * i + 2] for i in range(5)]
    assert all((picture[:, 6 * i + 2 : 6 * i + 6] == 255).all() for i in range(4))
    for grey in (tiles[0], tiles[2]):
        assert (grey == grey[..., :1]).all()
        assert (grey.min(), grey.max()) == (0, 255)
    np.testing.assert_array_equal(tiles[1], label_colours(labels))
    np.testing.assert_array_equal(tiles[3], embedding_colours(embedding))
    np.testing.assert_array_equal(tiles[4], tiles[1])  # matched to the truth


def test_a_panel_of_a_dead_network_is_dark_but_drawn():
    zero = np.zeros((4, 4), int)
    picture = panel(np.zeros((4, 4, 1)), zero, zero.astype(np.float16), np.zeros((4, 4, 2), np.float16), zero)
    assert not picture[:, 2 * 160 + 8 : 3 * 160 + 8].any()


def test_a_panel_of_a_network_that_has_exploded():
    labels = np.ones((4, 4), int)
    distance, embedding = np.full((4, 4), np.inf, np.float16), np.full((4, 4, 2), np.nan, np.float16)
    distance[0, 0] = 3
    picture = panel(np.zeros((4, 4, 1)), labels, distance, embedding, labels)
    tile = picture[:, 2 * 160 + 8 : 3 * 160 + 8]
    assert (tile[0, 0] == 255).all()
    assert not tile[:, 40:].any()


def test_a_contact_sheet_has_a_row_per_variant():
    rows = [("unet, lambda 1", [a_panel(seed=0), a_panel(seed=1)]), ("wnet", [a_panel(seed=2)])]
    figure = contact_sheet(rows, "Which?")
    shown = [[bool(axis.get_images()) for axis in line] for line in np.reshape(figure.axes, (2, 2))]
    assert shown == [[True, True], [True, False]]
    assert [axis.get_ylabel() for axis in figure.axes[::2]] == ["unet, lambda 1", "wnet"]
    assert png(figure).std() > 10


def table(seeds, weights=(0.5, 10.0, "only"), networks=("unet", "wnet")):
    rng = np.random.default_rng(0)
    rows = []
    for network in networks:
        for weight in weights:
            row = {"network.name": network, "loss.inter_weight": weight}
            for score in ("sbd", "sbd_legacy"):
                found = rng.uniform(0.4, 0.8, seeds)
                row |= {score: found.mean(), f"{score}_low": found.mean() - 0.1, f"{score}_high": found.mean() + 0.05}
                row[f"{score}_seeds"] = found.tolist()
            rows.append(row)
    return pd.DataFrame(rows)


PRINTED = pd.DataFrame({"network.name": ["unet", "wnet"], "loss.inter_weight": [10.0, 10.0], "value": [0.79, 0.88]})


def curve(answer, printed=None):
    return score_curve(answer, "loss.inter_weight", "network.name", "leaves, 4 images", printed)


def lines(axis, marker):
    return [line for line in axis.get_lines() if line.get_marker() == marker]


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("printed", [None, PRINTED])
def test_a_score_curve_shows_means_and_seeds(seeds, printed):
    answer = table(seeds)
    figure = curve(answer, printed)
    for axis, score in zip(figure.axes, ("sbd", "sbd_legacy"), strict=True):
        means = np.concatenate([line.get_ydata() for line in lines(axis, "s")])
        np.testing.assert_array_equal(means, answer[score])
        dots = np.concatenate([line.get_ydata() for line in lines(axis, "o")])
        np.testing.assert_array_equal(dots, np.concatenate(answer[f"{score}_seeds"].to_list()))
        assert [tick.get_text() for tick in axis.get_xticklabels()] == ["0.5", "10", "only"]
    assert figure.axes[0].get_ylim()[0] == figure.axes[1].get_ylim()[0]  # so that the two can be compared
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


def test_perfect_scores_stay_inside_the_axes():
    answer = table(1)
    answer[["sbd", "sbd_low", "sbd_high", "sbd_legacy", "sbd_legacy_low", "sbd_legacy_high"]] = 1.0
    answer["sbd_seeds"] = answer["sbd_legacy_seeds"] = [[1.0]] * len(answer)
    for axis in curve(answer).axes:
        low, high = axis.get_ylim()
        assert low < 1 <= high
