import numpy as np
import pytest
from matplotlib.colors import to_rgba

from study.figures import Tile, grid_figure, masks_of
from study.figures.grid import MARKS

PICTURE = np.full((6, 9, 3), 90, np.uint8)
CORNER = np.zeros((6, 9), bool)
CORNER[:3, :4] = True


def test_pictures_stand_in_rows_and_columns(png):
    other = np.full((6, 9), 200, np.uint8)  # a map
    figure = grid_figure(["image", "labels"], [("a", [Tile(PICTURE), Tile(other)]), ("b", [Tile(PICTURE), None])])
    axes = np.reshape(figure.axes, (2, 2))
    assert [axis.get_title() for axis in axes[0]] == ["image", "labels"]
    assert [line[0].get_ylabel() for line in axes] == ["a", "b"]
    np.testing.assert_array_equal(axes[0, 1].get_images()[0].get_array(), other)
    assert not axes[1, 1].get_images()
    assert not figure.legends
    assert png(figure).std() > 10


@pytest.mark.parametrize("kind", MARKS)
def test_an_outline_has_the_colour_of_its_kind(kind, png):
    figure = grid_figure(["labels"], [("a", [Tile(PICTURE, [(kind, CORNER)])])], [kind])
    (axis,) = figure.axes
    lines = [collection.get_edgecolor()[0].tolist() for collection in axis.collections]
    assert lines == [[0, 0, 0, 1], list(to_rgba(MARKS[kind][0]))]
    # closed, also where the object touches the edge of the image, and in its place
    (path,) = axis.collections[-1].get_paths()
    assert path.get_extents().bounds == (-0.5, -0.5, 4, 3)
    assert axis.get_xlim() == (-0.5, 8.5)
    assert axis.get_ylim() == (5.5, -0.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [kind]
    assert png(figure).std() > 10


def test_a_number_stands_in_the_middle_of_its_object():
    mask = np.zeros((7, 9), bool)
    mask[1:4, 2:5], mask[1, 5:] = True, True  # with a tail
    (axis,) = grid_figure(["image"], [("a", [Tile(np.zeros((7, 9, 3), np.uint8), numbers={3: mask})])]).axes
    (text,) = [text for text in axis.texts if text.get_text() == "3"]
    assert text.get_position() == (3, 2)


def test_masks_of_objects_that_are_there():
    labels = np.array([[0, 1], [2, 2]])
    (mask,) = masks_of(labels, [2, 5])
    np.testing.assert_array_equal(mask, [[False, False], [True, True]])
