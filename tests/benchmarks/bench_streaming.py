"""Training images in memory and on the disk: the share of a step that waits for its batch, and the memory they take.

The steps are those of `study.training.loop.train`, of a W-Net, in turns on the same images: in memory; in a temporary
file that the system has in its page cache; and in the same file after it has been thrown out of the cache before each
round, where `reads` counts the times that a step had to wait for the disk (major page faults). `waits` is the time
between asking for a batch and having it, as a share of the step; `CPU` the time of all threads in a step. `held` is
what the process keeps for the images, `peak` what it has at most while it reads them, both without what is mapped from
files, which the system takes back when it needs the memory.
Run, on two cores: OMP_NUM_THREADS=1 python tests/benchmarks/bench_streaming.py
"""

import argparse
import ctypes
import os
import resource
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch
from bench_training import Silent
from torch import Tensor

from study.data.batches import Batch, NetworkImage, TrainingImages
from study.data.streaming import batches_of
from study.profiles import load_settings
from study.settings import Settings
from study.training import loop

IMAGES, STEPS, ROUNDS = 4000, 20, 3
_PAGE_OUT = 21  # advice of Linux 5.4 and later


def pictures(count: int, size: int) -> Iterator[NetworkImage]:
    """Images of noise with four objects, made one by one."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((size, size)) // (size // 2)
    labels = np.where(np.indices((size, size)).sum(0) % 7 > 0, 1 + 2 * rows.clip(0, 1) + columns.clip(0, 1), 0)
    labels = labels.astype(np.int32)
    for i in range(count):
        yield NetworkImage(str(i), rng.random((size, size, 3), np.float32).astype(np.float16), labels, labels)


def own_memory() -> int:
    """Bytes of this process in memory, without those that are mapped from files."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return 1024 * int(line.split()[1])


class Read(NamedTuple):
    """Training images, and the bytes that the process holds for them, and had at most while it read them."""

    images: TrainingImages
    held: int
    peak: int


def read(count: int, size: int, settings: Settings, bound: int) -> Read:
    """Read training images, with so many bytes of memory to keep them in."""
    before, seen = own_memory(), [0]

    def watched() -> Iterator[NetworkImage]:
        for image in pictures(count, size):
            seen.append(own_memory())
            yield image

    images = TrainingImages(watched(), settings.data, settings.loss.reach, torch.device("cpu"), bound)
    after = own_memory()
    return Read(images, after - before, max(*seen, after) - before)


def throw_out(images: TrainingImages) -> None:
    """Let the system forget what it has read of the files of images."""
    os.sync()  # only what is on the disk can be forgotten
    for tensor in (images.pixels, images.labels, images.distance):
        ctypes.CDLL(None).madvise(ctypes.c_void_p(tensor.data_ptr()), ctypes.c_size_t(tensor.nbytes), _PAGE_OUT)


class Round(NamedTuple):
    """Seconds and page faults of a step."""

    step: float
    waits: float
    cpu: float
    faults: float


def one_round(images: TrainingImages, settings: Settings, steps: int) -> Round:
    """Train for so many steps."""
    waited = []

    def timed(images: TrainingImages, samples: Tensor) -> Generator[Batch]:
        with closing(batches_of(images, samples)) as batches:
            while True:
                started = time.perf_counter()
                batch = next(batches, None)
                if batch is None:
                    return
                waited.append(time.perf_counter() - started)
                yield batch

    loop.batches_of, cpu, faults = timed, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_majflt
    try:
        _, history = loop.train(images, settings, Silent(), lambda network: {})
    finally:
        loop.batches_of = batches_of
    cpu, faults = time.process_time() - cpu, resource.getrusage(resource.RUSAGE_SELF).ru_majflt - faults
    return Round(history.seconds / steps, sum(waited) / steps, cpu / steps, faults / steps)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", default=IMAGES, type=int)
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    profile, count, steps, rounds = ("smoke", 8, 2, 1) if given.tiny else ("quick", given.images, STEPS, ROUNDS)
    torch.set_num_threads(1)
    overrides = f"network.name=wnet,training.steps={steps},training.validations=1,training.device=cpu"
    settings = load_settings(profile=profile, overrides=overrides)
    size = settings.data.image_size
    streamed, kept = (read(count, size, settings, bound) for bound in (0, 2**40))
    ways = {
        "in memory": (kept, False),
        "on the disk, in the page cache": (streamed, False),
        "on the disk, not in the page cache": (streamed, True),
    }
    found: dict[str, list[Round]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, (source, cold) in ways.items():
            if cold:
                throw_out(source.images)
            measured = one_round(source.images, settings, steps)
            if turn or not rounds - 1:  # the first warms up
                found[name].append(measured)
    pixels = sum(tensor.nbytes for tensor in (kept.images.pixels, kept.images.labels, kept.images.distance))
    batch = settings.training.batch_size
    print(f"{profile}: {count} images of {size} x {size} px, {pixels / 2**20:.0f} MiB, batch {batch}")
    print(f"W-Net, cpu, 1 thread; medians of {rounds} rounds of {steps} steps; goal: waits below 1 % of a step")
    print(f"{'images':36}  step, ms  waits, ms   waits   CPU, ms   reads/step   held, MiB   peak, MiB")
    for name, measured in found.items():
        step, waits, cpu, faults = (median(column) for column in zip(*measured, strict=True))
        share = median(each.waits / each.step for each in measured)
        source = ways[name][0]
        print(f"{name:36}  {1e3 * step:8.1f} {1e3 * waits:10.2f} {share:7.2%} {1e3 * cpu:9.1f} {faults:12.1f}", end="")
        print(f" {source.held / 2**20:11.0f} {source.peak / 2**20:11.0f}")


if __name__ == "__main__":
    main()
