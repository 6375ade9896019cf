import numpy as np
import pytest

from study.data.batches import NetworkImage
from study.data.kept_images import kept_images
from tests.maps import is_mapped


def images():
    rng = np.random.default_rng(0)
    for i, (shape, original) in enumerate([((4, 6), None), ((3, 5), (9, 10)), ((2, 3, 4), None)]):
        labels = rng.integers(0, 9, shape).astype(np.int32)
        pixels = rng.normal(size=(*shape, 2)).astype(np.float16)
        kept = labels if original is None else rng.integers(0, 99, original).astype(np.int32)
        yield NetworkImage(f"i{i}", pixels, labels, kept)


@pytest.mark.parametrize("bound", [10**6, 100, 0])
def test_images_come_back_whether_they_fit_or_not(bound):
    found = kept_images(images(), bound)
    for one, other in zip(found, images(), strict=True):
        assert one.name == other.name
        for name in ("pixels", "labels", "original"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == getattr(other, name).dtype
        assert (one.original is one.labels) == (other.original is other.labels)
    assert [is_mapped(image.original) for image in found] == [bound < 1000] * 3


def test_no_images():
    assert kept_images([], 0) == ()
