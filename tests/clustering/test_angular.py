from collections import deque

import numpy as np
import pytest

from study.clustering import reaches
from study.clustering.angular import cluster_seeds
from study.clustering.embedding import unit_embedding
from study.clustering.reaches import Reaches
from study.clustering.seeds import Seeds


def flood(mask, starts):
    """Pixels of `mask` that paths over edges connect to `starts`."""
    region, queue = np.zeros_like(mask), deque(p for p in starts if mask[p])
    for p in queue:
        region[p] = True
    while queue:
        row, column = queue.popleft()
        for p in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if min(p) >= 0 and p[0] < mask.shape[0] and p[1] < mask.shape[1] and mask[p] and not region[p]:
                region[p] = True
                queue.append(p)
    return region


def angular_by_floods(embedding, seeds, angle):
    """`cluster_seeds`, pixel by pixel."""
    pixels = [tuple(p) for p in seeds.pixels.tolist()]
    cosine = [embedding @ d for d in seeds.directions]
    reach = [flood(c >= np.cos(np.radians(angle)) - 1e-6, [p]) for c, p in zip(cosine, pixels, strict=True)]
    clusters = [{k} for k in range(len(pixels))]
    for i, j in np.ndindex(len(pixels), len(pixels)):
        if reach[i][pixels[j]] and reach[j][pixels[i]]:
            joined = set.union(*(c for c in clusters if c & {i, j}))
            clusters = [c for c in clusters if not c & joined] + [joined]
    owner = np.full(embedding.shape[:2], -1)
    for p in np.ndindex(owner.shape):
        rivals = [(-cosine[k][p], pixels[k], k) for k in range(len(pixels)) if reach[k][p]]
        if rivals:
            owner[p] = next(n for n, c in enumerate(clusters) if min(rivals)[2] in c)
    labels = np.zeros(owner.shape, int)
    for n, cluster in enumerate(clusters):
        labels[flood(owner == n, [pixels[k] for k in cluster])] = n + 1
    return labels


def seeds_at(embedding, *pixels):
    pixels = np.array(pixels, np.int64).reshape(-1, 2)
    return Seeds(pixels, embedding[tuple(pixels.T)])


def random_seeds(rng, embedding, count):
    flat = rng.choice(embedding[..., 0].size, count, replace=False)
    return seeds_at(embedding, *np.stack(np.unravel_index(flat, embedding.shape[:2]), axis=1))


def unit(angles):
    """Directions in the plane, from degrees."""
    radians = np.radians(np.asarray(angles, np.float64))
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1).astype(np.float32)


@pytest.mark.parametrize("angle", [5, 20, 45, 90, 130, 180])
@pytest.mark.parametrize("sigma", [0.5, 1, 3])
@pytest.mark.parametrize("channels", [2, 3])
def test_against_floods(random_maps, canonical, angle, sigma, channels):
    for seed in range(4):
        embedding = random_maps(seed, (15, 17), channels, sigma)[1]
        seeds = random_seeds(np.random.default_rng(seed), embedding, 9)
        expected = canonical(angular_by_floods(embedding, seeds, angle))
        assert canonical(cluster_seeds(embedding, seeds, angle)) == expected


@pytest.mark.parametrize("angle", [15, 45])
@pytest.mark.parametrize("seed", range(3))
def test_against_floods_beyond_the_first_window(random_maps, canonical, angle, seed):
    embedding = random_maps(seed, (110, 130), 2, 12)[1]
    seeds = random_seeds(np.random.default_rng(seed), embedding, 12)
    assert canonical(cluster_seeds(embedding, seeds, angle)) == canonical(angular_by_floods(embedding, seeds, angle))


def test_against_floods_where_directions_nearly_agree(canonical):
    rng = np.random.default_rng(0)
    angles = rng.normal(0, 3, (20, 20)) + 40 * (np.arange(20) // 7)  # three bands, 40 degrees apart
    embedding = unit(angles)
    seeds = random_seeds(rng, embedding, 40)
    for angle in (12, 25, 37, 43, 60):
        assert canonical(cluster_seeds(embedding, seeds, angle)) == canonical(
            angular_by_floods(embedding, seeds, angle)
        )


def test_directions_other_than_the_pixels_own(random_maps, canonical):
    rng = np.random.default_rng(0)
    embedding = random_maps(0, (15, 17), 3, 2)[1]
    pixels = random_seeds(rng, embedding, 12).pixels
    seeds = Seeds(pixels, unit_embedding(embedding[tuple(pixels.T)] + rng.normal(0, 0.7, (12, 3))))
    expected = angular_by_floods(embedding, seeds, 40)
    assert canonical(cluster_seeds(embedding, seeds, 40)) == canonical(expected)
    assert 1 < expected.max() < 12


def test_order_of_seeds_does_not_matter(random_maps):
    embedding = random_maps(1, (20, 20), 3, 2)[1]
    seeds = random_seeds(np.random.default_rng(1), embedding, 15)
    expected = cluster_seeds(embedding, seeds, 45)
    assert expected.max() > 2
    for i in range(10):
        order = np.random.default_rng(i).permutation(15)
        shuffled = Seeds(seeds.pixels[order], seeds.directions[order])
        np.testing.assert_array_equal(cluster_seeds(embedding, shuffled, 45), expected)


def test_pixels_within_the_angle_up_to_equality():
    embedding = unit([[0, 30, 45, 46, 0]])
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0)), 45).tolist() == [[1, 1, 1, 0, 0]]


def test_corners_do_not_connect():
    embedding = unit([[0, 90], [90, 0]])
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0)), 45).tolist() == [[1, 0], [0, 0]]


def test_seeds_that_reach_each_other_are_one_object():
    embedding = unit([[0, 0, 10, 10, 90]])
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0), (0, 3)), 45).tolist() == [[1, 1, 1, 1, 0]]


def test_chains_of_seeds_are_one_object():
    embedding = unit([[0, 40, 80, 120]])
    every = seeds_at(embedding, (0, 0), (0, 1), (0, 2), (0, 3))
    assert cluster_seeds(embedding, every, 45).tolist() == [[1, 1, 1, 1]]
    ends = seeds_at(embedding, (0, 0), (0, 3))
    assert cluster_seeds(embedding, ends, 45).tolist() == [[1, 1, 2, 2]]


def test_seed_reached_from_one_side_only_stays_apart():
    embedding = unit([[0, 45, 60]])
    seeds = Seeds(np.array([[0, 0], [0, 2]]), unit([20, 60]))  # the first reaches the second, which stops before it
    assert cluster_seeds(embedding, seeds, 40).tolist() == [[1, 2, 2]]


def test_contested_pixels_go_to_the_more_similar_seed_and_equals_to_the_first():
    embedding = unit([[0, 20, 25, 30, 50]])
    seeds = seeds_at(embedding, (0, 4), (0, 0))
    assert cluster_seeds(embedding, seeds, 45).tolist() == [[1, 1, 1, 2, 2]]


def test_what_another_object_cuts_off_is_dropped():
    embedding = unit([[180, 70, 180], [0, 40, 0]])
    seeds = seeds_at(embedding, (1, 0), (0, 1))  # the first reaches the whole second row, but loses its middle
    assert cluster_seeds(embedding, seeds, 45).tolist() == [[0, 1, 0], [2, 1, 0]]


def test_a_foreign_seed_keeps_no_piece():
    embedding = unit([[180, 70, 180], [0, 40, 0]])
    seeds = Seeds(np.array([[1, 0], [0, 1], [1, 2]]), unit([0, 70, 180]))  # the third does not reach its own pixel
    assert cluster_seeds(embedding, seeds, 45).tolist() == [[0, 1, 0], [2, 1, 0]]


def test_every_seed_of_a_group_counts():
    embedding = unit([[0, 8, 50]])  # only the second seed reaches the end
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0), (0, 1)), 45).tolist() == [[1, 1, 1]]
    embedding = unit([[0, 8, 30, 55]])  # the third pixel is closer to the second seed than to the last
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0), (0, 1), (0, 3)), 45).tolist() == [[1, 1, 1, 2]]


def test_without_seeds_or_directions():
    embedding = unit([[0, 0], [0, 0]])
    assert cluster_seeds(embedding, seeds_at(embedding), 45).tolist() == [[0, 0], [0, 0]]
    embedding[0, 1] = embedding[1, 0] = np.nan
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0)), 180).tolist() == [[1, 0], [0, 0]]


def with_many_seeds(seed, noise, angle, size=60):
    """Three stripes of noisy directions, 70 degrees apart, and seeds all over them."""
    rng = np.random.default_rng(seed)
    stripes = unit(70.0 * (np.arange(size) // (size / 3)))[None].repeat(size, axis=0)
    vectors = np.concatenate([stripes, np.zeros((size, size, 2))], axis=2)
    embedding = unit_embedding(vectors + rng.normal(0, noise, vectors.shape))
    return embedding, random_seeds(rng, embedding, 60), angle


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("angle", [25, 35, 45, 60])
@pytest.mark.parametrize("seed", range(2))
def test_against_floods_with_many_seeds_of_each_object(canonical, noise, angle, seed):
    task = with_many_seeds(seed, noise, angle)
    assert canonical(cluster_seeds(*task)) == canonical(angular_by_floods(*task))


@pytest.mark.parametrize("seed", range(6))
def test_against_floods_with_many_seeds_of_one_reach_and_others(random_maps, canonical, seed):
    embedding = random_maps(seed, (40, 40), 3, 6)[1]
    seeds = random_seeds(np.random.default_rng(seed), embedding, 50)
    for angle in (20, 45, 70, 100):
        expected = canonical(angular_by_floods(embedding, seeds, angle))
        assert canonical(cluster_seeds(embedding, seeds, angle)) == expected


@pytest.fixture
def looks(monkeypatch):
    """Pixels of all windows that were looked at, as `reaches` counts them."""
    counted = []
    groups = Reaches.groups

    def counting(self):
        before = self.left
        found = groups(self)
        counted.append(before - self.left)
        return found

    monkeypatch.setattr(Reaches, "groups", counting)
    return counted


def test_what_is_looked_at_goes_with_the_area_and_not_with_the_seeds(looks):
    embedding, seeds, angle = with_many_seeds(0, 0.1, 45, size=150)
    for count in (12, 60):
        cluster_seeds(embedding, Seeds(seeds.pixels[:count], seeds.directions[:count]), angle)
    assert looks[1] < 2 * looks[0]


@pytest.mark.parametrize("looked_at", [0, 3])
def test_what_is_looked_at_is_bounded(looks, monkeypatch, looked_at):
    monkeypatch.setattr(reaches, "_LOOKED_AT", looked_at)
    monkeypatch.setattr(reaches, "_LEAST_LOOKED_AT", 0)
    monkeypatch.setattr(reaches, "_FIRST_RADIUS", 4)
    embedding, seeds, _ = with_many_seeds(0, 0.5, 60)
    labels = cluster_seeds(embedding, seeds, 60)
    assert looks[0] < (looked_at + 8) * labels.size  # a last window, and 81 px for each of 60 seeds
    assert labels.any()
    assert labels.max() <= len(seeds.pixels)


def test_a_seed_that_was_reached_when_the_bound_is_passed_is_of_that_object(monkeypatch):
    monkeypatch.setattr(reaches, "_LOOKED_AT", 0)
    monkeypatch.setattr(reaches, "_LEAST_LOOKED_AT", 0)
    embedding = unit([[0, 0, 35, 80, 80]])
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0), (0, 2)), 45).tolist() == [[1, 1, 1, 0, 0]]
    assert cluster_seeds(embedding, seeds_at(embedding, (0, 0), (0, 4)), 45).tolist() == [[1, 1, 1, 2, 2]]
