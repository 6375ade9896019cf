"""SBD and nine AP thresholds of a 512 x 512 image: one contingency table against loops over labels.

The loops already look only at pairs that overlap; comparing every pair of labels is several times slower still.
Run: python tests/benchmarks/bench_metrics.py
"""

import time
from statistics import median

import numpy as np

from study.metrics import THRESHOLDS, scores

GOAL = 40


def tessellation(objects: int, shift: int, size: int = 512) -> np.ndarray:
    """Voronoi cells around `objects` points, with background between them, moved by `shift` pixels."""
    points = np.random.default_rng(0).uniform(0, size, (objects, 2)) + shift
    pixels = np.mgrid[:size, :size, :1].transpose(1, 2, 3, 0)[..., :2]
    distance = np.linalg.norm(pixels - points, axis=3)
    first, second = np.partition(distance, 1, axis=2)[..., :2].transpose(2, 0, 1)
    return np.where(second - first > 3, distance.argmin(axis=2) + 1, 0).astype(np.int32)


def best_dice_by_loops(a: np.ndarray, b: np.ndarray) -> float:
    best = []
    for i in np.setdiff1d(a, [0]):
        mask = a == i
        under = [b == j for j in np.unique(b[mask]) if j]
        best.append(max([2 * (mask & other).sum() / (mask.sum() + other.sum()) for other in under], default=0))
    return float(np.mean(best))


def by_loops(true: np.ndarray, pred: np.ndarray) -> tuple[float, float]:
    """SBD and mAP with a mask for each label."""
    iou = []
    for i in np.setdiff1d(true, [0]):
        mask = true == i
        under = [pred == j for j in np.unique(pred[mask]) if j]
        iou += [(mask & other).sum() / (mask | other).sum() for other in under]
    found = np.array([(np.array(iou) >= t).sum() for t in THRESHOLDS])
    count = len(np.setdiff1d(true, [0])) + len(np.setdiff1d(pred, [0]))
    sbd = min(best_dice_by_loops(true, pred), best_dice_by_loops(pred, true))
    return sbd, float(np.mean(found / (count - found)))


def by_table(true: np.ndarray, pred: np.ndarray) -> tuple[float, float]:
    """The same from one contingency table, which gives every other score too."""
    result = scores(true, pred)
    return result["sbd"], result["map"]


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    print(f"{'objects':>8} {'loops, ms':>10} {'table, ms':>10} {'ratio':>7}   goal: {GOAL}")
    for objects in (20, 100):
        true, pred = tessellation(objects, 0), tessellation(objects, 4)
        np.testing.assert_allclose(by_loops(true, pred), by_table(true, pred))
        rounds = [(seconds(by_loops, true, pred), seconds(by_table, true, pred)) for _ in range(7)]
        loops, table = (1e3 * median(times) for times in zip(*rounds, strict=True))
        print(f"{objects:8d} {loops:10.1f} {table:10.2f} {median(a / b for a, b in rounds):7.0f}")


if __name__ == "__main__":
    main()
