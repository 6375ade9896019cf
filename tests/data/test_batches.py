import numpy as np
import pytest
import torch

from study.data.batches import (
    LARGEST_SCALE,
    STEP_UNIT,
    NetworkImage,
    TrainingImages,
    check_channels,
    network_image,
    resize_labels,
    standardise,
)
from study.data.dataset import Sample
from study.data.settings import Data
from study.data.targets import neighbours, reach_of
from study.errors import StudyError

CPU = torch.device("cpu")


def picture(height, width, seed=0, channels=2):
    """An image whose first channel tells the position of each pixel, with two objects."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((height, width), np.int32)
    labels[: height // 2, : width // 2] = 1
    labels[height // 2 + 1 :] = 2
    pixels = rng.normal(size=(height, width, channels)).astype(np.float16)
    pixels[..., 0] = np.arange(height * width).reshape(height, width)
    return NetworkImage(f"i{seed}", pixels, labels, labels)


def images(data, *shapes):
    return TrainingImages([picture(*shape, seed) for seed, shape in enumerate(shapes)], data, 3, CPU)


def taken(image=0, top=0, left=0, flips=(0, 0, 0), step=STEP_UNIT):
    """What a step takes of one image, see `TrainingImages.sample`."""
    return [image, top, left, *flips, step]


def test_more_objects_than_ids_can_tell_are_refused():
    """They would become others, of negative ids."""
    labels = np.arange(4 * 8192, dtype=np.int32).reshape(4, -1) + 1  # 32 768 objects
    many = NetworkImage("dust", np.zeros((*labels.shape, 1), np.float16), labels, labels)
    with pytest.raises(StudyError, match="dust has 32768 objects, but an image to train on may have 32767: cut it"):
        TrainingImages([many], Data(), 3, CPU)


def test_whole_images_come_back():
    store = images(Data(augmentation="none"), (8, 10), (8, 10))
    batch = store.batch(torch.tensor([taken(1, 0, 0), taken(0, 0, 0)]))
    for place, seed in enumerate((1, 0)):
        wanted = picture(8, 10, seed)
        np.testing.assert_array_equal(batch.images[place].permute(1, 2, 0), wanted.pixels.astype(np.float32))
        np.testing.assert_array_equal(batch.labels[place], wanted.labels)
    assert batch.images.is_contiguous(memory_format=torch.channels_last)
    assert batch.distance.max() == 1
    assert batch.neighbours.shape == (2, 3, 3)


@pytest.mark.parametrize("flips", [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
def test_image_labels_and_distance_are_flipped_together(flips):
    store = images(Data(augmentation="flips"), (8, 8))
    plain = store.batch(torch.tensor([taken(0, 0, 0)]))
    batch = store.batch(torch.tensor([taken(flips=flips)]))
    mirror_rows, mirror_columns, transpose = flips

    def flipped(array):
        array = np.asarray(array)
        array = array[::-1] if mirror_rows else array
        array = array[:, ::-1] if mirror_columns else array
        return array.T if transpose else array

    np.testing.assert_array_equal(batch.images[0, 0], flipped(plain.images[0, 0]))
    np.testing.assert_array_equal(batch.labels[0], flipped(plain.labels[0]))
    np.testing.assert_array_equal(batch.distance[0], flipped(plain.distance[0]))


def test_crops_of_images_of_any_size():
    store = images(Data(crop_size=4), (8, 10), (5, 20))
    batch = store.batch(torch.tensor([taken(1, 1, 13)]))
    np.testing.assert_array_equal(batch.images[0, 0], picture(5, 20).pixels[1:5, 13:17, 0])


def test_a_small_image_is_reflected_into_its_crop():
    store = images(Data(crop_size=8), (3, 1))
    batch = store.batch(torch.tensor([taken(0, 0, 0)]))
    np.testing.assert_array_equal(batch.images[0, 0, :, 0], [0, 1, 2, 1, 0, 1, 2, 1])
    assert (batch.images[0, 0] == batch.images[0, 0, :, :1]).all()


def test_neighbours_come_with_their_image():
    one = np.ones((8, 8), np.int32)
    single = NetworkImage("one", np.zeros((8, 8, 2), np.float16), one, one)
    store = TrainingImages([picture(8, 8), single], Data(), 3, CPU)
    batch = store.batch(torch.tensor([taken(1, 0, 0), taken(0, 0, 0)]))
    np.testing.assert_array_equal(batch.neighbours[0], [[0, 1, 0], [1, 0, 0], [0, 0, 0]])  # padded
    np.testing.assert_array_equal(batch.neighbours[1], neighbours(picture(8, 8).labels, reach_of(3, (8, 8))))


def test_samples_are_whole_rounds_and_stay_inside():
    store = images(Data(crop_size=4, augmentation="flips"), (8, 10), (5, 20), (4, 4))
    samples = store.sample(steps=6, batch_size=2, seed=3)
    assert samples.shape == (6, 2, 7)
    flat = samples.reshape(-1, 7)
    assert [sorted(flat[i : i + 3, 0].tolist()) for i in range(0, 12, 3)] == [[0, 1, 2]] * 4
    room = torch.tensor([[4, 6], [1, 16], [0, 0]])[flat[:, 0]]
    assert (flat[:, 1:3] <= room).all()
    assert (flat[:, 1:3] >= 0).all()
    assert set(flat[:, 3:6].unique().tolist()) == {0, 1}
    assert torch.equal(samples, store.sample(6, 2, 3))
    assert not torch.equal(samples, store.sample(6, 2, 4))


def test_image_labels_and_distance_are_scaled_together():
    """Twice as large: each pixel of the crop is half a pixel of the image further."""
    rows = np.repeat(np.arange(8), 8).reshape(8, 8)
    labels = (rows >= 4).astype(np.int32)
    image = NetworkImage("ramp", rows.astype(np.float16)[..., None], labels, labels)
    store = TrainingImages([image], Data(crop_size=8, augmentation="flips+scaling"), 3, CPU)
    batch = store.batch(torch.tensor([taken(top=2, step=STEP_UNIT // 2)]))
    np.testing.assert_allclose(batch.images[0, 0, :, 3], [2, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, 5.25])
    np.testing.assert_array_equal(batch.labels[0, :, 3], [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(batch.distance[0, :, 3] > 0, [0, 0, 0, 0, 1, 1, 1, 1])
    half = store.batch(torch.tensor([taken(step=2 * STEP_UNIT)]))  # half as large, reflected where the image ends
    np.testing.assert_allclose(half.images[0, 0, :3, 3], [0.5, 2.5, 4.5])


def test_scaled_crops_stay_inside_of_large_images():
    store = images(Data(crop_size=8, augmentation="flips+scaling"), (32, 24), (16, 40))
    flat = store.sample(200, 2, 0).reshape(-1, 7)
    steps = flat[:, 6] / STEP_UNIT
    assert 1 / LARGEST_SCALE - 1e-3 <= steps.min() < 0.85
    assert 1.2 < steps.max() <= LARGEST_SCALE + 1e-3
    sides = torch.tensor([[32, 24], [16, 40]])[flat[:, 0]]
    assert (flat[:, 1:3] + steps[:, None] * 8 <= sides + 1e-6).all()
    assert images(Data(crop_size=8, augmentation="flips"), (32, 24)).sample(9, 2, 0)[..., 6].unique() == STEP_UNIT


def test_without_augmentation_nothing_is_flipped():
    assert not images(Data(crop_size=4), (8, 10)).sample(9, 2, 0)[..., 3:6].any()


def test_oblong_images_are_not_transposed():
    samples = images(Data(augmentation="flips"), (8, 10)).sample(20, 2, 0)
    assert not samples[..., 5].any()
    assert samples[..., 3:5].any()


def test_standardise():
    image = np.random.default_rng(0).integers(0, 65535, (9, 8, 3)).astype(np.uint16)
    result = standardise(image)
    assert result.dtype == np.float32
    np.testing.assert_allclose([result.mean(), result.std()], [0, 1], atol=1e-5)
    np.testing.assert_allclose(standardise(image // 2 * 2 + 5), standardise(image // 2 * 2), atol=1e-4)
    assert not standardise(np.full((3, 3, 1), 7, np.uint8)).any()


def test_resize_labels_makes_no_new_ids():
    labels = np.random.default_rng(0).integers(0, 9, (13, 17)) * 100
    small = resize_labels(labels, (5, 4))
    assert small.shape == (5, 4)
    assert set(np.unique(small)) <= set(np.unique(labels))
    np.testing.assert_array_equal(resize_labels(labels.repeat(3, 0).repeat(2, 1), labels.shape), labels)
    np.testing.assert_array_equal(resize_labels(labels, (39, 34)), labels.repeat(3, 0).repeat(2, 1))


def test_network_image():
    labels = np.zeros((6, 10), np.int32)
    labels[:3, :4], labels[4:, 5:] = 40, 7
    sample = Sample(np.random.default_rng(0).integers(0, 255, (6, 10, 3)).astype(np.uint8), labels, "a")
    image = network_image(sample, 16)
    assert image.pixels.shape == (16, 16, 3)
    assert image.pixels.dtype == np.float16
    assert image.original is labels
    assert set(np.unique(image.labels)) == {0, 1, 2}
    assert network_image(sample, 0).labels.shape == (6, 10)


@pytest.mark.parametrize(
    ("size", "distance", "near"), [(0, 144, False), (0, 145, True), (20, 108, False), (20, 109, True)]
)
def test_distances_are_of_an_image_as_wide_as_the_papers(size, distance, near):
    """Pixels (2, 3) and (4, 5) are 2.83 px apart, of 10 px: 144.8 of 512; at twice the size 4.24 px of 20: 108.6."""
    labels = np.zeros((10, 10), np.int32)
    labels[:3, :4], labels[4:, 5:] = 40, 7
    wanted = np.array([[0, 1, 1], [1, 0, near], [1, near, 0]], bool)
    store = TrainingImages(
        [network_image(Sample(np.zeros((10, 10, 1), np.uint8), labels, "a"), size)], Data(), distance, CPU
    )
    np.testing.assert_array_equal(store.neighbours[0], wanted)


def test_adjacent_objects_touch_or_are_within_2_percent_of_the_image():
    labels = np.zeros((8, 400), np.int32)
    labels[:, :10], labels[:, 10:20], labels[:, 26:30], labels[:, 39:] = 1, 2, 3, 4  # gaps of 1, 7 and 10 px
    table = picture(8, 8).adjacent, NetworkImage("a", np.zeros((8, 400, 1), np.float16), labels, labels).adjacent
    np.testing.assert_array_equal(np.argwhere(np.triu(table[1])), [[0, 1], [0, 2], [0, 3], [0, 4], [1, 2], [2, 3]])
    assert table[0].dtype == bool


def test_images_of_other_channels_are_named():
    check_channels(picture(4, 4, channels=1), 1)
    words = r"i7 has 1 channel\(s\), but the network takes 3: make all images grey or all RGB"
    with pytest.raises(StudyError, match=words):
        check_channels(picture(4, 4, seed=7, channels=1), 3)
    with pytest.raises(StudyError, match=words.replace("takes 3", "takes 2")):
        TrainingImages([picture(4, 4), picture(4, 4, seed=7, channels=1)], Data(), 3, CPU)


SHAPES = [(8, 10), (5, 20), (12, 8)]
IN_ALL = (2 * 2 + 2 + 1) * (80 + 100 + 96) + 3 * 9  # bytes


@pytest.mark.parametrize("augmentation", ["none", "flips", "flips+scaling"])
@pytest.mark.parametrize("bound", [0, 500, IN_ALL - 1])
def test_batches_from_the_disk_are_those_from_memory(bound, augmentation):
    data = Data(crop_size=8, augmentation=augmentation)
    pictures = [picture(*shape, seed) for seed, shape in enumerate(SHAPES)]
    kept, on_disk = (TrainingImages(pictures, data, 3, CPU, most) for most in (IN_ALL, bound))
    assert (kept.streams, on_disk.streams) == (False, True)
    samples = kept.sample(6, 2, seed=1)
    assert torch.equal(samples, on_disk.sample(6, 2, seed=1))
    for row in samples:
        one, other = kept.batch(row), on_disk.batch(row)
        assert all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("images", "distance", "labels"))
        assert torch.equal(one.neighbours, other.neighbours)
        assert one.images.stride() == other.images.stride()


def test_images_that_a_device_cannot_hold_stream_from_memory(monkeypatch):
    """The sizes of all tensors count."""
    asked = []
    monkeypatch.setattr("study.data.batches.fits_on", lambda _, size: asked.append(size))
    assert TrainingImages([picture(*shape) for shape in SHAPES], Data(crop_size=8), 3, CPU, IN_ALL).streams
    assert asked == [IN_ALL]
