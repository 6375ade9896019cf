import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.data import Dataset, Record, open_dataset
from study.data.check import check
from study.data.settings import Data
from study.errors import StudyError
from study.figures.data_set import draw_data_set, intensity_figure, object_figure, object_size_figure, size_figure
from study.figures.suspicious import suspicious_figure

NAMES = ("sizes", "intensities", "objects", "object_sizes", "suspicious")


def record(name, shape=(20, 30), objects=3, dtype=np.uint8, fault=""):
    labels = np.zeros(shape, np.int32)
    for i in range(objects):
        labels[2 + 4 * i : 5 + 4 * i, 3:12] = i + 1
    noise = np.random.default_rng(len(name) + objects).integers(0, 50, (*shape, 1))
    return Record(name, lambda: ((noise + 20 * labels[..., None]).astype(dtype), labels), fault=fault)


def report_of(train, val=(), test=()):
    return check(Dataset("cells", {"train": tuple(train), "val": tuple(val), "test": tuple(test)}, False, "by hand"))


@pytest.fixture
def mixed():
    """Images of two sizes and types, one without objects, one that cannot be read."""
    train = [
        record("a"),
        record("bb", (40, 60), 7),
        record("ccc", objects=0),
        record("d", fault="d.png is gone: add it"),
    ]
    return report_of(train, [record("eeee", dtype=np.float32)], [record("fffff", objects=2)])


def bars(axis):
    """Edges and total heights of stacked bars."""
    tops = {}
    for bar in axis.patches:
        tops[bar.get_x()] = max(tops.get(bar.get_x(), 0), bar.get_y() + bar.get_height())
    return {place: top for place, top in sorted(tops.items()) if top}


def test_sizes(mixed, png):
    figure = size_figure(mixed)
    (axis,) = figure.axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["20 x 30 px", "40 x 60 px"]
    assert [text.get_text() for text in axis.texts] == ["4", "1"]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["train: 3 images", "val: 1 image", "test: 1 image"]
    assert png(figure).std() > 10


def test_many_sizes_are_dots(png):
    figure = size_figure(report_of([record("a" * k, (20 + k, 30)) for k in range(1, 15)]))
    (axis,) = figure.axes
    (dots,) = axis.lines
    assert dots.get_ydata().tolist() == list(range(21, 35))
    assert set(dots.get_xdata()) == {30}
    assert png(figure).std() > 5


def test_intensities_have_a_panel_for_each_type_and_rise(mixed, png):
    figure = intensity_figure(mixed)
    assert [axis.get_ylabel() for axis in figure.axes] == ["value (float32)", "value (uint8)"]
    dots = [line for line in figure.axes[1].lines if line.get_marker() == "o"]
    medians = np.concatenate([line.get_ydata() for line in dots])
    places = np.concatenate([line.get_xdata() for line in dots])
    assert sorted(places) == [1, 2, 3, 4]
    assert (np.diff(medians[np.argsort(places)]) >= 0).all()
    assert png(figure).std() > 10


def test_objects_of_images(mixed, png):
    figure = object_figure(mixed)
    heights = bars(figure.axes[0])
    assert sum(heights.values()) == 5
    assert heights[-0.5] == 1  # without an object
    assert png(figure).std() > 10


def test_sizes_of_objects(mixed, png):
    figure = object_size_figure(mixed)
    (axis,) = figure.axes
    assert sum(bars(axis).values()) == 3 + 7 + 3 + 2
    assert axis.get_legend().get_texts()[-1].get_text() == "median: 27"
    assert png(figure).std() > 10


def test_suspicious_images_have_their_defect_below_them(mixed, png):
    figure = suspicious_figure(mixed)
    shown = {axis.get_title(): axis.get_xlabel() for axis in figure.axes if axis.get_images()}
    assert shown == {"d\n(train)": "d.png is gone", "ccc\n(train)": "no objects"}
    assert figure.get_suptitle() == "cells: 2 images to look at"
    assert png(figure).std() > 10


def test_a_long_sheet_shows_the_first_images():
    figure = suspicious_figure(report_of([record("x" * k, objects=0) for k in range(1, 40)]))
    assert sum(bool(axis.get_images()) for axis in figure.axes) == 24
    assert "39 images to look at, of which the first 24 are shown" in figure.get_suptitle()


def test_tiny_objects_are_circled():
    labels = np.zeros((20, 30), np.int32)
    labels[4, 7], labels[10:, 10:] = 1, 2
    image = np.arange(600, dtype=np.uint16).reshape(20, 30, 1)
    figure = suspicious_figure(report_of([Record("a", lambda: (image, labels))]))
    (circles,) = figure.axes[0].lines
    assert (circles.get_xdata().tolist(), circles.get_ydata().tolist()) == ([7], [4])


def test_files_are_written_and_outdated_ones_removed(mixed, tmp_path):
    files = draw_data_set(mixed, tmp_path / "new")
    assert files == [tmp_path / "new" / f"{name}.png" for name in NAMES]
    for file in files:
        with Image.open(file) as picture:
            assert picture.format == "PNG"
    sound = report_of([record("a"), record("bb")], [record("ccc")], [record("dddd")])
    assert len(draw_data_set(sound, tmp_path / "new")) == 4
    assert not (tmp_path / "new" / "suspicious.png").exists()
    nothing = report_of([record("a", fault="a.png is gone: add it")])
    assert [file.stem for file in draw_data_set(nothing, tmp_path / "new")] == ["suspicious"]
    assert [file.stem for file in (tmp_path / "new").iterdir()] == ["suspicious"]
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="cannot write into"):
        draw_data_set(mixed, tmp_path / "file")


@pytest.mark.parametrize("name", ["a$b$c_{", "細胞", "<b>&amp;", "x" * 90])
def test_any_name_can_be_drawn(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw_data_set(report_of([record(name, objects=0)]), tmp_path)


def test_volumes_are_drawn(tmp_path):
    report = check(open_dataset(Data(name="neurites", planes=4, side=32)))
    assert [file.stem for file in draw_data_set(report, tmp_path)][:4] == [*NAMES[:4]]
    assert object_size_figure(report).axes[0].get_xlabel() == "size of an object, voxels"


def test_an_image_without_labels_is_shown():
    image = np.arange(600, dtype=np.uint16).reshape(20, 30, 1)
    there = Record("a", lambda: (image, image), (Path("a.png"),), "a.png has no labels: add them", lambda: image)
    gone = Record("b", lambda: (image, image), (), "b is nowhere: add it", lambda: image)
    figure = suspicious_figure(report_of([there, gone]))
    assert [axis.get_images()[0].get_array().std() > 0 for axis in figure.axes[:2]] == [True, False]
