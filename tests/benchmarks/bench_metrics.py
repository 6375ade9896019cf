"""SBD and nine AP thresholds of a 512 x 512 image: one contingency table against loops over labels.

`all pairs` compares every true label with every predicted one, as the leaf challenge's script does; `overlapping`
looks only at the labels under each label's mask. Takes about a minute.
Run: python tests/benchmarks/bench_metrics.py
"""

import argparse
import time
from collections.abc import Sequence
from statistics import median

import numpy as np

from study.metrics import THRESHOLDS, scores

GOAL = 40


def tessellation(objects: int, shift: int, size: int) -> np.ndarray:
    """Voronoi cells around `objects` points, with background between them, moved by `shift` pixels."""
    points = np.random.default_rng(0).uniform(0, size, (objects, 2)) + shift
    pixels = np.mgrid[:size, :size, :1].transpose(1, 2, 3, 0)[..., :2]
    distance = np.linalg.norm(pixels - points, axis=3)
    first, second = np.partition(distance, 1, axis=2)[..., :2].transpose(2, 0, 1)
    return np.where(second - first > 3, distance.argmin(axis=2) + 1, 0).astype(np.int32)


def ids(labels: np.ndarray) -> np.ndarray:
    return np.setdiff1d(labels, [0])


def best_dice(a: np.ndarray, b: np.ndarray, all_pairs: bool) -> float:
    best = []
    for i in ids(a):
        mask = a == i
        others = [b == j for j in (ids(b) if all_pairs else ids(b[mask]))]
        best.append(max([2 * (mask & other).sum() / (mask.sum() + other.sum()) for other in others], default=0))
    return float(np.mean(best))


def by_loops(true: np.ndarray, pred: np.ndarray, all_pairs: bool) -> tuple[float, float]:
    """SBD and mAP with a mask for each label."""
    iou = []
    for i in ids(true):
        mask = true == i
        others = [pred == j for j in (ids(pred) if all_pairs else ids(pred[mask]))]
        iou += [(mask & other).sum() / (mask | other).sum() for other in others]
    found = np.array([(np.array(iou) >= t).sum() for t in THRESHOLDS])
    sbd = min(best_dice(true, pred, all_pairs), best_dice(pred, true, all_pairs))
    return sbd, float(np.mean(found / (len(ids(true)) + len(ids(pred)) - found)))


def by_table(true: np.ndarray, pred: np.ndarray) -> tuple[float, float]:
    """The same from one contingency table, which gives every other score too."""
    result = scores(true, pred)
    return result["sbd"], result["map"]


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    side = 48 if parser.parse_args(arguments).tiny else 512
    print(f"medians in ms; goal: the loop over all pairs takes {GOAL} times as long as the table")
    print(f"{'objects':>8} {'all pairs':>10} {'overlapping':>12} {'table':>6} {'ratios':>13}")
    for objects in (20, 100):
        true, pred = tessellation(objects, 0, side), tessellation(objects, 4, side)
        np.testing.assert_allclose(by_loops(true, pred, False), by_table(true, pred))
        rounds = [
            (seconds(by_loops, true, pred, True), seconds(by_loops, true, pred, False), seconds(by_table, true, pred))
            for _ in range(3)
        ]
        pairs, overlapping, table = (1e3 * median(times) for times in zip(*rounds, strict=True))
        ratios = [median(loop[i] / loop[2] for loop in rounds) for i in (0, 1)]
        print(f"{objects:8d} {pairs:10.0f} {overlapping:12.1f} {table:6.2f} {ratios[0]:7.0f} {ratios[1]:5.0f}")


if __name__ == "__main__":
    main()
