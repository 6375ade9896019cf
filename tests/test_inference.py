from dataclasses import replace

import numpy as np
import pytest
import torch

from study.data.batches import NetworkImage, resize_labels
from study.data.targets import distance_map
from study.inference import predict_maps
from study.segmentation import label_image
from study.settings import Settings
from tests.maps import image_maps
from tests.networks.built import build

LABELS = np.zeros((20, 24), np.int32)
LABELS[2:10, 2:10], LABELS[2:10, 10:20], LABELS[12:19, 5:20] = 1, 2, 3
DIRECTIONS = np.eye(4, dtype=np.float16)


def settings(**more):
    changes = {
        "network.base_width": 8,
        "network.depth": 2,
        "network.embedding_dim": 3,
        "network.norm": "batch",
        "training.precision": "float32",
    }
    return Settings().with_(changes | {name.replace("__", "."): value for name, value in more.items()})


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = build(2, settings())
    network(torch.randn(4, 2, 16, 16))  # running means of the batch norm that are not at their start
    return network.eval()


def picture(shape, seed=0, labels=None):
    pixels = np.random.default_rng(seed).normal(size=(*shape, 2)).astype(np.float16)
    labels = np.zeros(shape, np.int32) if labels is None else labels
    return NetworkImage(f"i{seed}", pixels, labels, labels)


def assert_close(found, wanted):
    """Equal within the rounding of half precision."""
    np.testing.assert_allclose(found.objectness, wanted.objectness, rtol=2e-3, atol=1e-4)
    np.testing.assert_allclose(found.embedding, wanted.embedding, atol=2e-3)


def perfect_maps(labels=LABELS):
    return image_maps(distance_map(labels).astype(np.float16), DIRECTIONS[labels])


def clustering(**more):
    return replace(Settings().clustering, min_size=5, **more)


def image_of(labels, original=None):
    original = labels if original is None else original
    return NetworkImage("x", np.zeros((*labels.shape, 1), np.float16), labels, original)


def test_maps_of_an_image(network):
    (maps,) = predict_maps(network, [picture((16, 12))], settings())
    assert (maps.objectness.shape, maps.embedding.shape) == ((16, 12), (16, 12, 3))
    assert maps.objectness.dtype == maps.embedding.dtype == np.float16
    assert maps.objectness.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(maps.embedding.astype(np.float32), axis=2), 1, atol=2e-3)


def test_maps_are_what_the_network_gives(network):
    image = picture((16, 12))
    (maps,) = predict_maps(network, [image], settings(loss__distance_scale=5))
    with torch.no_grad():
        output = network(torch.from_numpy(image.pixels.astype(np.float32)).permute(2, 0, 1)[None])
    embedding = output.embedding[0].permute(1, 2, 0).numpy()
    assert_close(maps, image_maps(output.distance[0, 0].numpy() / 5, embedding))


def test_neither_company_nor_order_matters(network):
    shapes = [(16, 12), (8, 8), (16, 12), (13, 7), (16, 12), (8, 8)]
    images = [picture(shape, seed) for seed, shape in enumerate(shapes)]
    order = [3, 0, 5, 4, 1, 2]
    together = predict_maps(network, [images[i] for i in order], settings())
    for place, i in enumerate(order):
        assert_close(together[place], predict_maps(network, [images[i]], settings())[0])


@pytest.mark.parametrize("shape", [(13, 22), (1, 1), (5, 1), (1, 6), (3, 2), (4, 4)])
def test_images_of_any_size(network, shape):
    (maps,) = predict_maps(network, [picture(shape)], settings())
    assert maps.objectness.shape == shape
    assert np.isfinite(maps.objectness).all()
    assert np.isfinite(maps.embedding).all()


def test_odd_sizes_are_continued_by_reflection(network):
    image = picture((13, 16))
    grown = np.concatenate([image.pixels, image.pixels[-2:-5:-1]])
    whole = replace(image, pixels=grown, labels=np.zeros((16, 16), np.int32), original=np.zeros((16, 16), np.int32))
    odd, even = predict_maps(network, [image, whole], settings())
    assert_close(odd, image_maps(even.objectness[:13], even.embedding[:13]))


def test_no_images(network):
    assert predict_maps(network, [], settings()) == []


def test_a_network_in_training_stays_in_training():
    torch.manual_seed(0)
    network = build(2, settings(network__dropout=0.5)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    a, b = (predict_maps(network, [picture((8, 8))], settings())[0] for _ in range(2))
    assert network.training
    np.testing.assert_array_equal(a.embedding, b.embedding)  # without dropout
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_bfloat16_changes_little(network):
    image = picture((16, 12))
    exact, rough = (
        predict_maps(network, [image], settings(training__precision=precision))[0]
        for precision in ("float32", "bfloat16")
    )
    assert not np.array_equal(exact.objectness, rough.objectness)
    np.testing.assert_allclose(exact.objectness, rough.objectness, atol=0.1 * exact.objectness.max())


@pytest.mark.parametrize("foreground", ["truth", "none"])
def test_perfect_maps_give_the_true_objects(foreground):
    found = label_image(perfect_maps(), image_of(LABELS), clustering(foreground=foreground))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize("shape", [(40, 48), (33, 51), (20, 24), (7, 9)])
@pytest.mark.parametrize("foreground", ["truth", "none"])
def test_labels_come_back_at_the_original_size(shape, foreground):
    original = resize_labels(LABELS, shape)
    found = label_image(perfect_maps(), image_of(LABELS, original), clustering(foreground=foreground))
    np.testing.assert_array_equal(found, original)


def test_the_true_foreground_is_a_mask_and_nothing_more():
    masked = np.where(LABELS == 2, 0, LABELS)
    masked[2:4] = 0
    found = label_image(perfect_maps(), image_of(masked), clustering(foreground="truth"))
    np.testing.assert_array_equal(found > 0, masked > 0)
    all_one = (LABELS > 0).astype(np.int32)  # which object is where must come from the maps
    found = label_image(perfect_maps(), image_of(all_one), clustering(foreground="truth"))
    np.testing.assert_array_equal(found, LABELS)


def test_the_mask_is_the_one_of_the_original_size():
    original = resize_labels(LABELS, (40, 48)).copy()
    original[:5] = 0
    found = label_image(perfect_maps(), image_of(LABELS, original), clustering(foreground="truth"))
    np.testing.assert_array_equal(found > 0, original > 0)


@pytest.mark.parametrize("foreground", ["none", "predicted"])
def test_true_labels_change_nothing_unless_asked_for(foreground):
    rng = np.random.default_rng(0)
    images = [image_of(labels) for labels in (LABELS, np.zeros_like(LABELS), rng.integers(0, 5, LABELS.shape))]
    found = [label_image(perfect_maps(), image, clustering(foreground=foreground)) for image in images]
    assert found[0].any()
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_an_image_without_objects():
    empty = np.zeros((6, 5), np.int32)
    maps = image_maps(np.zeros((6, 5), np.float16), np.zeros((6, 5, 3), np.float16))
    for foreground in ("truth", "none", "predicted"):
        assert not label_image(maps, image_of(empty), clustering(foreground=foreground)).any()
