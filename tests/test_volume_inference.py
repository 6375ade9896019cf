import itertools

import numpy as np
import pytest
import torch

from study.affinities import affinities, pair_offsets, unit_vectors
from study.inference import maps_of_pixels
from study.networks import build_network
from study.profiles import load_settings
from study.volume_inference import near_affinity, pair_shares, tiled_affinities, tiles_along

OFFSETS = ((0, -1, 0), (0, 0, -1), (0, -3, 3), (-1, 0, 0), (-2, 0, 0), (2, 0, -1))
NEAREST = ((0, 0, -1),)


def volume(shape, seed=0):
    return np.random.default_rng(seed).normal(size=(*shape, 1)).astype(np.float32)


def predicting(embed, offsets=OFFSETS):
    return lambda tile: affinities(embed(tile), offsets)


def whole(predict, pixels):
    with torch.no_grad():
        return predict(torch.from_numpy(pixels).movedim(-1, 0)[None])[0].numpy()


@pytest.fixture
def pointwise():
    """A network whose embedding of a voxel depends on that voxel alone."""
    torch.manual_seed(0)
    layer = torch.nn.Conv3d(1, 4, 1)
    return lambda pixels: unit_vectors(layer(pixels))


@pytest.mark.parametrize("tile", [(4, 6, 6), (5, 8, 10), (20, 6, 30), (30, 30, 30)])
@pytest.mark.parametrize(("shape", "multiple"), [((9, 16, 22), 1), ((7, 13, 15), 2), ((2, 6, 9), 1)])
def test_tiles_equal_the_whole_volume_for_a_network_without_context(pointwise, shape, multiple, tile):
    pixels, predict = volume(shape), predicting(pointwise)
    found = tiled_affinities(predict, pixels, OFFSETS, tile, multiple=multiple)
    assert (found.shape, found.dtype) == ((len(OFFSETS), *shape), np.float32)
    np.testing.assert_allclose(found, whole(predict, pixels), atol=1e-6)


def test_one_tile_is_the_whole_volume():
    settings = load_settings("neurites", profile="smoke", system="pea")
    torch.manual_seed(0)
    network = build_network(1, settings.network, settings.loss, 3).eval()
    predict, pixels = predicting(lambda tile: network(tile).embedding), volume((4, 10, 8))
    found = tiled_affinities(predict, pixels, OFFSETS, (4, 10, 8), multiple=2)
    np.testing.assert_array_equal(found, whole(predict, pixels))


def test_tiles_need_not_agree_on_the_embedding(pointwise):
    pixels, generator = volume((6, 12, 14)), torch.Generator().manual_seed(1)

    def turned(tile):
        rotation = torch.linalg.qr(torch.randn(4, 4, generator=generator)).Q
        return torch.einsum("ij,bjpmn->bipmn", rotation, pointwise(tile))

    found = tiled_affinities(predicting(turned), pixels, OFFSETS, (4, 8, 8))
    np.testing.assert_allclose(found, whole(predicting(pointwise), pixels), atol=1e-5)


def test_the_middle_of_a_tile_counts_more_than_its_border():
    """The first of two tiles gives affinities of 1, the other one of 0."""
    calls = iter([1.0, 0.0])

    def predict(tile):
        return torch.full_like(tile, next(calls))

    found = tiled_affinities(predict, volume((1, 1, 12)), NEAREST, (2, 2, 8))[0, 0, 0]
    assert found[0] == 0
    np.testing.assert_array_equal(found[1:5], 1)
    np.testing.assert_array_equal(found[8:], 0)
    assert (np.diff(found[4:9]) < 0).all()


def test_no_tile_is_larger_than_asked_for():
    seen = []

    def predict(tile):
        seen.append(tuple(tile.shape[2:]))
        return tile

    tiled_affinities(predict, volume((9, 33, 21)), NEAREST, (4, 8, 8), multiple=4)
    assert max(sides[0] for sides in seen) == 4
    assert max(max(sides[1:]) for sides in seen) < 8 + 4
    assert len(seen) > 50


@pytest.mark.parametrize(("multiple", "tile"), [(1, 2), (1, 8), (4, 8), (4, 20)])
def test_tiles_cover_an_axis_and_overlap_by_half(tile, multiple):
    for size in range(1, 70):
        tiles = tiles_along(size, tile, multiple)
        assert tiles[0].start == 0
        assert tiles[-1].stop == size
        assert all(own.start % multiple == 0 for own in tiles)
        assert all(own.stop - own.start < tile + multiple for own in tiles)
        assert all(one.stop - two.start >= tile / 2 for one, two in itertools.pairwise(tiles))
        assert all(one.start < two.start for one, two in itertools.pairwise(tiles))


@pytest.mark.parametrize(("tile", "multiple"), [(1, 1), (4, 4), (7, 4)])
def test_tiles_that_would_not_overlap(tile, multiple):
    with pytest.raises(ValueError, match=f"tiles of {tile} that begin at multiples of {multiple} do not overlap"):
        tiles_along(20, tile, multiple)
    with pytest.raises(ValueError, match="do not overlap"):
        tiled_affinities(lambda tile: tile, volume((4, 20, 20)), NEAREST, (4, tile, 20), multiple=multiple)


@pytest.mark.parametrize("distance", [0, -1, 1, -4, 3])
@pytest.mark.parametrize("size", [5, 8, 19])
def test_shares_of_the_tiles_sum_to_one(size, distance):
    tiles, total = tiles_along(size, 8), np.zeros(size)
    for own, share in zip(tiles, pair_shares(size, tiles, distance), strict=True):
        assert (share >= 0).all()
        total[own] += share
    partner = np.arange(size) + distance
    np.testing.assert_allclose(total, (partner >= 0) & (partner < size), atol=1e-6)


def test_pairs_that_leave_the_volume():
    assert pair_shares(3, [slice(0, 3)], -5)[0].tolist() == [0, 0, 0]
    assert pair_shares(3, [slice(0, 4)], 2)[0].tolist() == [1, 0, 0, 0]  # a tile that reaches beyond the volume
    assert pair_shares(3, [slice(0, 4)], -2)[0].tolist() == [0, 0, 1, 0]


def test_near_affinity_is_that_of_a_naive_loop():
    offsets = pair_offsets((1, 3), axial=(1, 2))
    affinity = np.random.default_rng(0).random((len(offsets), 3, 5, 4)).astype(np.float32)
    shape, values = affinity.shape[1:], {}
    for k, offset in enumerate(offsets):
        for place in np.ndindex(*shape):
            other = tuple(np.add(place, offset))
            if sum(map(abs, offset)) == 1 and min(other) >= 0:
                values.setdefault(place, []).append(affinity[k][place])
                values.setdefault(other, []).append(affinity[k][place])
    expected = [np.mean(values[place]) for place in np.ndindex(*shape)]
    np.testing.assert_allclose(near_affinity(affinity, offsets).ravel(), expected, rtol=1e-5)


@pytest.mark.parametrize("system", ["pea", "affinity-learning"])
def test_maps_of_a_volume_of_any_size(system):
    settings = load_settings("neurites", profile="smoke", system=system, overrides="training.precision=float32")
    torch.manual_seed(0)
    network = build_network(1, settings.network, settings.loss, 3).train()
    pixels = [volume(shape, seed).astype(np.float16) for seed, shape in enumerate([(5, 17, 21), (1, 4, 1)])]
    found = maps_of_pixels(network, pixels, settings)
    assert network.training
    offsets = settings.loss.offsets(3)[0]
    for maps, own in zip(found, pixels, strict=True):
        assert (maps.metric, maps.shape) == ("affinity", own.shape[:3])
        assert (maps.embedding.shape, maps.embedding.dtype) == ((*own.shape[:3], len(offsets)), np.float16)
        assert np.isfinite(maps.embedding).all()
        near = near_affinity(np.moveaxis(maps.embedding, -1, 0).astype(np.float32), offsets)
        np.testing.assert_allclose(maps.objectness, near, atol=2e-3)
