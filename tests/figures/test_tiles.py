import numpy as np
import pytest

from study.figures import brightness, tile_figure, tiled, tiles_of
from study.figures.style import WIDTH


def test_brightness_between_two_values():
    values = np.array([[0.2, 0.4, 0.6], [-9, 9, np.nan]])
    wanted = [[0, 127, 255], [0, 255, 128]]
    np.testing.assert_array_equal(brightness(values, 0.2, 0.6), np.repeat(np.reshape(wanted, (2, 3, 1)), 3, axis=2))


def test_brightness_of_colours():
    values = np.array([[[0.0, 0.5, 1.0]]])
    np.testing.assert_array_equal(brightness(values), [[[0, 127, 255]]])


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (2, 3), (3, 1)])
def test_tiles_come_back_from_a_picture(rows, columns):
    tiles = np.random.default_rng(0).integers(0, 255, (rows, columns, 5, 7, 3), dtype=np.uint8)
    picture = tiled(tiles)
    assert picture.shape == (9 * rows - 4, 11 * columns - 4, 3)
    np.testing.assert_array_equal(tiles_of(picture, rows, columns), tiles)


def test_gaps_between_tiles_are_white():
    picture = tiled(np.zeros((2, 2, 3, 3, 3), np.uint8))
    dark = (picture == 0).all(axis=2)
    assert dark.sum() == 4 * 9
    assert (picture[~dark] == 255).all()


def test_a_figure_of_tiles_with_words(png):
    tiles = np.random.default_rng(0).integers(0, 255, (2, 3, 20, 30, 3), dtype=np.uint8)
    rows = [("truth", [*tiles[0]]), ("a network", [tiles[1][0], None, tiles[1][2]])]
    figure = tile_figure(["image", "range 1 px", "range 3 px"], rows)
    axes = np.reshape(figure.axes, (2, 3))
    assert [axis.get_title() for axis in axes[0]] == ["image", "range 1 px", "range 3 px"]
    assert [line[0].get_ylabel() for line in axes] == ["truth", "a network"]
    shown = [[axis.get_images() for axis in line] for line in axes]
    assert [[len(images) for images in line] for line in shown] == [[1, 1, 1], [1, 0, 1]]
    np.testing.assert_array_equal(shown[1][2][0].get_array(), tiles[1][2])
    assert figure.get_figwidth() <= WIDTH
    assert png(figure).std() > 10
