"""Search of thresholds on 20 stored maps of 256 x 256, E = 8: trials per second of each method.

`trials/s` is a whole search, of at most 30 trials and the sensitivity around their optimum, in one thread; `ended
early` are those that a look at a part of the images ended. `recomputed` is the time of a trial on all images if the
maps were computed again for it, by a W-Net of the quick profile, against that on the stored maps. With `--foreground
predicted` its threshold is searched too, and so methods that keep something of an image between trials begin anew.
Run: python tests/benchmarks/bench_tuning.py
"""

import argparse
import time
from collections.abc import Sequence
from statistics import median

import numpy as np
import torch
from bench_clustering import maps
from bench_metrics import seconds

from study.clustering import CLUSTERERS
from study.data.batches import NetworkImage
from study.inference import predict_maps
from study.maps import ImageMaps
from study.process import quiet_libraries
from study.profiles import load_settings
from study.settings import Tuning
from study.tuning import score_on, search
from tests.maps import image_maps
from tests.networks.built import build

SIZE, IMAGES = 256, 20
TRIALS = 30


def stored(count: int, size: int) -> tuple[list[ImageMaps], list[NetworkImage]]:
    """Maps of touching objects, and images whose truth is where the objects' distance maps are above 0."""
    found = [maps(2 + i % 4, 3 + i % 5, size) for i in range(count)]
    kept = [image_maps(distance.astype(np.float16), embedding.astype(np.float16)) for distance, embedding in found]
    truth = [np.where(d > 0, e.argmax(axis=2) + 1, 0).astype(np.int32) for d, e in found]
    pixels = np.random.default_rng(0).normal(size=(size, size, 3)).astype(np.float16)
    images = [NetworkImage(str(i), pixels, t, t) for i, t in enumerate(truth)]
    return kept, images


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--foreground", default="truth", choices=("truth", "predicted"))
    parser.add_argument("--methods", default=",".join(CLUSTERERS))
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    tiny = given.tiny
    count, size = (2, 48) if tiny else (IMAGES, SIZE)
    torch.set_num_threads(1)
    quiet_libraries()
    kept, images = stored(count, size)
    settings = load_settings("folder", root=".", profile="quick")
    network = build(3, settings).eval()
    again = median(seconds(predict_maps, network, images, settings) for _ in range(3))
    print(f"maps of {count} images, computed: {again:.2f} s")
    print(
        f"{'method':>16} {'trials':>7} {'ended early':>12} {'trials/s':>9} {'s per whole trial':>18} {'recomputed':>11}"
    )
    score = score_on(kept, images)
    for method in given.methods.split(","):
        clusterer = CLUSTERERS[method]
        clustering = clusterer(foreground=given.foreground)
        started = time.perf_counter()
        trials = 2 if tiny else TRIALS
        found = search(score, count, clustering, clusterer(), Tuning(trials=trials, patience=30))
        spent = time.perf_counter() - started
        whole = found.trials.loc[found.trials["state"] == "complete", "seconds"].mean()
        early = (found.trials["state"] == "pruned").sum()
        rate, ratio = len(found.trials) / spent, (again + whole) / whole
        print(f"{method:>16} {len(found.trials):7d} {early:12d} {rate:9.2f} {whole:18.2f} {ratio:10.1f}x")


if __name__ == "__main__":
    main()
