"""HDBSCAN: objects are the connected components of the dense regions that the directions form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from study.clustering.density import as_matrix, neighbour_graph
from study.clustering.sampling import FittedClustering
from study.config import setting

_PAPER_AREA = 512 * 512  # px, of the image that `min_cluster_size` refers to
_MIN_CLUSTER = 10  # px; fewer say little about a density
_ROUNDING = 1e-6  # of distances between unit vectors: equal directions count as within a reach of 0


@dataclass(frozen=True)
class Hdbscan(FittedClustering):
    """Objects as components of the dense regions of the foreground's directions (clusterer of Wu et al. 2020, Table 2).

    At most 5000 foreground pixels are fitted, sampled by a fixed seed. Any other pixel goes to the cluster with the
    nearest centre, or is noise if it is farther away than every fitted pixel of that cluster. Noise becomes
    background, and clusters are split into connected components as in mean shift.

    A cluster has at least `min_cluster_size` px, of which an image of M x N px counts the (M N / 512^2)-th part, and
    the sample of the fitted pixels its own part of that, but at least 10: a direction that is reused all over the image
    gathers pixels in proportion to its area. As many neighbours estimate the density.

    The tree is that of the edges to the 32 nearest directions of each, and of the shortest edges between what these
    leave apart (`study.clustering.density`), in place of all pairs. They are found once for all settings of an image.

    Bounded for P foreground pixels and K <= 500 clusters by O(5000^2 E) time for the neighbours and O(P K E) for the
    assignment, and by O(P E) memory.
    """

    key: ClassVar[str] = "hdbscan"
    metrics: ClassVar[tuple[str, ...]] = ("angle",)
    # 20 000 take five times as long, and SBD is no better: on maps of synthetic leaves and cells of 256 px, made from
    # the truth with noise of .1, it falls from .994 and .997 to .991 and .995, by the best of four settings each
    fitted_pixels: ClassVar[int] = 5000

    # px of a 512 x 512 image, scaled to the area of others
    min_cluster_size: int = setting(100, low=1, search=(50, 300, 10), label="minimum cluster size, px")

    def fit_settings(self, count: int, pixels: int) -> tuple[int]:
        share = min(count, self.fitted_pixels) / count
        return (max(_MIN_CLUSTER, round(self.min_cluster_size * pixels / _PAPER_AREA * share)),)

    def clusters(self, directions: np.ndarray, min_size: int) -> np.ndarray:
        sampled = self.sample(len(directions))
        fitted = directions[sampled]
        clusters = _dense_clusters(fitted, min_size)
        if clusters.max(initial=-1) < 0:
            return np.zeros(len(directions), np.int32)
        labels = 1 + _nearest_cluster(directions, fitted, clusters)
        labels[sampled] = 1 + clusters
        return labels


def _dense_clusters(directions: np.ndarray, min_size: int) -> np.ndarray:
    """Cluster of each direction from 0, -1 = noise.

    HDBSCAN takes either two clusters or more, or, if allowed, gladly all directions as a single one. Copies of the
    origin, at distance 1 from every direction, as a cluster of their own, decide between the two: orthogonal clusters
    are farther apart than that, the parts of a single one are not.
    """
    from sklearn.cluster import HDBSCAN  # takes a second, which runs by other methods need not wait for

    graph, count = neighbour_graph(directions), len(directions)
    density = np.minimum(graph.core_distances(min_size), 1)  # the copies of the origin are neighbours, too
    rows, columns, lengths = graph.edges
    origin = np.arange(count, count + min_size)
    ends = (
        np.concatenate([rows, np.arange(count), origin[:-1]]),
        np.concatenate([columns, np.full(count, count), origin[1:]]),
    )
    reachability = np.maximum(lengths, np.maximum(density[rows], density[columns]))
    weights = np.concatenate([reachability, np.ones(count), np.zeros(min_size - 1)])
    distances = as_matrix(*ends, np.maximum(weights, _ROUNDING), count + min_size)
    # with a single neighbour its distances are taken as they are
    model = HDBSCAN(min_cluster_size=min_size, min_samples=1, metric="precomputed", copy=True)  # type: ignore[arg-type]
    clusters = model.fit_predict(distances)
    clusters = np.where(clusters == clusters[-1], -1, clusters)[:count]
    used, clusters = np.unique(clusters, return_inverse=True)
    return clusters - np.count_nonzero(used < 0)


def _nearest_cluster(directions: np.ndarray, fitted: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Cluster of the nearest centre for each direction, -1 beyond the farthest fitted direction of that cluster."""
    from sklearn.metrics import pairwise_distances_argmin_min  # as above

    fitted, clusters = fitted[clusters >= 0], clusters[clusters >= 0]
    centres = np.zeros((clusters.max() + 1, fitted.shape[1]))
    np.add.at(centres, clusters, fitted)
    centres /= np.bincount(clusters)[:, None]
    reach = np.zeros(len(centres))
    np.maximum.at(reach, clusters, np.linalg.norm(fitted - centres[clusters], axis=1))
    nearest, apart = pairwise_distances_argmin_min(directions, centres)
    return np.where(apart <= reach[nearest] + _ROUNDING, nearest, -1)
