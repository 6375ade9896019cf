import itertools

import numpy as np
import pytest
import torch

from study.data.batches import NetworkImage, TrainingImages
from study.data.settings import Data
from study.data.volume_batches import TrainingVolumes, check_volume
from study.errors import StudyError

CPU = torch.device("cpu")
SHAPE = (6, 9, 8)
FLIPS = list(itertools.product((0, 1), repeat=4))


def numbered(shape=SHAPE, name="numbers", channels=1):
    """A volume whose labels number its voxels from 1, as does its first channel from 0."""
    labels = np.arange(1, np.prod(shape) + 1, dtype=np.int32).reshape(shape)
    pixels = np.stack([labels - 1] * channels, axis=-1).astype(np.float16)
    return NetworkImage(name, pixels, labels, labels)


def store(*volumes, crop=(3, 4), augmentation="flips"):
    data = Data(crop_planes=crop[0], crop_size=crop[1], augmentation=augmentation)
    return TrainingVolumes(volumes or [numbered()], data, CPU)


def test_crops_are_what_the_samples_say():
    found = store(numbered(), numbered((4, 5, 5), channels=1)).batch(
        torch.tensor([[0, 2, 5, 1, 0, 0, 0, 0], [1, 1, 0, 1, 0, 0, 0, 0]])
    )
    assert (found.images.shape, found.labels.shape) == ((2, 1, 3, 4, 4), (2, 3, 4, 4))
    assert (found.images.dtype, found.labels.dtype) == (torch.float32, torch.int64)
    np.testing.assert_array_equal(found.labels[0], numbered().labels[2:5, 5:9, 1:5])
    np.testing.assert_array_equal(found.labels[1], numbered((4, 5, 5)).labels[1:4, 0:4, 1:5])


@pytest.mark.parametrize("flips", FLIPS)
def test_pixels_and_labels_are_turned_together(flips):
    found = store().batch(torch.tensor([[0, 1, 2, 3, *flips]]))
    planes, rows, columns, transpose = flips
    wanted = numbered().labels[1:4, 2:6, 3:7]
    wanted = wanted[:: -1 if planes else 1, :: -1 if rows else 1, :: -1 if columns else 1]
    wanted = wanted.swapaxes(1, 2) if transpose else wanted
    np.testing.assert_array_equal(found.labels[0], wanted)
    np.testing.assert_array_equal(found.images[0, 0], wanted - 1)


def test_all_turns_are_different_and_are_sampled():
    batch = store().batch(torch.tensor([[0, 1, 2, 3, *flips] for flips in FLIPS]))
    assert len({tuple(crop.flatten().tolist()) for crop in batch.labels}) == len(FLIPS)
    samples = store().sample(steps=200, batch_size=1, seed=0)
    assert {tuple(row) for row in samples[:, 0, 4:].tolist()} == set(FLIPS)


def test_samples_come_from_everywhere_and_stay_inside():
    volumes = store(numbered(), numbered((3, 5, 4)), crop=(3, 4))
    assert (len(volumes), volumes.channels) == (2, 1)
    samples = volumes.sample(steps=300, batch_size=2, seed=3)
    assert (samples.shape, samples.dtype) == ((300, 2, 8), torch.int64)
    flat = samples.reshape(-1, 8)
    for number, room in ((0, (3, 5, 4)), (1, (0, 1, 0))):
        places = flat[flat[:, 0] == number, 1:4]
        assert len(places) == 300
        for axis, last in enumerate(room):
            assert places[:, axis].unique().tolist() == list(range(last + 1))


def test_the_seed_decides():
    volumes = store()
    samples = volumes.sample(6, 2, seed=3)
    assert torch.equal(samples, volumes.sample(6, 2, seed=3))
    assert not torch.equal(samples, volumes.sample(6, 2, seed=4))
    assert torch.equal(volumes.batch(samples[0]).images, store().batch(samples[0]).images)


def test_without_augmentation_nothing_is_turned():
    assert not store(augmentation="none").sample(9, 2, 0)[..., 4:].any()


def test_a_crop_may_be_the_whole_volume():
    volumes = store(numbered((6, 8, 8)), crop=(6, 8))
    found = volumes.batch(volumes.sample(1, 5, 0)[0])
    assert all(sorted(crop.flatten().tolist()) == list(range(1, 385)) for crop in found.labels)


def test_unlabelled_voxels_are_not_valid():
    labels = np.zeros((3, 4, 4), np.int32)
    labels[:, 1] = 2
    volume = NetworkImage("some", np.ones((3, 4, 4, 1), np.float16), labels, labels)
    found = store(volume, augmentation="none").batch(torch.tensor([[0] * 8]))
    np.testing.assert_array_equal(found.valid[0], labels > 0)


def test_targets_that_volumes_lack_are_empty():
    found = store().batch(torch.zeros((2, 8), dtype=torch.int64))
    assert found.distance.numel() == found.neighbours.numel() == 0


def test_the_interface_is_that_of_images():
    plane = np.ones((4, 4), np.int32)
    image = NetworkImage("plane", np.ones((4, 4, 1), np.float16), plane, plane)
    images, volumes = TrainingImages([image], Data(crop_size=4), 0, CPU), store(numbered((3, 4, 4)))
    for own in (images, volumes):
        assert (len(own), own.channels) == (1, 1)
        samples = own.sample(steps=2, batch_size=3, seed=0)
        assert samples.shape[:2] == (2, 3)
        assert own.batch(samples[0]).images.shape[:2] == (3, 1)


def test_several_channels():
    found = store(numbered(channels=2)).batch(torch.zeros((1, 8), dtype=torch.int64))
    assert found.images.shape == (1, 2, 3, 4, 4)


def test_a_volume_that_is_too_small():
    check_volume(numbered(), SHAPE, "a crop")
    with pytest.raises(
        StudyError,
        match=r"the volume numbers is too small: it has 6 x 9 x 8 voxels, and a crop needs 6 x 9 x 9; "
        r"give a larger volume or lower data\.crop_planes, data\.crop_size and network\.depth",
    ):
        check_volume(numbered(), (6, 9, 9), "a crop")
    with pytest.raises(StudyError, match=r"the volume flat is too small: .* and a training crop needs 3 x 4 x 4"):
        store(numbered(), numbered((2, 9, 9), "flat"))


def test_volumes_of_other_channels():
    with pytest.raises(StudyError, match=r"colour has 2 channel\(s\), but the network takes 1"):
        store(numbered(), numbered(name="colour", channels=2))


@pytest.mark.parametrize("bound", [0, 2000])
def test_batches_from_the_disk_are_those_from_memory(bound):
    volumes, data = [numbered(channels=2), numbered((4, 7, 6), channels=2)], Data(crop_planes=3, crop_size=4)
    kept, on_disk = (TrainingVolumes(volumes, data, CPU, most) for most in (10**6, bound))
    assert (kept.streams, on_disk.streams) == (False, True)
    for row in kept.sample(6, 2, seed=1):
        for one, other in zip(kept.batch(row), on_disk.batch(row), strict=True):
            assert torch.equal(one, other)
            assert one.stride() == other.stride()
