"""Metrics and clustering against the packages that others use for them, on images of 512 x 512.

Average precision: `study.metrics.scores`, which gives all scores of an image, against stardist and cellpose, which give
this one; the values are compared. They run in an environment of their own (`peers.txt`), whose Python is given by
`--peers`; without it these rows are left out. Clustering, E = 8: bioimage-cpp's mutex watershed called directly on our
affinities, and scikit-learn's mean shift and HDBSCAN on all pixels of the foreground, as one writes it first; their
objects, too, are the connected components of clusters. All on one thread; medians.
Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_peers.py [--peers PYTHON]
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np
from bench_clustering import maps, touching
from bench_metrics import seconds, tessellation
from bioimage_cpp import affinities, segmentation
from skimage.measure import label

from study.clustering import CLUSTERERS
from study.metrics import THRESHOLDS, average_precision, scores
from tests.clustering.arrays import segment

ROUNDS = 3


def compare_metrics(python: str, side: int, objects: Sequence[int]) -> None:
    print(
        f"average precision at {len(THRESHOLDS)} thresholds, {side} x {side} px: ms, and relative to all of our scores"
    )
    for count in objects:
        true, pred = tessellation(count, 0, side), tessellation(count, 4, side)
        ours = median(seconds(scores, true, pred) for _ in range(ROUNDS))
        print(f"{count:6d} objects {'study.metrics.scores':32}{1e3 * ours:9.2f}")
        for name, (taken, found) in (peers(python, true, pred) if python else {}).items():
            np.testing.assert_allclose(found, average_precision(true, pred), atol=1e-6)
            print(f"{count:6d} objects {name:32}{1e3 * taken:9.2f}{taken / ours:8.1f}")
    if not python:
        print("stardist and cellpose are left out: no --peers")


def peers(python: str, true: np.ndarray, pred: np.ndarray) -> dict[str, tuple[float, list[float]]]:
    """Seconds and average precisions of the packages in the environment of `python`, by name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "labels.npz"
        np.savez(file, true=true, pred=pred)
        script = str(Path(__file__).with_name("peer_metrics.py"))
        printed = subprocess.run([python, script, str(file), str(ROUNDS)], check=True, capture_output=True, text=True)
    found = json.loads(printed.stdout.splitlines()[-1])
    return {name: (median(way["seconds"]), way["scores"]) for name, way in found.items()}


def components(embedding: np.ndarray, foreground: np.ndarray, model) -> np.ndarray:
    """Connected components of the clusters that a model of scikit-learn makes of the foreground's pixels."""
    clusters = np.zeros(foreground.shape, int)
    clusters[foreground] = 1 + model.fit_predict(embedding[foreground])
    return label(clusters, connectivity=1)


def straight(method: str, embedding: np.ndarray, foreground: np.ndarray) -> np.ndarray:
    """What the library alone makes of an embedding."""
    from sklearn.cluster import HDBSCAN, MeanShift

    if method == "mean-shift":
        return components(embedding, foreground, MeanShift(bandwidth=0.5, bin_seeding=True))
    if method == "hdbscan":
        return components(embedding, foreground, HDBSCAN(min_cluster_size=100, copy=True))
    offsets = [(1, 0), (0, 1), (4, 0), (0, 4), (4, 4), (4, -4)]
    chord = affinities.compute_embedding_distances(np.moveaxis(embedding, 2, 0).copy(), offsets, norm="l2")
    weights = 2 * np.arcsin(np.minimum(chord / 2, 1))
    weights[:2] = 1 - weights[:2]
    return segmentation.mutex_watershed(weights, offsets, 2, strides=[1, 1], mask=foreground)


def compare_clustering(size: int, rows: int) -> None:
    print(f"\nclustering, {size} x {size} px, {rows**2} objects, E = 8: ms; SBD")
    print(f"{'method':>16}{'ours':>10}{'straight':>10}{'ratio':>8}{'SBD ours':>10}{'straight':>10}")
    distance, noisy = maps(rows, rows, size)
    truth = touching(rows, rows, size)
    embedding = noisy / np.linalg.norm(noisy, axis=2, keepdims=True)
    foreground = truth > 0
    for method in ("mutex-watershed", "mean-shift", "hdbscan"):
        clusterer = CLUSTERERS[method]()
        ways = (
            lambda clusterer=clusterer: segment(distance, embedding, clusterer, foreground),
            lambda method=method: straight(method, embedding, foreground),
        )
        times = [median(seconds(way) for _ in range(ROUNDS)) for way in ways]
        found = [scores(truth, np.asarray(way(), np.int32))["sbd"] for way in ways]
        cells = "".join(f"{1e3 * taken:10.0f}" for taken in times) + f"{times[1] / times[0]:8.1f}"
        print(f"{method:>16}{cells}{found[0]:10.3f}{found[1]:10.3f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", default="", metavar="PYTHON", help="of an environment with what peers.txt names")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    compare_metrics(given.peers, *((48, [5]) if given.tiny else (512, [11, 100, 1000])))
    compare_clustering(*((48, 2) if given.tiny else (128, 4)))


if __name__ == "__main__":
    main()
