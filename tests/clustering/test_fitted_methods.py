import numpy as np
import pytest

from study.clustering import sampling
from study.clustering.embedding import unit_embedding
from study.clustering.hdbscan import Hdbscan
from study.clustering.mean_shift import MeanShift
from tests.clustering.arrays import cluster

SHIFT, DENSE = MeanShift(), Hdbscan(min_cluster_size=1)


@pytest.fixture(autouse=True)
def nothing_kept():
    sampling._clusters.cache.clear()


def plane(degrees):
    """Directions in the plane."""
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1).astype(np.float32)


def clustered(settings, embedding, foreground=None):
    shape = embedding.shape[:2]
    return cluster(np.ones(shape), embedding, settings, np.ones(shape, bool) if foreground is None else foreground)


def noisy(labels, noise, dimension=4, seed=0):
    """Directions of a one-hot code per label, with Gaussian noise per channel."""
    rng = np.random.default_rng(seed)
    return unit_embedding(np.eye(dimension)[labels] + rng.normal(0, noise, (*labels.shape, dimension)))


@pytest.fixture
def halves():
    """Labels of the halves of an image."""
    return np.repeat([[0] * 30 + [1] * 30], 40, axis=0)


@pytest.mark.parametrize(("bandwidth", "objects"), [(0.5, 2), (0.8, 1)])
def test_modes_within_the_bandwidth_are_one(bandwidth, objects):
    embedding = plane(np.repeat([[0.0, 40.0]], 20, axis=1))  # 0.68 apart
    labels = clustered(MeanShift(bandwidth=bandwidth), embedding)
    assert labels.dtype == np.int32
    assert labels.tolist() == [[1] * 20 + [objects] * 20]


def test_embeddings_may_be_far_apart():
    """By a distance after which the cells of a 16-bit grid begin anew."""
    embedding = np.zeros((1, 40, 2), np.float32)
    embedding[0, 20:, 0] = 2**16 * SHIFT.bandwidth
    assert clustered(SHIFT, embedding).tolist() == [[1] * 20 + [2] * 20]


def test_every_pixel_goes_to_the_nearest_mode():
    embedding = plane([[0.0] * 20 + [25.0, 65.0] + [90.0] * 20])
    assert clustered(SHIFT, embedding).tolist() == [[1] * 21 + [2] * 21]


def test_noise_of_hdbscan_is_background():
    embedding = plane([[0.0] * 20 + [225.0] * 3 + [90.0] * 20])
    labels = clustered(DENSE, embedding)
    assert labels.dtype == np.int32
    assert labels.tolist() == [[1] * 20 + [0] * 3 + [2] * 20]


@pytest.mark.parametrize(("pixels", "found"), [(10, True), (9, False)])
def test_a_cluster_has_at_least_ten_pixels(pixels, found):
    embedding = plane([[0.0] * 30 + [90.0] * pixels])
    assert clustered(DENSE, embedding).max() == 1 + found


@pytest.mark.parametrize(("size", "objects"), [(160, 2), (164, 1)])
def test_the_minimum_cluster_goes_with_the_area(size, objects):
    embedding = plane(np.zeros((256, 256)))  # a quarter of 512 x 512
    embedding[0, :40] = plane(90.0)
    foreground = np.zeros((256, 256), bool)
    foreground[0] = True
    labels = clustered(Hdbscan(min_cluster_size=size), embedding, foreground)
    assert labels.max() == objects


@pytest.mark.parametrize(("size", "objects"), [(60, 2), (200, 1)])
def test_the_minimum_cluster_goes_with_the_share_of_fitted_pixels(size, objects, monkeypatch):
    monkeypatch.setattr(Hdbscan, "fitted_pixels", 128)
    embedding = plane(np.zeros((512, 512)))
    embedding[0, :112] = plane(90.0)  # of them, about 28 are fitted
    foreground = np.zeros((512, 512), bool)
    foreground[0] = True
    labels = clustered(Hdbscan(min_cluster_size=size), embedding, foreground)
    assert labels.max() == objects


@pytest.mark.parametrize("method", [SHIFT, DENSE])
def test_distant_pixels_of_one_direction_are_two_objects(method):
    embedding = plane([[0.0] * 15 + [90.0] * 15 + [0.0] * 15])
    assert clustered(method, embedding).tolist() == [[1] * 15 + [2] * 15 + [3] * 15]


@pytest.mark.parametrize("method", [SHIFT, DENSE])
@pytest.mark.parametrize("noise", [0, 0.05, 0.15])
@pytest.mark.parametrize("fitted", [20_000, 400])
def test_noisy_directions(method, noise, fitted, halves, monkeypatch):
    monkeypatch.setattr(type(method), "fitted_pixels", fitted)
    labels = clustered(method, noisy(halves, noise))
    largest = 1 + np.argsort(-np.bincount(labels.ravel())[1:])[:2]
    for side in (0, 1):
        share = max((labels[halves == side] == i).mean() for i in largest)
        assert share > (0.85 if noise else 1 - 1e-9)


@pytest.mark.parametrize("method", [SHIFT, DENSE])
@pytest.mark.parametrize("fitted", [20_000, 400])
def test_one_noisy_object(method, fitted, monkeypatch):
    monkeypatch.setattr(type(method), "fitted_pixels", fitted)
    labels = clustered(method, noisy(np.zeros((40, 60), int), 0.1))
    assert (labels == 1).mean() > 0.85


@pytest.mark.parametrize("method", [SHIFT, DENSE])
def test_pixels_outside_of_the_foreground_have_no_part(method, halves):
    embedding = noisy(halves, 0.1)
    foreground = np.arange(60) % 30 < 20
    foreground = np.repeat(foreground[None], 40, axis=0)
    labels = clustered(method, embedding, foreground=foreground)
    assert not labels[~foreground].any()
    embedding[~foreground] = np.nan
    np.testing.assert_array_equal(clustered(method, embedding), labels)


def test_noise_of_hdbscan_may_lie_nearer_to_a_centre_than_its_cluster():
    # two arcs of 80 degrees, 25 degrees apart, and pixels 30 degrees aside of the middle of the first
    longitude = np.radians([*np.linspace(0, 80, 200), *np.linspace(105, 185, 200), 40, 40, 40])
    latitude = np.radians([0.0] * 400 + [30.0] * 3)
    flat = np.stack([np.cos(longitude), np.sin(longitude)]) * np.cos(latitude)
    embedding = np.stack([*flat, np.sin(latitude)], axis=-1)[None].astype(np.float32)
    assert clustered(DENSE, embedding).tolist() == [[1] * 200 + [2] * 200 + [0] * 3]


@pytest.mark.parametrize("method", [SHIFT, DENSE])
def test_pixels_that_are_not_fitted_join_equal_ones(method, monkeypatch):
    monkeypatch.setattr(type(method), "fitted_pixels", 400)
    for seed in range(3):
        directions = np.linalg.qr(np.random.default_rng(seed).normal(size=(16, 16)))[0]
        labels = clustered(method, unit_embedding(np.repeat(directions, 75, axis=0)[None]))
        assert labels.tolist() == [np.repeat(np.arange(1, 17), 75).tolist()]


def test_pixels_far_from_every_centre_are_noise(monkeypatch):
    monkeypatch.setattr(Hdbscan, "fitted_pixels", 100)
    embedding = plane([[0.0] * 200 + [225.0] * 3 + [90.0] * 200])
    assert clustered(DENSE, embedding).tolist() == [[1] * 200 + [0] * 3 + [2] * 200]


@pytest.mark.parametrize("method", [SHIFT, DENSE])
@pytest.mark.parametrize("pixels", [0, 1, 5])
def test_few_pixels(method, pixels):
    foreground = np.arange(9)[None] < pixels
    labels = clustered(method, plane(np.zeros((1, 9))), foreground=foreground)
    np.testing.assert_array_equal(labels, foreground if method is SHIFT else np.zeros((1, 9)))


@pytest.mark.parametrize(
    ("method", "later", "other"),
    [
        (SHIFT, MeanShift(min_size=50, min_distance=0.3), MeanShift(bandwidth=0.3)),
        (DENSE, Hdbscan(min_cluster_size=2, min_size=50), Hdbscan(min_cluster_size=5000)),
    ],
)
def test_the_same_directions_are_clustered_once(method, later, other, halves, monkeypatch):
    """For all settings that do not change their clusters; an Hdbscan has at least ten pixels in one."""
    fitted, clusters = [], type(method).clusters
    monkeypatch.setattr(type(method), "clusters", lambda *given: fitted.append(given[2:]) or clusters(*given))
    embedding = noisy(halves, 0.1)
    first = clustered(method, embedding)
    np.testing.assert_array_equal(clustered(later, embedding.copy()), first)
    assert len(fitted) == 1
    clustered(other, embedding)
    clustered(method, noisy(halves, 0.1, seed=1))
    assert len(fitted) == 3
