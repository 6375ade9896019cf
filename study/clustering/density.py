"""The graph of near neighbours among directions that HDBSCAN's tree is made of, found once per image.

A search of thresholds clusters the same image tens of times. Of what HDBSCAN does, only the density (the distance to
the m-th neighbour) and the tree depend on its settings; the neighbours, which take longest, do not.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
from scipy.spatial import KDTree

_NEAREST = 32  # neighbours of a direction that edges lead to, itself among them
_RANKS = (32, 96, 320)  # neighbours are looked for up to one of these ranks at a time
_TREE_DIMS = 16  # beyond so many dimensions all pairs are compared, which is faster than a tree there
_EQUAL = 1e-6  # directions closer than that are one
_COMPARED = 2000  # directions, spread over all components, by which the gaps between components are measured
_KEPT_IMAGES = 40  # some 5 MB each


class NeighbourGraph:
    """Directions and the edges between near ones.

    An edge leads from each direction to its nearest others. Where these leave the graph in pieces, further edges
    connect the pieces along the shortest gaps between them, as a minimum spanning tree does; the gaps are measured
    between some directions of each piece.

    Parameters
    ----------
    directions : (P, E) float array
    """

    def __init__(self, directions: np.ndarray):
        self._directions = np.ascontiguousarray(directions, np.float32)
        self._distances = np.zeros((len(directions), 0), np.float32)  # to the nearest, in order, itself first
        self._nearest = np.zeros((len(directions), 0), np.int32)

    def core_distances(self, rank: int) -> np.ndarray:
        """Distance (P,) of each direction to its neighbour of that rank, the direction itself being the first."""
        rank = min(rank, len(self._directions))
        self._look_up_to(rank)
        return self._distances[:, rank - 1]

    @cached_property
    def edges(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Indices of both ends and length of each edge, every one of them once."""
        count = len(self._directions)
        self._look_up_to(min(_NEAREST, count))
        near = self._nearest[:, 1:_NEAREST]
        pairs = [_pairs(np.repeat(np.arange(count), near.shape[1]), near.ravel())]
        if np.any(self._distances[:, min(_NEAREST, count) - 1] < _EQUAL):  # equal ones have only each other
            pairs.append(self._between_distinct())
        pairs = np.stack(np.divmod(np.unique(np.concatenate(pairs) @ [count, 1]), count), axis=1)  # faster than by rows
        pairs = np.concatenate([pairs, self._connecting(pairs)]).astype(np.int32)
        ends = self._directions[pairs]
        return pairs[:, 0], pairs[:, 1], np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1)

    def _look_up_to(self, rank: int) -> None:
        if rank > self._distances.shape[1]:
            ranks = min(next((known for known in _RANKS if known >= rank), rank), len(self._directions))
            self._distances, self._nearest = _neighbours(self._directions, ranks)

    def _between_distinct(self) -> np.ndarray:
        """Pairs of near neighbours among one direction each of those that are equal, and of equal ones with that."""
        rounded = np.round(self._directions / _EQUAL).astype(np.int64)
        _, first, which = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
        _, near = _neighbours(self._directions[first], min(_NEAREST, len(first)))
        distinct = _pairs(np.repeat(first, near.shape[1] - 1), first[near[:, 1:]].ravel())
        return np.concatenate([distinct, _pairs(np.arange(len(which)), first[which.ravel()])])

    def _connecting(self, pairs: np.ndarray) -> np.ndarray:
        """Pairs that connect the pieces of a graph."""
        count = len(self._directions)
        graph = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
        pieces, piece = connected_components(graph, directed=False)
        if pieces == 1:
            return np.zeros((0, 2), np.int64)
        chosen = _some_of_each(piece, max(1, _COMPARED // pieces))
        starts = np.flatnonzero(np.diff(piece[chosen], prepend=-1))
        gaps = _distances(self._directions[chosen], self._directions[chosen])
        between = np.minimum.reduceat(np.minimum.reduceat(gaps, starts, axis=0), starts, axis=1)
        tree = minimum_spanning_tree(np.triu(between + _EQUAL, 1)).tocoo()
        bounds = np.append(starts, len(chosen))
        connected = []
        for a, b in zip(tree.row, tree.col, strict=True):
            gap = gaps[bounds[a] : bounds[a + 1], bounds[b] : bounds[b + 1]]
            i, j = np.unravel_index(gap.argmin(), gap.shape)
            connected.append((chosen[bounds[a] + i], chosen[bounds[b] + j]))
        return np.array(connected, np.int64)


def neighbour_graph(directions: np.ndarray) -> NeighbourGraph:
    """The graph of some directions; those of the last images are kept."""
    return _kept(_Content(hashlib.sha256(directions.tobytes()).digest(), directions))


def as_matrix(rows: np.ndarray, columns: np.ndarray, weights: np.ndarray, count: int) -> csr_array:
    """Symmetric matrix of the weights of edges among so many nodes."""
    both = (np.concatenate([rows, columns]), np.concatenate([columns, rows]))
    return csr_array((np.concatenate([weights, weights]), both), shape=(count, count))


@dataclass(frozen=True)
class _Content:
    digest: bytes
    directions: np.ndarray = field(compare=False, repr=False)


@lru_cache(maxsize=_KEPT_IMAGES)
def _kept(content: _Content) -> NeighbourGraph:
    return NeighbourGraph(content.directions)


def _neighbours(directions: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and indices (P, count) of the nearest directions, each itself first."""
    if directions.shape[1] <= _TREE_DIMS:
        distances, indices = KDTree(directions).query(directions, count)
    else:
        from sklearn.neighbors import NearestNeighbors  # takes a second, which other methods need not wait for

        found = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(directions).kneighbors(directions)
        distances, indices = found
    shape = (len(directions), count)  # where one neighbour is asked for, the tree gives a row
    return np.asarray(distances, np.float32).reshape(shape), np.asarray(indices, np.int32).reshape(shape)


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Pairs (N, 2) of different indices, the smaller one first."""
    pairs = np.sort(np.stack([first, second], axis=1).astype(np.int64), axis=1)
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _some_of_each(piece: np.ndarray, count: int) -> np.ndarray:
    """Indices of at most so many members of each piece, drawn by a fixed seed, piece after piece."""
    order = np.random.default_rng(0).permutation(len(piece))
    order = order[np.argsort(piece[order], kind="stable")]
    sizes = np.bincount(piece)
    rank = np.arange(len(piece)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[rank < count]


def _distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from sklearn.metrics import pairwise_distances  # as above

    return pairwise_distances(first, second)
