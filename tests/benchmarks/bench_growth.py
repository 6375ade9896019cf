"""How time grows with pixels, objects, dimensions, images, seeds and runs: log-log slopes.

A slope is that of the least-squares line through the logarithms of all sizes from the second on, where the constant
part weighs less. CPU time in ms on one thread, the least of three rounds; runs are in a SQLite store. How clustering
grows is in `bench_clustering.py`. From about 2000 objects in both label images on, a table of all their pairs would
take more than 32 MiB, and scores sort the pixels instead: a step, and no growth beyond.
Run: OMP_NUM_THREADS=1 python tests/benchmarks/bench_growth.py
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from bench_clustering import slope
from bench_losses import COSINE, DISCRIMINATIVE, by_sums, gradient, objects
from bench_tuning import stored
from torch.nn import functional as F

from study import tracking
from study.ablation.statistics import interval
from study.clustering import CLUSTERERS
from study.data.targets import distance_map, neighbours
from study.losses.embedding import EmbeddingLoss
from study.metrics import scores
from study.process import quiet_libraries
from study.settings import Tuning
from study.tuning import score_on, search

Task = Callable[[], object]
LIMIT = 1.1


def of_labels(function: Callable, size: int, count: int) -> Task:
    return partial(function, objects(count, size))


def of_loss(loss: EmbeddingLoss, size: int, count: int, dims: int) -> Task:
    """Forward and backward pass of an embedding loss on one image."""
    labels = objects(count, size)
    torch.manual_seed(0)
    raw = F.normalize(torch.randn(1, dims, size, size), dim=1).to(memory_format=torch.channels_last)
    near = torch.from_numpy(neighbours(labels, loss.neighbour_distance))[None]
    return partial(gradient, partial(by_sums, loss), raw, torch.from_numpy(labels).long()[None], near)


def of_search(images: int) -> Task:
    """Ten trials of angular clustering, none of which ends early."""
    kept, truth = stored(images, 128)
    score, clustering = score_on(kept, truth), CLUSTERERS["angular"](foreground="predicted")
    return partial(search, score, images, clustering, clustering, Tuning(trials=10, patience=30))


def of_interval(images: int) -> Task:
    return partial(interval, np.random.default_rng(0).normal(size=(5, images)))


def of_store(runs: int) -> Task:
    """All runs of a launch, as pages read them."""
    experiment = tracking.connect()
    parent = tracking.start_run(experiment, "parent", "", {})
    for i in range(runs):
        child = tracking.start_run(experiment, str(i), "", {"seed": i}, parent_id=parent.run_id)
        child.log_metrics(tracking.Point(0, {f"test/score{k}": 0.5 for k in range(20)}))
        child.end("FINISHED")
    return lambda: tracking.children_of(tracking.stored_run(parent.run_id))


SIZES, COUNTS = (128, 256, 512, 1024), (10, 100, 1000, 4000)
# what, against what, the sizes, and the task of a size
GROWTH: list[tuple[str, str, Sequence[int], Callable[[int], Task]]] = [
    ("all scores", "pixels", SIZES, lambda size: partial(scores, *2 * (objects(50, size),))),
    ("all scores", "objects", COUNTS, lambda count: partial(scores, *2 * (objects(count, 1024),))),
    ("distance maps", "pixels", SIZES, lambda size: of_labels(distance_map, size, 50)),
    ("distance maps", "objects", COUNTS, lambda count: of_labels(distance_map, 1024, count)),
    ("neighbours", "pixels", SIZES, lambda size: of_labels(partial(neighbours, reach=10), size, 50)),
    ("neighbours", "objects", COUNTS, lambda count: of_labels(partial(neighbours, reach=10), 1024, count)),
    *(
        row
        for name, loss in (("cosine loss", COSINE), ("discriminative loss", DISCRIMINATIVE))
        for row in (
            (name, "pixels", SIZES[:3], lambda size, loss=loss: of_loss(loss, size, 20, 8)),
            (name, "objects", (10, 40, 160, 640), lambda count, loss=loss: of_loss(loss, 256, count, 8)),
            (name, "dimensions", (4, 8, 16, 32, 64), lambda dims, loss=loss: of_loss(loss, 256, 20, dims)),
        )
    ),
    ("search of thresholds", "images", (4, 8, 16), of_search),
    ("an interval", "images", (24, 240, 2400), of_interval),
    ("reading a launch", "runs", (4, 16, 64, 256), of_store),
]


def milliseconds(task: Task, rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        task()
        taken.append(time.process_time() - start)
    return 1e3 * min(taken)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    tiny = parser.parse_args(arguments).tiny
    torch.set_num_threads(1)
    quiet_libraries()
    print(f"goal: no slope above {LIMIT}; ms at each size")
    print(f"{'what':22}{'against':>11}{'slope':>7}   sizes: ms")
    for what, against, sizes, task in GROWTH:
        sizes = sizes[:1] if tiny else sizes
        with tempfile.TemporaryDirectory() as folder:
            tracking.use_store(f"sqlite:///{Path(folder) / 'mlflow.db'}")
            times = [milliseconds(task(size), 1 if tiny else 3) for size in sizes]
        cells = ", ".join(f"{size}: {taken:.1f}" for size, taken in zip(sizes, times, strict=True))
        print(f"{what:22}{against:>11}{slope(sizes, times, against):7.2f}   {cells}", flush=True)


if __name__ == "__main__":
    main()
