import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN

from study.clustering import density, hdbscan
from study.clustering.density import NeighbourGraph, as_matrix, neighbour_graph


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def clumps(dims, count, of_each, spread, seed=0):
    """Directions around the axes, clump after clump."""
    rng = np.random.default_rng(seed)
    return unit(np.repeat(np.eye(dims)[:count], of_each, axis=0) + rng.normal(0, spread, (count * of_each, dims)))


@pytest.fixture(autouse=True)
def nothing_kept():
    density._kept.cache_clear()


@pytest.mark.parametrize("dims", [3, 20])
@pytest.mark.parametrize("rank", [1, 5, 60, 1000])
def test_core_distances(dims, rank):
    directions = clumps(dims, 3, 40, 0.3)
    expected = np.sort(cdist(directions, directions), axis=1)[:, min(rank, 120) - 1]
    np.testing.assert_allclose(NeighbourGraph(directions).core_distances(rank), expected, atol=1e-6)


def test_few_directions_have_all_edges():
    directions = clumps(3, 3, 10, 0.3)
    rows, columns, lengths = NeighbourGraph(directions).edges
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {(i, j) for j in range(30) for i in range(j)}
    np.testing.assert_allclose(lengths, cdist(directions, directions)[rows, columns], atol=1e-6)


@pytest.mark.parametrize("directions", [np.eye(3)[:1], np.eye(3)[:2]])
def test_hardly_any_directions(directions):
    rows, _, lengths = NeighbourGraph(directions).edges
    assert len(rows) == (len(directions) == 2)
    assert lengths.tolist() == pytest.approx([2**0.5] * len(rows))


def test_pieces_are_connected_along_the_shortest_gaps():
    directions = clumps(8, 4, 100, 0.01)
    directions[:100, 1] += 0.7  # the first two clumps are nearer to one another
    directions = unit(directions)
    rows, columns, lengths = NeighbourGraph(directions).edges
    piece = np.arange(400) // 100
    between = piece[rows] != piece[columns]
    assert between.sum() == 3
    assert connected_components(as_matrix(rows, columns, lengths, 400))[0] == 1
    distances = cdist(directions, directions)
    shortest = distances[:100, 100:200].min()
    assert lengths[between].min() == pytest.approx(shortest)


def test_equal_directions_are_connected_with_others():
    directions = np.repeat(unit(np.array([[1, 0, 0], [1, 0.1, 0], [1, 0.2, 0], [0, 0, 1.0]])), 60, axis=0)
    rows, columns, lengths = NeighbourGraph(directions).edges
    assert connected_components(as_matrix(rows, columns, lengths + 1, 240))[0] == 1
    between = sorted({round(length, 2) for length in lengths.tolist() if length > 0})
    assert between == [0.1, 0.2, 1.41]  # of all pairs of the four; 0 within each


@pytest.mark.parametrize("dims", [4, 20])
@pytest.mark.parametrize("spread", [0.02, 0.1, 0.2])
@pytest.mark.parametrize("min_size", [10, 40])
def test_hdbscan_finds_the_clusters_that_it_finds_among_all_pairs(dims, spread, min_size):
    directions = clumps(dims, 3, 150, spread)
    origin = np.zeros((min_size, dims))
    all_pairs = HDBSCAN(min_cluster_size=min_size, copy=True).fit_predict(np.concatenate([directions, origin]))
    expected = np.where(all_pairs == all_pairs[-1], -1, all_pairs)[:-min_size]
    found = hdbscan._dense_clusters(directions, min_size)
    assert len(set(found) - {-1}) == len(set(expected) - {-1}) > 0
    # at the rim of a cluster a direction may lack the edge by which it would join it
    assert np.mean((found < 0) != (expected < 0)) < 0.02
    both = (found >= 0) & (expected >= 0)
    together = [clusters[both][:, None] == clusters[both] for clusters in (found, expected)]
    assert np.mean(together[0] == together[1]) > 0.99


def test_the_neighbours_of_an_image_are_found_once(monkeypatch):
    looked, neighbours = [], density._neighbours
    monkeypatch.setattr(density, "_neighbours", lambda *given: looked.append(1) or neighbours(*given))
    directions = clumps(4, 3, 60, 0.1)
    for min_size in (10, 20, 30):
        hdbscan._dense_clusters(directions.copy(), min_size)
    assert len(looked) == 1
    assert neighbour_graph(directions) is neighbour_graph(directions.copy())
    assert neighbour_graph(directions) is not neighbour_graph(directions + 1e-3)
