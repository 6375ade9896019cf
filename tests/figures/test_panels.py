import itertools

import numpy as np
import pytest

from study.figures import (
    contact_sheet,
    embedding_colours,
    embedding_figure,
    folded,
    label_picture,
    outlined,
    panel,
)
from study.figures.panels import TILES, tile_of


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("shape", "factor"), [((20, 30), 8), ((50, 20), 4), ((160, 3), 1), ((200, 10), 1), ((1, 1), 160)]
)
def test_a_panel_is_five_tiles_and_four_gaps(a_panel, channels, shape, factor):
    picture = a_panel(shape, channels)
    assert picture.dtype == np.uint8
    assert picture.shape == (shape[0] * factor, 5 * shape[1] * factor + 16, 3)


def test_the_tiles_of_a_panel(units):
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
    np.testing.assert_array_equal(tiles[1], label_picture(labels))
    np.testing.assert_array_equal(tiles[3], embedding_colours(embedding))
    np.testing.assert_array_equal(tiles[4], tiles[1])  # matched to the truth


def test_the_embedding_of_a_panel_is_darker_outside_of_objects(units):
    labels = np.zeros((160, 2), int)
    labels[:80] = 1
    embedding = units(160, 2, 4)
    tile = tile_of(panel(np.zeros((160, 2, 1)), labels, labels, embedding, labels), "embedding")
    colours = embedding_colours(embedding)
    np.testing.assert_array_equal(tile[:80], colours[:80])
    assert (tile[80:] <= 0.3 * colours[80:]).all()
    assert tile[80:].any()


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


@pytest.mark.parametrize("missing", [("distance",), ("embedding",), ("distance", "embedding")])
def test_a_tile_of_what_a_run_does_not_have_is_grey(units, missing):
    labels = np.ones((160, 2), int)
    given = {"distance": np.eye(160, 2), "embedding": units(160, 2, 4)}
    whole = panel(np.eye(160, 2)[..., None], labels, **given, prediction=labels)
    picture = panel(np.eye(160, 2)[..., None], labels, **given | dict.fromkeys(missing), prediction=labels)
    assert picture.shape == whole.shape
    for name in TILES:
        if name in missing:
            assert (tile_of(picture, name) == 128).all()
        else:
            np.testing.assert_array_equal(tile_of(picture, name), tile_of(whole, name))


def test_a_contact_sheet_has_a_row_per_variant(a_panel, png):
    rows = [("unet, lambda 1", [a_panel(seed=0), a_panel(seed=1)]), ("wnet", [a_panel(seed=2)])]
    figure = contact_sheet(rows, "Which?")
    axes = np.reshape(figure.axes, (3, 2))
    assert [[bool(axis.get_images()) for axis in line] for line in axes] == [[True, True], [True, True], [True, False]]
    assert [axis.get_ylabel() for axis in axes[:, 0]] == ["", "unet, lambda 1", "wnet"]
    first, own = rows[0][1][0], shown(axes[1, 0])
    for i, name in enumerate(("distance", "embedding", "prediction")):
        np.testing.assert_array_equal(own[:, 244 * i : 244 * i + 240], tile_of(first, name))
    shared = shown(axes[0, 0])  # image and truth, once for all variants
    np.testing.assert_array_equal(shared[:, 244:484], tile_of(first, "truth"))
    assert (shared[:, 488:] == 255).all()
    assert png(figure).std() > 10


LAYERS = [{"network.concat_layer": layer} for layer in ("none", "dfeat.32", "efeat.32")]


def shown(axis):
    (image,) = axis.get_images()
    return np.asarray(image.get_array())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_embedding_figure_shows_embeddings_side_by_side(a_panel, png, count):
    panels = [[a_panel(seed=10 * v + i) for i in range(count)] for v in range(3)]
    figure = embedding_figure(LAYERS, panels, "leaves, seed 0")
    axes = np.reshape(figure.axes, (min(count, 2), 5))
    for i, line in enumerate(axes):
        tiles = [[strip[:, 244 * k : 244 * k + 240] for k in range(5)] for strip in (own[i] for own in panels)]
        np.testing.assert_array_equal(shown(line[0]), tiles[0][0])
        np.testing.assert_array_equal(shown(line[1]), tiles[0][1])
        for v in range(3):
            np.testing.assert_array_equal(shown(line[2 + v]), tiles[v][3])
    names = ["image", "truth", "(a) none (U-Net)", "(b) dfeat.32", "(c) efeat.32"]
    assert [axis.get_xlabel() for axis in axes[-1]] == names
    assert figure.get_supxlabel() == "leaves, seed 0"
    assert png(figure).std() > 10


def test_images_of_two_shapes_keep_their_shapes(a_panel):
    panels = [[a_panel((160, 160)), a_panel((160, 320))]]
    figure = embedding_figure(LAYERS[:1], panels, "")
    figure.draw_without_rendering()
    boxes = [axis.get_window_extent() for axis in figure.axes]
    assert [box.width / box.height for box in boxes] == pytest.approx([1, 1, 1, 2, 2, 2], rel=0.02)
    assert min(box.width for box in boxes) > 0.95 * max(box.width for box in boxes)  # the figure's height fits


def test_the_texts_of_an_embedding_figure_do_not_meet(a_panel):
    variant = {"network.leaky_distance_gradient": True, "network.concat_layer": "dfeat.16+efeat.16"}
    panels = [[a_panel((96, 96))] * 2] * 3
    figure = embedding_figure([variant] * 3, panels, "leaves: 40 test images (drawn by seed 2020), 3 seeds. " * 3)
    figure.draw_without_rendering()
    labels = [axis.xaxis.label.get_window_extent() for axis in figure.axes[-5:]]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(labels))
    caption = figure._supxlabel.get_window_extent()
    assert 0 <= caption.y0 < caption.y1 <= min(label.y0 for label in labels)
    assert figure.bbox.x0 <= caption.x0 < caption.x1 <= figure.bbox.x1
    upper, lower = (figure.axes[i].get_window_extent() for i in (0, 5))
    assert max(label.y1 for label in labels) < lower.y0 < lower.y1 < upper.y0 < upper.y1 <= figure.bbox.y1


def strip_of(*values, shape=(2, 3)):
    """A panel whose tiles have one value each."""
    tiles = [np.full((*shape, 3), value, np.uint8) for value in values]
    gap = np.full((shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)


def test_a_folded_panel_is_a_square_of_four():
    wanted = np.full((10, 10), 255)
    wanted[:2, :3], wanted[:2, 7:10], wanted[6:8, :3], wanted[6:8, 7:10] = 1, 4, 2, 5  # image, embedding, truth, found
    np.testing.assert_array_equal(folded(strip_of(1, 2, 3, 4, 5)), np.repeat(wanted[..., None], 3, axis=2))
    high = folded(strip_of(1, 2, 3, 4, 5, shape=(40, 3)))
    assert high.shape == (84, 84, 3)
    assert (high[-40:, :3] == 2).all()


def test_the_distance_stands_for_an_embedding_that_is_not_there():
    assert (folded(strip_of(1, 2, 3, 128, 5))[:2, 7:10] == 3).all()


def test_large_tiles_have_their_names_on_them():
    picture = folded(strip_of(100, 100, 100, 100, 100, shape=(160, 160)))
    for corner in (picture[:20, :40], picture[:20, 164:204], picture[164:184, :40], picture[164:184, 164:204]):
        assert corner.max() > 200  # white letters on a dark bar
        assert corner.min() < 50
    assert (picture[30:160, :160] == 100).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_outlines_lie_inside_of_the_objects(channels):
    labels = np.zeros((600, 8), np.int32)
    labels[1:6, 1:4], labels[1:6, 4:7] = 1, 2
    picture = outlined(np.full((600, 8, channels), 9, np.uint16), labels)
    around = np.zeros(labels.shape, bool)
    around[1:6, 1:7] = True
    within = np.zeros(labels.shape, bool)
    within[2:5, [2, 5]] = True  # of each object what is not at its edge: a dark line
    assert (picture[within] == 0).all()
    assert (picture[~around] == picture[0, 0]).all()
    lines = [np.unique(picture[(labels == i) & ~within], axis=0) for i in (1, 2)]
    assert [len(colours) for colours in lines] == [1, 1]
    assert (lines[0] != lines[1]).any()
    assert min(colours.max() for colours in lines) > 200


@pytest.mark.parametrize("colour", [(0, 255, 0), (255, 0, 255), (255, 255, 255)])
def test_outlines_have_other_colours_than_the_objects(colour):
    labels = np.zeros((600, 60), np.int32)
    labels[:300] = 1 + np.arange(60) // 10
    picture = outlined(np.where(labels[..., None] > 0, np.array(colour), 0), labels)
    lines = picture[10, [9, 19, 29, 39, 49]]
    assert len(np.unique(lines, axis=0)) == 5
    assert np.linalg.norm(lines - np.array(colour, float), axis=1).min() > 200


def test_small_pictures_with_outlines_are_enlarged():
    labels = np.zeros((96, 40), np.int32)
    labels[10:40, 10:30] = 1
    assert outlined(np.zeros((96, 40, 1)), labels).shape == (96, 40, 3)
    picture = outlined(np.zeros((96, 40, 1)), labels, least=512)
    assert picture.shape == (6 * 96, 6 * 40, 3)
    coloured = picture[6 * 20].any(axis=1)
    assert np.flatnonzero(coloured).tolist() == [60, 61, 178, 179]  # two pixels wide, inside of the object
