import numpy as np
import pytest
import torch

from study.deploy import segmenter as module
from study.deploy.segmenter import Segmenter, with_channels
from study.errors import StudyError
from study.inference import predict_maps
from study.profiles import load_settings
from study.runs.resources import network_images, opened
from study.segmentation import label_image
from tests.networks.built import build


def segmenter(channels=3, **changes):
    changes = {name.replace("__", "."): value for name, value in changes.items()}
    settings = load_settings(profile="smoke").with_({"clustering.foreground": "predicted", **changes})
    torch.manual_seed(5)
    return Segmenter(build(channels, settings).eval(), settings, channels)


@pytest.mark.parametrize("foreground", ["predicted", "none", "truth"])
def test_labels_are_those_of_the_study(foreground):
    """Images are resized, so that labels are brought back to the original size.

    In float32: what bfloat16 rounds depends on how many images the network takes at once.
    """
    model = segmenter(clustering__foreground=foreground, training__precision="float32")
    images = network_images(model.settings.data, "test")
    records = opened(model.settings.data).splits["test"]
    maps = predict_maps(model.network, images, model.settings)
    assert images[0].labels.shape != images[0].original.shape
    for record, image, of_study in zip(records, images, maps, strict=True):
        mask = image.original > 0 if foreground == "truth" else None
        found = model(record.load().image, mask)
        assert found.dtype == np.int32
        np.testing.assert_array_equal(found, label_image(of_study, image, model.settings.clustering))
        assert found.any()


def test_a_model_says_what_it_learnt_from():
    about = "angular clustering, trained on synthetic-leaves"
    assert repr(segmenter()) == f"<Segmenter: wnet with {about}: colour images scaled to 48 px>"
    own = segmenter(1, data__image_size=0)
    own.facts = {"dataset": "nuclei of ours"}
    assert own.about == "wnet with angular clustering, trained on nuclei of ours: grey images of their own size"


def test_without_a_mask_the_foreground_is_predicted():
    image = np.random.default_rng(0).integers(0, 255, (20, 24, 3), dtype=np.uint8)
    blind, predicting = (segmenter(clustering__foreground=rule) for rule in ("truth", "predicted"))
    np.testing.assert_array_equal(blind(image), predicting(image))


@pytest.mark.parametrize("size", [0, 16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (33, 17)])
def test_any_size(size, shape):
    image = np.random.default_rng(0).integers(0, 255, (*shape, 3), dtype=np.uint8)
    assert segmenter(data__image_size=size)(image).shape == shape


def test_range_of_the_pixels_does_not_matter():
    model, image = segmenter(), np.random.default_rng(0).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    found = model(image)
    for other in (image.astype(np.uint16) * 256, image.astype(np.float64), np.dstack([image, image[..., 0]])):
        assert np.mean(model(other) == found) > 0.98  # rounding


def test_channels():
    grey, colours = np.full((2, 3, 1), 7, np.uint8), np.zeros((2, 3, 3), np.uint16)
    colours[..., 2] = 60_000
    assert with_channels(grey, 1) is grey
    np.testing.assert_array_equal(with_channels(grey, 3), np.full((2, 3, 3), 7))
    luminance = with_channels(colours, 1)
    assert luminance.shape == (2, 3, 1)
    np.testing.assert_allclose(luminance, 0.0721 * 60_000, rtol=1e-4)
    assert segmenter(channels=1)(colours).shape == (2, 3)


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 5)), np.full((4, 4), np.nan), np.zeros((0, 4)), np.zeros(4)])
def test_what_is_no_image_is_refused(bad):
    with pytest.raises(StudyError, match="the image has"):
        segmenter()(bad)


def test_black_image():
    assert segmenter()(np.zeros((12, 12), np.uint8)).shape == (12, 12)


@pytest.mark.parametrize("masked", [False, True])
def test_large_images_are_taken_in_tiles(monkeypatch, masked):
    model = segmenter(data__image_size=0)
    image = np.random.default_rng(0).integers(0, 255, (61, 75, 3), dtype=np.uint8)
    mask = np.arange(75) < 40 + np.zeros((61, 1)) if masked else None
    whole = model(image, mask)
    assert whole.any()
    monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr(module, "labels_of_maps", None)
    np.testing.assert_array_equal(model(image, mask), whole)
    assert not masked or not whole[:, 40:].any()


def test_a_resized_image_is_never_large(monkeypatch):
    monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr(module, "label_in_tiles", None)
    assert segmenter()(np.zeros((50, 90), np.uint8)).shape == (50, 90)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(StudyError, match=r"the foreground has shape \(4, 5\), the image \(5, 5\)"):
        segmenter()(np.zeros((5, 5), np.uint8), np.ones((4, 5), bool))
