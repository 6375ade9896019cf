"""Clustering, E = 8: how all methods grow with pixels and objects, and angular clustering against a dilation loop.

The first table has 12, 500 and 5000 objects, maps of little noise (.02 on the embedding) and noisy ones (.1, and .05 on
the distance map), and the log-log slope of the time against pixels, from the second size on. Why slopes are above 1.1
(instructions and cache misses counted by callgrind, a last level of 32 MiB):

- Mutex watershed, 12 objects: from 256 to 1024 px instructions grow with a slope of 1.01, cache misses with one of 1.5.
  The edges, 24 bytes a pixel, are visited in the order of their weights, so that it is memory that takes more time.
- Components with a watershed: a priority queue of pixels, whose instructions grow with 1.04 (256 to 1024 px), and
  visits in the order of the map, as above.
- Growing of 5000 objects: from 1024 to 2048 px instructions grow with 1.00, cache misses with 1.4; the pixels next to
  so many objects lie all over the image.
- Angular, 12 noisy objects: noise makes seeds of one object too different to be grown together. From 2048 px on the
  bound of 64 looks at each pixel is met, so that time is linear, at the cost of further objects.

All methods go the whole way from the maps to the labels, on the predicted foreground. The loop gives the same labels as
`angular` from the same seeds: it dilates each seed within its mask until nothing changes; `library` replaces its
dilations by one call of scipy per seed.
Run: python tests/benchmarks/bench_clustering.py [--sizes 256,512,1024,2048,4096] [--methods angular,growing]
"""

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from bench_metrics import seconds
from scipy import ndimage
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from study.clustering import CLUSTERERS, density, sampling
from study.clustering.angular import Angular, cluster_seeds
from study.clustering.base import Clustering
from study.clustering.embedding import unit_embedding
from study.clustering.seeds import Seeds, find_peaks
from tests.clustering.arrays import segment

GOAL = 20
LEAST_AREA = 100  # px of an object
GRIDS = ((4, 5), (10, 10))
SETTINGS = Angular(foreground="predicted")


def touching(rows: int, columns: int, size: int) -> np.ndarray:
    """Label image of rows x columns touching objects, from the top left."""
    grid = np.mgrid[:rows, :columns].reshape(2, -1).T
    points = (grid + np.random.default_rng(0).uniform(0.3, 0.7, grid.shape)) * size / [rows, columns]
    pixels = np.mgrid[:size, :size, :1].transpose(1, 2, 3, 0)[..., :2]
    nearest, index = KDTree(points).query(pixels[:, :, 0])
    return np.where(nearest < 0.6 * size / rows, index + 1, 0)


def maps(
    rows: int, columns: int, size: int = 512, noise: float = 0.1, distance_noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Distance map and noisy embedding of `touching` objects; neighbours differ in direction."""
    rng, labels = np.random.default_rng(1), touching(rows, columns, size)
    grid = np.mgrid[:rows, :columns].reshape(2, -1).T
    colour = np.append(7, 3 * (grid[:, 0] % 2) + grid[:, 1] % 3)
    blurred = ndimage.gaussian_filter(np.eye(8)[colour[labels]], (1, 1, 0))
    distance = np.zeros((size, size), np.float32)
    for k, box in enumerate(ndimage.find_objects(labels), 1):
        inside = np.asarray(ndimage.distance_transform_edt(np.pad(labels[box] == k, 1)))[1:-1, 1:-1]
        distance[box] += (inside / inside.max()).astype(np.float32)
    distance += rng.normal(0, distance_noise, distance.shape).astype(np.float32)
    return distance, (blurred + rng.normal(0, noise, blurred.shape)).astype(np.float32)


def by_steps(mask: np.ndarray, start: np.ndarray) -> np.ndarray:
    """`start` dilated within `mask` until nothing changes."""
    region = start & mask
    while True:
        larger = ndimage.binary_dilation(region) & mask
        if np.array_equal(larger, region):
            return region
        region = larger


def by_library(mask: np.ndarray, start: np.ndarray) -> np.ndarray:
    return ndimage.binary_propagation(start & mask, mask=mask)


def dilation(grow: Callable, embedding: np.ndarray, seeds: Seeds, angle: float) -> np.ndarray:
    """What `cluster_seeds` does, seed by seed on the whole image."""
    shape = embedding.shape[:2]
    points = np.zeros((len(seeds.pixels), *shape), bool)
    points[(np.arange(len(points)), *seeds.pixels.T)] = True
    best, owner, contact = np.full(shape, -np.inf), np.full(shape, -1), np.zeros((len(points), len(points)), bool)
    for k, (point, direction) in enumerate(zip(points, seeds.directions, strict=True)):
        similarity = embedding @ direction
        reach = grow(similarity >= np.cos(np.radians(angle)) - 1e-6, point)
        contact[k] = reach[tuple(seeds.pixels.T)]
        better = reach & (similarity > best)
        best[better], owner[better] = similarity[better], k
    objects = connected_components(contact & contact.T)[1] + 1
    labels = np.append(objects, 0)[owner]
    for i in np.unique(objects):
        own = labels == i
        labels[own & ~grow(own, points[objects == i].any(axis=0))] = 0
    return labels


def slope(sizes: Sequence[int], times: Sequence[float], against: str) -> float:
    """Slope of log time over log size, of images over log pixels."""
    grown = np.log(np.square(sizes) if against == "pixels" else sizes)
    return float(np.polyfit(grown[1:], np.log(times)[1:], 1)[0]) if len(sizes) > 2 else float("nan")


def forget() -> None:
    """Drop what mean shift and HDBSCAN keep of the maps that they saw last."""
    sampling._clusters.cache.clear()
    density._kept.cache_clear()


def from_scratch(task: tuple[np.ndarray, np.ndarray], settings: Clustering) -> float:
    """Seconds that a segmentation takes where nothing is kept of an earlier one."""
    forget()
    return seconds(segment, *task, settings)


def cpu_seconds(task: tuple[np.ndarray, np.ndarray], settings: Clustering, rounds: int) -> tuple[float, int]:
    """The least CPU time of several rounds, and the objects found."""
    taken, found = [], 0
    for _ in range(rounds):
        forget()
        start = time.process_time()
        found = int(segment(*task, settings).max())
        taken.append(time.process_time() - start)
    return min(taken), found


def compare_growth(sizes: Sequence[int], methods: Sequence[str]) -> None:
    settings = {method: CLUSTERERS[method](foreground="predicted") for method in methods}
    for method in methods:
        segment(*maps(3, 4, sizes[0]), settings[method])  # a library may start up
    kinds = [(grid, noise) for grid in ((3, 4), (20, 25), (50, 100)) for noise in ((0.02, 0.0), (0.1, 0.05))]
    measured: dict[tuple, tuple[float, int]] = {}
    for grid, noise in kinds:
        for size in (size for size in sizes if size**2 >= LEAST_AREA * grid[0] * grid[1]):
            task = maps(*grid, size, *noise)
            for method in methods:
                measured[method, grid, noise, size] = cpu_seconds(task, settings[method], 3 if size <= 1024 else 1)
    print("CPU time in ms (objects found), and log-log slope against pixels")
    print(f"{'method':>21} {'objects':>8} {'noise':>6}" + "".join(f" {size:>14}" for size in sizes) + f" {'slope':>6}")
    for method, (grid, noise) in itertools.product(methods, kinds):
        found = {size: measured[method, grid, noise, size] for size in sizes if (method, grid, noise, size) in measured}
        if found:
            told = {size: f"{1e3 * seconds:.0f} ({count})" for size, (seconds, count) in found.items()}
            cells = "".join(f" {told.get(size, ''):>14}" for size in sizes)
            grown = slope(list(found), [seconds for seconds, _ in found.values()], "pixels")
            print(f"{method:>21} {grid[0] * grid[1]:8d} {noise[0]:6.2f}{cells} {grown:6.2f}")


def compare_methods(size: int, grids: Sequence[tuple[int, int]]) -> None:
    print("medians in ms (objects found); goal: angular is the fastest")
    print(f"{'objects':>8}" + "".join(f" {method:>21}" for method in CLUSTERERS) + f" {'mutex/angular':>14}")
    for rows, columns in grids:
        task = maps(rows, columns, size)
        cells, medians = "", {}
        for method in CLUSTERERS:
            settings = CLUSTERERS[method](foreground="predicted")
            found = segment(*task, settings).max()  # not timed, as a library may start up
            medians[method] = median(from_scratch(task, settings) for _ in range(3))
            cells += f" {f'{1e3 * medians[method]:.1f} ({found})':>21}"
        print(f"{rows * columns:8d}{cells} {medians['mutex-watershed'] / medians['angular']:14.1f}")


def compare_loops(size: int, grids: Sequence[tuple[int, int]]) -> None:
    print(f"medians in ms; goal: the loop takes {GOAL} times as long as angular")
    print(f"{'objects':>8} {'seeds':>6} {'loop':>8} {'library':>8} {'angular':>8} {'loop/angular':>13}")
    for rows, columns in grids:
        distance, embedding = maps(rows, columns, size)
        unit = unit_embedding(embedding)
        seeds = find_peaks(distance, unit, SETTINGS, SETTINGS.seed_min_distance)
        task = (unit, seeds, SETTINGS.angle)
        np.testing.assert_array_equal(dilation(by_steps, *task), cluster_seeds(*task))
        rounds = [
            (
                seconds(dilation, by_steps, *task),
                seconds(dilation, by_library, *task),
                seconds(cluster_seeds, *task),
            )
            for _ in range(3)
        ]
        medians = "".join(f" {1e3 * median(times):8.1f}" for times in zip(*rounds, strict=True))
        ratio = median(loop / angular for loop, _, angular in rounds)
        print(f"{rows * columns:8d} {len(seeds.pixels):6d}{medians} {ratio:13.0f}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="256,512,1024,2048,4096")
    parser.add_argument("--methods", default=",".join(key for key in CLUSTERERS if key != "affinity-watershed"))
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    sizes = [64] if given.tiny else [int(size) for size in given.sizes.split(",")]
    size, grids = (64, GRIDS[:1]) if given.tiny else (512, GRIDS)
    compare_growth(sizes, given.methods.split(","))
    print()
    compare_methods(size, grids)
    print()
    compare_loops(size, grids)


if __name__ == "__main__":
    main()
