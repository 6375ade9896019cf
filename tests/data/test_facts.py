import numpy as np

from study.data import Sample
from study.data.facts import ImageFacts


def test_facts_of_an_image():
    labels = np.array([[5, 0, 5, 2], [0, 0, 0, 2], [9, 9, 9, 0], [0, 9, 0, 7]], np.int32)
    image = np.arange(16, dtype=np.uint16).reshape(4, 4, 1)
    facts = ImageFacts.of(Sample(image, labels, "a"))
    assert (facts.name, facts.size, facts.dtype, facts.channels) == ("a", (4, 4), "uint16", 1)
    assert facts.areas == (2, 2, 1, 4)  # of 2, 5, 7 and 9
    assert (facts.objects, facts.tiny, facts.in_components, facts.crumbled) == (4, 3, 1, 3)
    assert not facts.is_crumbled
    np.testing.assert_allclose(facts.brightness, np.percentile(image, (1, 25, 50, 75, 99)))


def test_the_brightness_of_a_large_image_is_that_of_some_pixels():
    image = np.random.default_rng(0).integers(0, 256, (1500, 1000, 1)).astype(np.uint8)
    facts = ImageFacts.of(Sample(image, np.zeros(image.shape[:-1], np.int32), "a"))
    np.testing.assert_allclose(facts.brightness, np.percentile(image, (1, 25, 50, 75, 99)), atol=2)
    assert facts.areas == ()


def test_ids_that_were_a_picture_are_crumbled():
    labels = np.kron(np.arange(1, 21).reshape(4, 5), np.array([[1, 0], [0, 0]])).astype(np.int32)
    facts = ImageFacts.of(Sample(labels[..., None].astype(np.uint8), labels, "a"))
    assert (facts.objects, facts.crumbled, facts.is_crumbled) == (20, 20, True)
