import numpy as np
import pytest

from study.figures import embedding_colours, found_colours, label_colours, label_picture, matched_to


@pytest.mark.parametrize("dims", [1, 2, 8, 32])
def test_an_embedding_has_one_colour_in_any_picture(units, dims):
    vectors = units(30, dims)
    colours = embedding_colours(vectors.reshape(5, 6, dims)).reshape(30, 3)
    assert colours.dtype == np.uint8
    for vector, colour in zip(vectors, colours, strict=True):
        np.testing.assert_array_equal(embedding_colours(vector.reshape(1, 1, dims))[0, 0], colour)
    others = np.concatenate([vectors[::-1], units(40, dims, seed=1)])
    np.testing.assert_array_equal(embedding_colours(others[None])[0, :30], colours[::-1])


def test_different_embeddings_have_different_colours():
    axes = np.concatenate([np.eye(8), -np.eye(8)])
    colours = embedding_colours(axes[None])[0].astype(int)
    apart = np.abs(colours[:, None] - colours).max(axis=2) + 999 * np.eye(16, dtype=int)
    assert apart.min() > 10
    np.testing.assert_allclose(colours[:8] + colours[8:], 256, atol=2)  # opposite vectors, opposite colours


def test_half_precision_changes_no_colour_by_more_than_one(units):
    vectors = units(9, 9, 8)
    exact, half = embedding_colours(vectors).astype(int), embedding_colours(vectors.astype(np.float16)).astype(int)
    assert np.abs(exact - half).max() <= 1


def test_labels_are_colours_and_the_background_is_black():
    labels = np.array([[0, 1, 2], [3, 0, 1]])
    colours = label_colours(labels)
    assert (colours.shape, colours.dtype) == ((2, 3, 3), np.uint8)
    assert not colours[labels == 0].any()
    np.testing.assert_array_equal(colours[0, 1], colours[1, 2])
    np.testing.assert_array_equal(label_colours(np.array([[2]]))[0, 0], colours[0, 2])  # whatever else is there
    many = label_colours(np.arange(1, 41)[None])[0].astype(int)
    assert len(np.unique(many, axis=0)) == 40
    assert np.abs(np.diff(many, axis=0)).sum(axis=1).min() > 60
    assert not label_colours(np.zeros((2, 2), int)).any()


TRUE = np.array([[1, 1, 1, 0], [2, 2, 0, 0], [2, 2, 4, 4]])


@pytest.mark.parametrize("ids", [(0, 1, 2, 3, 4), (0, 2, 4, 3, 1), (0, 7, 1, 3, 20), (0, 4, 1, 3, 2)])
def test_permuted_labels_are_matched_exactly(ids):
    matched = matched_to(TRUE, np.array(ids)[TRUE])
    assert matched.dtype == np.int32
    np.testing.assert_array_equal(matched, TRUE)


def test_parts_and_unions_are_matched_to_what_they_cover_most():
    split = np.array([[5, 5, 6, 0], [3, 3, 0, 9], [3, 3, 8, 8]])
    np.testing.assert_array_equal(matched_to(TRUE, split), [[1, 1, 5, 0], [2, 2, 0, 6], [2, 2, 4, 4]])
    union = np.where(TRUE > 0, 1, 0)
    np.testing.assert_array_equal(matched_to(TRUE, union), 2 * union)  # 2 is the largest


def test_matching_keeps_the_objects_apart():
    rng = np.random.default_rng(0)
    true, pred = rng.integers(0, 5, (9, 9)), rng.integers(0, 8, (9, 9))
    matched = matched_to(true, pred)
    np.testing.assert_array_equal(matched == 0, pred == 0)
    pairs = np.unique(np.stack([pred.ravel(), matched.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_matching_without_objects():
    none = np.zeros((2, 2), int)
    assert not matched_to(none, none).any()
    assert not matched_to(np.ones((2, 2), int), none).any()
    np.testing.assert_array_equal(matched_to(none, none + 3), none + 1)


def test_found_objects_are_blue_and_others_red():
    labels = np.array([[0, 1, 2, 3]])
    colours = found_colours(labels, [1, 3])[0].astype(int)
    assert not colours[0].any()
    assert all(colours[k, 2] > colours[k, 0] for k in (1, 3))
    assert colours[2, 0] > colours[2, 2]
    assert len({tuple(colour) for colour in colours}) == 4  # those that touch differ


def test_a_dark_line_of_one_pixel_lies_between_objects_that_touch():
    labels = np.array([[1, 1, 2, 2, 0], [1, 1, 2, 2, 0], [0, 0, 3, 3, 3], [4, 0, 0, 0, 0]])
    picture = label_picture(labels)
    line = np.zeros(labels.shape, bool)
    line[:2, 1] = line[1, 2:4] = True  # between 1 and 2, and 2 and 3; 4 touches none
    assert (picture[line] == picture[0, 1]).all()
    assert picture[0, 1].max() < 60
    np.testing.assert_array_equal(picture[~line], label_colours(labels)[~line])
