"""Mean shift and HDBSCAN: objects are the connected pieces of the clusters that the directions form."""

from __future__ import annotations

import numpy as np
from sklearn.cluster import HDBSCAN, MeanShift
from sklearn.metrics import pairwise_distances_argmin_min

from study.clustering.connected import connected_pieces
from study.config import Clustering

FITTED_PIXELS = 20_000  # at most so many pixels of an image are fitted: HDBSCAN's time goes with their square
_DRAWN_BY = 0  # seed of the draw of the fitted pixels
_MOST_SEEDS = 200  # from which mean shift climbs
_PAPER_AREA = 512 * 512  # px, of the image that `hdbscan_min_cluster` refers to
_LEAST_CLUSTER = 10  # px; fewer tell little about a density
_ROUNDING = 1e-6  # of distances between unit vectors: equal directions count as within a reach of 0


def mean_shift(distance: np.ndarray, embedding: np.ndarray, settings: Clustering, foreground: np.ndarray) -> np.ndarray:
    """Objects as pieces of the modes of the foreground's directions (clusterer of Wu et al. 2020, Table 2).

    A flat kernel of radius `mean_shift_bandwidth` climbs from directions in the 200 most populous cells of a grid as
    wide as the radius, over at most 20 000 foreground pixels, drawn by a fixed seed. Every foreground pixel then
    goes to the nearest mode. Local constraints let distant objects share a direction: they are told apart as
    connected pieces.

    Bounded for P foreground pixels and K <= 200 modes by O(20 000 E) time for each of the at most 200 x 300 steps and
    O(P K E) for the assignment, and by O(P E) memory: about 1 s at 512 x 512, even for random directions.

    Parameters
    ----------
    distance : (M, N) float array
        Not used.
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction.
    settings : Clustering
    foreground : (M, N) bool array
        Pixels to cluster.

    Returns
    -------
    (M, N) int32 array
        0 outside of the foreground and where there is no direction, otherwise ids 1, 2, ...
    """
    known, directions = _known(embedding, foreground)
    if not known.any():
        return np.zeros(known.shape, np.int32)
    fitted = directions[_drawn(len(directions))]
    bandwidth = settings.mean_shift_bandwidth
    modes = MeanShift(bandwidth=bandwidth, seeds=_populous(fitted, bandwidth)).fit(fitted)
    return _pieces(known, 1 + modes.predict(directions))


def hdbscan(distance: np.ndarray, embedding: np.ndarray, settings: Clustering, foreground: np.ndarray) -> np.ndarray:
    """Objects as pieces of the dense regions of the foreground's directions (clusterer of Wu et al. 2020, Table 2).

    Fitted are at most 20 000 foreground pixels, drawn by a fixed seed. Any other pixel goes to the cluster with the
    nearest centre, or is noise if it is farther away than every fitted pixel of that cluster. Noise becomes
    background, and clusters are split into connected pieces as in `mean_shift`.

    A cluster has at least `hdbscan_min_cluster` px, of which an image of M x N px counts the (M N / 512^2)-th part,
    and the sample of the fitted pixels its own part of that, but at least 10: a direction that is reused all over the
    image gathers pixels in proportion to its area. As many neighbours estimate the density.

    Bounded for P foreground pixels and K <= 2000 clusters by O(20 000^2 E) time for the fit and O(P K E) for the
    assignment, and by O(P E) memory: about 2 s at 512 x 512 and E = 8, 20 s at E = 64.

    Parameters
    ----------
    distance : (M, N) float array
        Not used.
    embedding : (M, N, E) float32 array
        Unit vectors, NaN where there is no direction.
    settings : Clustering
    foreground : (M, N) bool array
        Pixels to cluster.

    Returns
    -------
    (M, N) int32 array
        0 outside of the foreground, in noise and where there is no direction, otherwise ids 1, 2, ...
    """
    known, directions = _known(embedding, foreground)
    if not known.any():
        return np.zeros(known.shape, np.int32)
    drawn = _drawn(len(directions))
    fitted = directions[drawn]
    share = len(fitted) / len(directions)
    least = max(_LEAST_CLUSTER, round(settings.hdbscan_min_cluster * known.size / _PAPER_AREA * share))
    clusters = _dense_clusters(fitted, least)
    labels = np.zeros(len(directions), np.int32)
    if clusters.max(initial=-1) >= 0:
        labels = 1 + _nearest_cluster(directions, fitted, clusters)
        labels[drawn] = 1 + clusters
    return _pieces(known, labels)


def _known(embedding: np.ndarray, foreground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the foreground pixels that have a direction, and their directions (P, E)."""
    known = foreground & np.isfinite(embedding[..., 0])
    return known, embedding[known]


def _drawn(count: int) -> np.ndarray:
    """Indices of the pixels to fit."""
    if count <= FITTED_PIXELS:
        return np.arange(count)
    return np.random.default_rng(_DRAWN_BY).choice(count, FITTED_PIXELS, replace=False)


def _pieces(known: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Image of the connected pieces of `labels` (P,), which belong to the pixels `known`."""
    image = np.zeros(known.shape, np.int32)
    image[known] = labels
    return connected_pieces(image).astype(np.int32)


def _populous(directions: np.ndarray, width: float) -> np.ndarray:
    """One direction of each of the cells of a grid that hold the most.

    A direction and not the cell's middle, which need not have anything within the bandwidth.
    """
    cells = np.round(directions / width).astype(np.int64)  # embeddings that are no unit vectors have no bound
    _, first, count = np.unique(cells, axis=0, return_index=True, return_counts=True)
    return directions[first[np.argsort(-count, kind="stable")[:_MOST_SEEDS]]]


def _dense_clusters(directions: np.ndarray, least: int) -> np.ndarray:
    """Cluster of each direction from 0, -1 = noise.

    HDBSCAN takes either two clusters or more, or, if allowed, gladly all directions as a single one. Copies of the
    origin, at distance 1 from every direction, as a cluster of their own, decide between the two: orthogonal clusters
    are farther apart than that, the parts of a single one are not.
    """
    origin = np.zeros((least, directions.shape[1]), directions.dtype)
    model = HDBSCAN(min_cluster_size=least, copy=True)  # type: ignore[arg-type]
    clusters = model.fit_predict(np.concatenate([directions, origin]))
    clusters = np.where(clusters == clusters[-1], -1, clusters)[: len(directions)]
    used, clusters = np.unique(clusters, return_inverse=True)
    return clusters - np.count_nonzero(used < 0)


def _nearest_cluster(directions: np.ndarray, fitted: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Cluster of the nearest centre for each direction, -1 beyond the farthest fitted direction of that cluster."""
    fitted, clusters = fitted[clusters >= 0], clusters[clusters >= 0]
    centres = np.zeros((clusters.max() + 1, fitted.shape[1]))
    np.add.at(centres, clusters, fitted)
    centres /= np.bincount(clusters)[:, None]
    reach = np.zeros(len(centres))
    np.maximum.at(reach, clusters, np.linalg.norm(fitted - centres[clusters], axis=1))
    nearest, apart = pairwise_distances_argmin_min(directions, centres)
    return np.where(apart <= reach[nearest] + _ROUNDING, nearest, -1)
