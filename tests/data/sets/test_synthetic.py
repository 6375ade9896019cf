import numpy as np
import pytest
from scipy.ndimage import grey_dilation

from study.data import open_dataset
from study.data.sets.synthetic import MIN_VISIBLE, nuclei, rosette
from study.data.settings import Data

SEEDS = range(25)


def _drawn(generate, size):
    return [generate(np.random.default_rng(seed), size) for seed in SEEDS]


@pytest.mark.parametrize(
    ("generate", "size", "channels", "fewest", "most"),
    [(rosette, 96, 3, 5, 10), (rosette, 150, 3, 5, 10), (nuclei, 128, 1, 8, 30), (nuclei, 200, 1, 8, 30)],
)
def test_objects_are_numbered_visible_and_as_many_as_promised(generate, size, channels, fewest, most):
    for image, labels in _drawn(generate, size):
        assert (image.shape, image.dtype) == ((size, size, channels), np.uint8)
        assert (labels.shape, labels.dtype) == ((size, size), np.int32)
        areas = np.bincount(labels.ravel())[1:]
        assert fewest <= len(areas) <= most
        assert areas.min() >= MIN_VISIBLE
        assert image.std() > 10


@pytest.mark.parametrize(("generate", "size", "least"), [(rosette, 96, 0.9), (nuclei, 128, 0.6)])
def test_most_objects_touch_another(generate, size, least):
    touching = total = 0
    for _, labels in _drawn(generate, size):
        largest = grey_dilation(labels, 3)
        smallest = -grey_dilation(np.where(labels == 0, -999, -labels), 3)
        meets = (largest != labels) | (smallest != labels)
        touching += len(np.unique(labels[meets & (labels > 0)]))
        total += labels.max()
    assert touching / total > least


def test_colour_does_not_reveal_the_leaf():
    """Between leaves the mean colours differ much less than between pixels of one leaf."""
    between, within = [], []
    for image, labels in _drawn(rosette, 96):
        leaves = [image[labels == i].astype(float) for i in range(1, labels.max() + 1)]
        between.append(np.std([leaf.mean(axis=0) for leaf in leaves], axis=0))
        within.append(np.mean([leaf.std(axis=0) for leaf in leaves], axis=0))
    assert (np.mean(between, axis=0) < 0.6 * np.mean(within, axis=0)).all()


def test_larger_images_show_larger_objects():
    for generate, size in ((rosette, 96), (nuclei, 128)):
        small, large = (
            np.mean([(generate(np.random.default_rng(s), n)[1] > 0).mean() for s in range(8)]) for n in (size, 2 * size)
        )
        assert large == pytest.approx(small, rel=0.4)


@pytest.mark.parametrize("name", ["synthetic-leaves", "synthetic-cells"])
def test_samples_depend_on_split_and_index_alone(name):
    whole, few = open_dataset(Data(name=name)), open_dataset(Data(name=name, images=4))
    by_name = {record.name: record for records in whole.splits.values() for record in records}
    assert len(by_name) == sum(map(len, whole.splits.values()))
    for records in few.splits.values():
        assert len(records) == 4
        for record in records:
            np.testing.assert_array_equal(record.load().image, by_name[record.name].load().image)
    first = [whole.splits[split][0].load().labels for split in ("train", "val", "test")]
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[1], first[2])
    assert not np.array_equal(first[0], whole.splits["train"][1].load().labels)


def test_sizes_and_digests():
    leaves, cells = (open_dataset(Data(name=name)) for name in ("synthetic-leaves", "synthetic-cells"))
    assert [len(leaves.splits[split]) for split in ("train", "val", "test")] == [128, 16, 24]
    assert [len(cells.splits[split]) for split in ("train", "val", "test")] == [64, 16, 24]
    assert (leaves.foreground_given, cells.foreground_given) == (True, False)
    assert leaves.digest() == open_dataset(Data()).digest() != open_dataset(Data(images=4)).digest()
    assert leaves.digest() != cells.digest()
