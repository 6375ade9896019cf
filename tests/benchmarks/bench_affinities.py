"""Affinity loss of the paper's ten offsets, forward and backward, and the labels that follow from affinities.

The loss of one 544 x 544 image with E = 16 against `rolled`, as such losses are usually written: for each offset the
embedding is rolled and multiplied, and all products are kept for the gradient. Both have the same value and gradient.
Times are by turns, peak memory is what torch holds at most beyond the inputs. Then the mutex watershed and the merging
of fragments at 512 x 512.
Run with one thread: OMP_NUM_THREADS=1 python tests/benchmarks/bench_affinities.py [--device cuda]
"""

import argparse
import time
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from statistics import median

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

from study.affinities import affinities, label_pairs, pair_offsets, unit_vectors
from study.clustering.mutex import merge_fragments, segment_affinities
from study.losses.affinity import self_loss

OFFSETS = pair_offsets([1, 3, 5, 9, 27])
ATTRACTIVE = 2
LAYOUTS = {"rows": torch.contiguous_format, "channels last": torch.channels_last}  # the network gives the latter


def rolled(embedding: Tensor, labels: Tensor) -> Tensor:
    unit = F.normalize(embedding, dim=1)
    losses = []
    for row, column in OFFSETS:
        affinity = (unit * torch.roll(unit, (-row, -column), (2, 3))).sum(1)
        target = (labels == torch.roll(labels, (-row, -column), (1, 2))).float()
        mask = torch.zeros_like(target)
        mask[:, -row:, -column:] = 1  # offsets are not positive
        losses.append((mask * (affinity - target) ** 2).sum() / mask.sum())
    return torch.stack(losses).mean()


def sliced(embedding: Tensor, labels: Tensor) -> Tensor:
    return self_loss(unit_vectors(embedding), label_pairs(labels, OFFSETS))


WAYS = {"rolled": rolled, "sliced": sliced}


def example(layout: str, device: str, blocks: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (1, blocks, blocks)).repeat_interleave(16, 1).repeat_interleave(16, 2)
    embedding = torch.randn(1, 16, *labels.shape[1:]).to(device, memory_format=LAYOUTS[layout])
    return embedding.requires_grad_(), labels.to(device)


def gradient(loss, embedding: Tensor, labels: Tensor) -> tuple[Tensor, Tensor | None]:
    embedding.grad = None
    value = loss(embedding, labels)
    value.backward()
    return value.detach(), embedding.grad


def seconds(task, device: str = "cpu") -> float:
    start = time.perf_counter()
    task()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak(way: str, layout: str, device: str, blocks: int) -> float:
    """Most memory in MiB that one call holds beyond its inputs, by torch's own account."""
    task = example(layout, device, blocks)
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        gradient(WAYS[way], *task)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        gradient(WAYS[way], *task)
    events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    changes = [event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())]
    return max(accumulate(changes)) / 2**20


def compare_losses(device: str, blocks: int, count: int) -> None:
    print(f"loss on {device}, {torch.get_num_threads()} thread(s)")
    print(
        f"{'layout':>14}{'ms rolled':>11}{'ms sliced':>11}{'ratio':>7}{'MiB rolled':>12}{'MiB sliced':>12}{'ratio':>7}"
    )
    for layout in LAYOUTS:
        task = example(layout, device, blocks)
        for found, expected in zip(gradient(sliced, *task), gradient(rolled, *task), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-7)
        rounds = [[seconds(partial(gradient, way, *task), device) for way in WAYS.values()] for _ in range(count)]
        times = [1e3 * median(column) for column in zip(*rounds, strict=True)]
        ratio = median(a / b for a, b in rounds)
        sizes = [peak(way, layout, device, blocks) for way in WAYS]
        print(
            f"{layout:>14}{times[0]:11.0f}{times[1]:11.0f}{ratio:7.1f}"
            f"{sizes[0]:12.0f}{sizes[1]:12.0f}{sizes[0] / sizes[1]:7.1f}"
        )


def time_labels(side: int) -> None:
    rng = np.random.default_rng(0)
    embedding = gaussian_filter(rng.normal(size=(16, side, side)), (0, 6, 6)).astype(np.float32)
    clean = affinities(unit_vectors(torch.from_numpy(embedding)[None]), OFFSETS)[0].numpy()
    noisy = clean + rng.normal(0, 0.3, clean.shape).astype(np.float32)
    print(f"mutex watershed and merging of fragments below 100 px, {side} x {side}, medians")
    print(f"{'affinities':>14}{'stride':>8}{'ms watershed':>14}{'ms merging':>12}{'fragments':>11}{'objects':>9}")
    for name, affinity in (("smooth", clean), ("noisy", noisy)):
        for stride in (5, 1):
            watershed = partial(segment_affinities, affinity, OFFSETS, strides=(stride, stride))
            labels = watershed()
            merging = partial(merge_fragments, labels, affinity[:ATTRACTIVE], OFFSETS[:ATTRACTIVE], 100)
            first, second = (1e3 * median(seconds(task) for _ in range(3)) for task in (watershed, merging))
            print(f"{name:>14}{stride:8d}{first:14.0f}{second:12.0f}{labels.max():11d}{merging().max():9d}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    compare_losses(given.device, *((4, 1) if given.tiny else (34, 10)))
    time_labels(48 if given.tiny else 512)


if __name__ == "__main__":
    main()
