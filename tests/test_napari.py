"""The plugin without its viewer."""

import importlib
import tomllib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import study
from study.deploy.package import load_package, save_package
from study.errors import StudyError
from study.napari import segment
from tests.deploy.test_segmenter import segmenter

PIXELS = np.random.default_rng(0).integers(0, 255, (2, 3, 24, 20, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model."""
    place = tmp_path_factory.mktemp("model")
    made = segmenter()
    save_package(place, made.network.state_dict(), made.settings, made.channels, {})
    return place


def layer(data, rgb):
    dimensions = data.ndim - rgb
    return SimpleNamespace(
        name="plant",
        data=data,
        rgb=rgb,
        multiscale=False,
        scale=np.full(dimensions, 0.5),
        translate=np.arange(dimensions),
    )


@pytest.mark.parametrize(("data", "rgb"), [(PIXELS[0, 0], True), (PIXELS[0, 0, ..., 0], False), (PIXELS, True)])
def test_labels_become_a_layer_at_the_place_of_the_image(folder, data, rgb):
    labels, about, kind = segment(layer(data, rgb), folder, "cpu")
    model = load_package(folder, "cpu")
    shape = data.shape[: data.ndim - rgb]
    assert (kind, about["name"], labels.shape) == ("labels", "plant: objects", shape)
    assert len(about["scale"]) == len(about["translate"]) == labels.ndim
    for place in np.ndindex(shape[:-2]):
        np.testing.assert_array_equal(labels[place], model(data[place]))


def test_of_several_resolutions_the_first_is_taken(folder):
    image = layer(PIXELS[0, 0], True)
    image.data, image.multiscale = [image.data, image.data[::2, ::2]], True
    labels, *_ = segment(image, folder, "cpu")
    assert labels.shape == (24, 20)


@pytest.mark.usefixtures("store")
def test_a_model_by_its_name_in_the_registry():
    with pytest.raises(StudyError, match="there is no model 'models:/absent@best'"):
        segment(layer(PIXELS[0, 0], True), Path("models:/absent@best"))


def test_the_manifest_is_found_and_names_what_there_is():
    project = tomllib.loads(Path(study.__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
    module, _, file = project["entry-points"]["napari.manifest"][project["name"]].partition(":")
    manifest = yaml.safe_load((Path(importlib.import_module(module).__file__).parent / file).read_text())
    assert manifest["name"] == project["name"]
    (command,) = manifest["contributions"]["commands"]
    (widget,) = manifest["contributions"]["widgets"]
    assert widget["command"] == command["id"]
    module, _, name = command["python_name"].partition(":")
    assert getattr(importlib.import_module(module), name) is segment
