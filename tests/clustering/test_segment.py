from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from study.clustering import CLUSTERERS, sampling
from study.clustering.angular import Angular
from study.clustering.mutex_watershed import MutexWatershed
from study.errors import StudyError
from tests.clustering import arrays

COMMON = {"min_size": 0, "min_distance": 0, "foreground": "none"}
PLAIN = Angular(seed_smoothing=0, **COMMON)
SHORT = {"ranges": "1+2+3", "stride": 1, "fragment_size": 0}  # other ranges are too long for small images


class Case(NamedTuple):
    """A method, and by what it tells pixels apart."""

    settings: Any
    metric: str = "angle"


def case(key, metric="angle", **settings):
    own = SHORT if key == "affinity-watershed" else {"seed_smoothing": 0} if key == "growing" else {}
    return Case(CLUSTERERS[key](**(COMMON | own | settings)), metric)


ANGULAR = [Case(replace(PLAIN, seeds=seeds)) for seeds in ("peaks", "regions")]
# without seeds, the background is a cluster like others, until its distance tells
OF_ONE_MAP = ("components", "components-watershed")  # they do not look at the embedding
OTHERS = [key for key in CLUSTERERS if key not in (*OF_ONE_MAP, "angular")]
BY_ANGLE = ANGULAR + [case(key, min_distance=0.1) for key in OTHERS]
BY_DISTANCE = [case(key, "euclidean", min_distance=0.1) for key in OTHERS if "euclidean" in CLUSTERERS[key].metrics]
METHODS = BY_ANGLE + BY_DISTANCE
DEFAULTS = [Case(method()) for key, method in CLUSTERERS.items() if key not in (*OF_ONE_MAP, "affinity-watershed")]


def fit(monkeypatch, pixels):
    """Methods that fit pixels fit so many, and know no image yet."""
    for method in filter(lambda method: issubclass(method, sampling.FittedClustering), CLUSTERERS.values()):
        monkeypatch.setattr(method, "fitted_pixels", pixels)
    sampling._clusters.cache.clear()


def segment(distance, embedding, method, foreground=None):
    method = method if isinstance(method, Case) else Case(method)
    return arrays.segment(distance, embedding, method.settings, foreground, method.metric)


@pytest.mark.parametrize("settings", [*METHODS, *DEFAULTS])
@pytest.mark.parametrize("colours", [[0, 1, 2, 3, 4], [0, 1, 2, 3, 1]])
@pytest.mark.parametrize("foreground", ["none", "predicted", "truth"])
def test_perfect_maps_are_recovered(perfect_maps, four_objects, canonical, settings, colours, foreground):
    distance, embedding = perfect_maps(four_objects, colours)
    mask = four_objects > 0 if foreground == "truth" else None
    labels = segment(
        distance, embedding, settings._replace(settings=replace(settings.settings, foreground=foreground)), mask
    )
    assert labels.dtype == np.int32
    assert canonical(labels) == canonical(four_objects)
    assert sorted(set(labels.flat)) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("settings", METHODS)
@pytest.mark.parametrize("flip", [np.flipud, np.fliplr, lambda a: np.swapaxes(a, 0, 1)])
def test_perfect_maps_are_recovered_when_flipped(perfect_maps, four_objects, canonical, settings, flip):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 1])
    assert canonical(segment(flip(distance), flip(embedding), settings)) == canonical(flip(four_objects))


@pytest.mark.parametrize("settings", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_perfect_maps_are_recovered_when_the_embedding_is_turned(perfect_maps, four_objects, canonical, settings, seed):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 1])
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(4, 4)))[0]
    assert canonical(segment(distance, embedding @ turn, settings)) == canonical(four_objects)


@pytest.mark.parametrize("settings", METHODS)
def test_perfect_maps_of_many_pixels_are_recovered(perfect_maps, four_objects, canonical, settings, monkeypatch):
    labels = np.kron(four_objects, np.ones((4, 4), int))
    fit(monkeypatch, 600)
    assert (labels > 0).sum() > 5 * 600
    distance, embedding = perfect_maps(labels, [0, 1, 2, 3, 1])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    assert canonical(segment(distance, embedding, settings)) == canonical(labels)
    assert canonical(segment(distance, embedding @ turn, settings)) == canonical(labels)


@pytest.mark.parametrize("settings", METHODS)
@pytest.mark.parametrize("side", [3, 4, 5, 8])
def test_small_touching_objects_are_recovered(perfect_maps, canonical, settings, side):
    rows, columns = np.indices((6 * side, 8 * side)) // side
    labels = np.pad(8 * rows + columns + 1, side)
    colours = np.append(0, 1 + (2 * rows + columns)[::side, ::side] % 5)  # neighbours over edges and corners differ
    assert canonical(segment(*perfect_maps(labels, colours), settings)) == canonical(labels)


@pytest.mark.parametrize("settings", METHODS)
def test_two_calls_give_the_same(perfect_maps, four_objects, settings, monkeypatch):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    embedding += np.random.default_rng(0).normal(0, 0.2, embedding.shape)
    fit(monkeypatch, 200)
    labels = segment(distance, embedding, settings)
    assert labels.max() > 2
    fit(monkeypatch, 200)
    np.testing.assert_array_equal(segment(distance.copy(), embedding.copy(), settings), labels)


@pytest.mark.parametrize("settings", [case for case in METHODS if case.settings.method != "growing"])
def test_neighbours_of_one_colour_are_one_object(perfect_maps, four_objects, canonical, settings):
    labels = segment(*perfect_maps(four_objects, [0, 1, 1, 2, 3]), settings)
    assert canonical(labels) == canonical(np.array([0, 1, 1, 3, 4])[four_objects])


@pytest.mark.parametrize("settings", METHODS)
def test_one_object(perfect_maps, settings):
    labels = np.zeros((9, 8), int)
    labels[:6, 2:] = 3
    np.testing.assert_array_equal(segment(*perfect_maps(labels, [0, 0, 0, 1]), settings), labels > 0)


@pytest.mark.parametrize("settings", [*METHODS, replace(PLAIN, foreground="predicted")])
@pytest.mark.parametrize("shape", [(6, 7), (1, 1), (0, 4)])
def test_no_object(settings, shape):
    embedding = np.random.default_rng(0).normal(size=(*shape, 3))
    for distance in (np.zeros(shape), np.full(shape, 1e-7), np.full(shape, np.nan)):
        labels = segment(distance, embedding, settings)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, np.zeros(shape))


@pytest.mark.parametrize("settings", METHODS)
def test_a_constant_embedding_is_one_object(settings):
    distance = np.ones((12, 12), np.float32)
    np.testing.assert_array_equal(segment(distance, np.ones((12, 12, 3)), settings), distance)


@pytest.mark.parametrize("settings", METHODS)
def test_a_mask_of_nothing_leaves_nothing(perfect_maps, four_objects, settings):
    labels = segment(*perfect_maps(four_objects, [0, 1, 2, 3, 4]), settings, np.zeros(four_objects.shape, bool))
    np.testing.assert_array_equal(labels, np.zeros(four_objects.shape))


@pytest.mark.parametrize("settings", BY_ANGLE)
def test_no_direction_anywhere(settings):
    np.testing.assert_array_equal(segment(np.ones((4, 5)), np.zeros((4, 5, 3)), settings), np.zeros((4, 5)))


@pytest.mark.parametrize("settings", [*ANGULAR, Angular(foreground="predicted"), MutexWatershed(**COMMON)])
def test_flips_of_the_maps_flip_the_labels(random_maps, canonical, settings):
    distance, embedding = random_maps(3, (24, 31), 3)
    labels = segment(distance, embedding, settings)
    assert labels.max() > 2
    for flip in (np.flipud, np.fliplr, lambda a: np.swapaxes(a, 0, 1)):
        assert canonical(segment(flip(distance), flip(embedding), settings)) == canonical(flip(labels))


def test_scale_and_precision_of_the_maps_do_not_matter(random_maps):
    distance, embedding = random_maps(0, (20, 25), 3)
    lengths = np.random.default_rng(0).uniform(0.5, 3, (20, 25, 1))
    expected = segment(distance, embedding, PLAIN)
    assert expected.max() > 1
    np.testing.assert_array_equal(segment(16 * distance, embedding * lengths, PLAIN), expected)
    np.testing.assert_array_equal(segment(distance.astype(np.float64), embedding.astype(np.float64), PLAIN), expected)


# the affinity watershed compares directions alone
@pytest.mark.parametrize("settings", [case for case in BY_DISTANCE if case.settings.key != "affinity-watershed"])
def test_lengths_tell_objects_apart_where_distances_count(perfect_maps, four_objects, canonical, settings):
    distance, _ = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    embedding = np.sqrt(2) * four_objects[..., None].astype(
        np.float32
    )  # one direction, and objects at least 1.41 apart
    embedding[2, 1] = np.nan
    expected = four_objects.copy()
    expected[2, 1] = 0
    assert canonical(segment(distance, embedding, settings)) == canonical(expected)


@pytest.mark.parametrize("settings", BY_ANGLE)
def test_pixels_without_direction_belong_to_nothing(perfect_maps, four_objects, canonical, settings):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    embedding[2, 1], embedding[3, 13], distance[4, 8] = 0, np.nan, np.nan
    distance[8, 9] = np.inf
    expected = four_objects.copy()
    expected[2, 1] = expected[3, 13] = 0
    assert canonical(segment(distance, embedding, settings)) == canonical(expected)


def test_min_size():
    distance = np.array([[1, 1, 0, 0, 1, 1, 1, 0, 1]], np.float32)
    embedding = np.eye(2)[(distance > 0).astype(int)]
    for size, expected in [
        (2, [[1, 1, 0, 0, 2, 2, 2, 0, 0]]),
        (3, [[0, 0, 0, 0, 1, 1, 1, 0, 0]]),
        (4, [[0] * 9]),
    ]:
        assert segment(distance, embedding, replace(PLAIN, min_size=size)).tolist() == expected


def test_min_distance():
    distance = np.array([[4, 4, 0, 4, 0, 0, 0]], np.float32)
    embedding = np.eye(2)[[[1, 1, 0, 1, 1, 1, 1]]]  # mean distances 4 and 1, of a maximum of 4
    both, one = [[1, 1, 0, 2, 2, 2, 2]], [[1, 1, 0, 0, 0, 0, 0]]
    assert segment(distance, embedding, replace(PLAIN, min_distance=0.25)).tolist() == both
    assert segment(distance, embedding, replace(PLAIN, min_distance=0.26)).tolist() == one


def test_foreground_is_applied_last_and_ids_have_no_gaps():
    distance = np.array([[3, 3, 0, 3, 3, 0, 3, 3]], np.float32)
    embedding = np.eye(2)[(distance > 0).astype(int)]
    foreground = np.array([[1, 0, 1, 0, 0, 1, 1, 1]], bool)
    settings = replace(PLAIN, min_size=2)
    assert segment(distance, embedding, settings, foreground).tolist() == [[1, 0, 0, 0, 0, 0, 2, 2]]
    assert segment(distance, embedding, settings, ~np.ones((1, 8), bool)).tolist() == [[0] * 8]


def test_predicted_foreground_unless_a_mask_is_given(perfect_maps, four_objects):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    first = np.argwhere(four_objects == 1)[0]
    halo = tuple(first - [1, 0])
    assert four_objects[halo] == 0
    embedding[halo] = embedding[tuple(first)]  # the embedding bleeds over the boundary
    settings = replace(PLAIN, foreground="predicted")
    np.testing.assert_array_equal(segment(distance, embedding, settings) > 0, four_objects > 0)
    assert segment(distance, embedding, PLAIN)[halo] > 0
    assert segment(distance, embedding, settings, np.ones(distance.shape, bool))[halo] > 0


def test_the_threshold_of_the_predicted_foreground_is_relative(perfect_maps, four_objects):
    distance, embedding = perfect_maps(four_objects, [0, 1, 2, 3, 4])
    settings = replace(PLAIN, foreground="predicted", foreground_threshold=0.6)
    for scale in (1, 10):
        found = segment(scale * distance, embedding, settings) > 0
        np.testing.assert_array_equal(found, distance > 0.6 * distance.max())


def test_refuses_truth_without_mask():
    with pytest.raises(StudyError, match="choose predicted or none"):
        segment(np.ones((2, 2)), np.ones((2, 2, 3)), replace(PLAIN, foreground="truth"))


@pytest.mark.parametrize(
    ("distance", "embedding", "foreground"),
    [((2, 3), (3, 2, 4), None), ((2, 3), (2, 3), None), ((2, 3, 1), (2, 3, 4), None), ((2, 3), (2, 3, 4), (3, 2))],
)
def test_refuses_shapes_that_do_not_fit(distance, embedding, foreground):
    mask = None if foreground is None else np.ones(foreground, bool)
    with pytest.raises(ValueError, match=r"\(2, 3"):
        segment(np.ones(distance), np.ones(embedding), PLAIN, mask)
