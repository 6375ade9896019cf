import itertools

import numpy as np
import pytest
import torch

from study.affinities import affinities, unit_vectors
from study.em.inference import pair_shares, tiled_affinities, tiles_along
from study.networks.residual import ResidualUNet

OFFSETS = ((0, -1, 0), (0, 0, -1), (0, -3, 3), (-1, 0, 0), (-2, 0, 0), (2, 0, -1))


def volume(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def whole(embed, raw, offsets=OFFSETS):
    with torch.no_grad():
        return affinities(embed(torch.from_numpy(raw)[None, None]), offsets)[0].numpy()


@pytest.fixture
def pointwise():
    """A network whose embedding of a voxel depends on that voxel alone."""
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(1, 4, 1)
    return lambda raw: unit_vectors(layer(raw))


@pytest.mark.parametrize("tile", [(4, 6, 6), (5, 8, 10), (20, 6, 30), (30, 30, 30)])
@pytest.mark.parametrize(("shape", "multiple"), [((9, 16, 22), 1), ((7, 13, 15), 2), ((2, 6, 9), 1)])
def test_tiles_equal_the_whole_volume_for_a_network_without_context(pointwise, shape, multiple, tile):
    raw = volume(shape)
    found = tiled_affinities(pointwise, raw, OFFSETS, tile, multiple=multiple)
    assert found.shape == (len(OFFSETS), *shape)
    np.testing.assert_allclose(found, whole(pointwise, raw), atol=1e-6)


def test_one_tile_is_the_whole_volume():
    torch.manual_seed(0)
    network = ResidualUNet(1, dims=3, widths=(2, 3), embedding_dim=3, unit=True).eval()
    raw = volume((4, 10, 8))

    def embed(tile):
        return network(tile).embeddings[0]

    np.testing.assert_array_equal(tiled_affinities(embed, raw, OFFSETS, (4, 10, 8), multiple=2), whole(embed, raw))


def test_tiles_need_not_agree_on_the_embedding(pointwise):
    raw, generator = volume((6, 12, 14)), torch.Generator().manual_seed(1)

    def turned(tile):
        rotation = torch.linalg.qr(torch.randn(4, 4, generator=generator)).Q
        return torch.einsum("ij,bjpmn->bipmn", rotation, pointwise(tile))

    found = tiled_affinities(turned, raw, OFFSETS, (4, 8, 8))
    np.testing.assert_allclose(found, whole(pointwise, raw), atol=1e-5)


def test_the_middle_of_a_tile_counts_more_than_its_border():
    """Each of two tiles gives all its voxels a direction of its own, whose affinity to itself is 1; one gives 0."""
    calls = iter([1.0, 0.0])

    def embed(tile):
        return torch.full_like(tile, next(calls))

    found = tiled_affinities(embed, volume((1, 1, 12)), ((0, 0, -1),), (1, 1, 8))[0, 0, 0]
    assert found[0] == 0
    np.testing.assert_array_equal(found[1:5], 1)
    np.testing.assert_array_equal(found[8:], 0)
    assert (np.diff(found[4:9]) < 0).all()


def test_no_tile_is_larger_than_asked_for():
    seen = []

    def embed(tile):
        seen.append(tuple(tile.shape[2:]))
        return tile

    tiled_affinities(embed, volume((9, 33, 21)), ((0, 0, -1),), (4, 8, 8), multiple=4)
    assert max(sides[0] for sides in seen) == 4
    assert max(max(sides[1:]) for sides in seen) < 8 + 4
    assert len(seen) > 50


@pytest.mark.parametrize("multiple", [1, 4])
@pytest.mark.parametrize("tile", [8, 20])
def test_tiles_cover_an_axis_and_overlap_by_half(tile, multiple):
    for size in range(1, 70):
        tiles = tiles_along(size, tile, multiple)
        assert tiles[0].start == 0
        assert tiles[-1].stop == size
        assert all(own.start % multiple == 0 for own in tiles)
        assert all(own.stop - own.start < tile + multiple for own in tiles)
        assert all(one.stop - two.start >= tile / 2 for one, two in itertools.pairwise(tiles))
        assert all(one.start < two.start for one, two in itertools.pairwise(tiles))


@pytest.mark.parametrize("distance", [0, -1, 1, -4, 3])
@pytest.mark.parametrize("size", [5, 8, 19])
def test_shares_of_the_tiles_sum_to_one(size, distance):
    tiles, total = tiles_along(size, 8), np.zeros(size)
    for own, share in zip(tiles, pair_shares(size, tiles, distance), strict=True):
        assert (share >= 0).all()
        total[own] += share
    partner = np.arange(size) + distance
    np.testing.assert_allclose(total, (partner >= 0) & (partner < size), atol=1e-6)


def test_pairs_longer_than_the_volume():
    assert pair_shares(3, [slice(0, 3)], -5)[0].tolist() == [0, 0, 0]
