"""Cosine embedding loss, forward and backward, on a 512 x 512 image with E = 8: sums per object against two other ways.

Two loops over the objects, as such losses are usually written: `masked` multiplies the image by each object's mask,
`chosen` picks the object's pixels. `gather` is free of loops, but brings each object's mean back to its pixels. All
have the same value and gradient. The right half of the table is relative to `sums`.
Run: python tests/benchmarks/bench_losses.py [--device cuda]
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from study.data.targets import neighbours
from study.losses.cosine import CosineLoss

GOAL = 10
SETTINGS = CosineLoss()


def objects(count: int, size: int = 512) -> np.ndarray:
    """Labels of `count` discs that touch one another, on background."""
    points = np.random.default_rng(0).uniform(0.1, 0.9, (count, 2)) * size
    pixels = np.mgrid[:size, :size, :1].transpose(1, 2, 3, 0)[..., :2]
    distance = np.linalg.norm(pixels - points, axis=3)
    return np.where(distance.min(axis=2) < 0.16 * size, distance.argmin(axis=2) + 1, 0)


def chosen(e: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean direction and within-instance term of the object in `mask`, from its own pixels."""
    pixels = e[:, mask]
    mean = F.normalize(pixels.mean(dim=1), dim=0)
    return mean, (1 - mean @ pixels).mean()


def masked(e: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The same, from all pixels times the mask."""
    size = mask.sum()
    mean = F.normalize((e * mask).sum(dim=(1, 2)) / size, dim=0)
    return mean, ((1 - (e * mean[:, None, None]).sum(0)) * mask).sum() / size


def by_loop(one: Callable, embedding: Tensor, labels: Tensor, tables: Tensor) -> Tensor:
    total = embedding.new_zeros(())
    for e, ids, table in zip(embedding, labels, tables, strict=True):
        means, intra = zip(*(one(e, ids == i) for i in range(len(table))), strict=True)
        inter = []
        for i, near in enumerate(table):
            others = [means[j] for j in torch.nonzero(near).flatten().tolist()]
            inter.append((torch.stack(others) @ means[i]).abs().mean())
        total = total + torch.stack(intra).mean() + torch.stack(inter).mean()
    return total / len(embedding)


def by_gather(embedding: Tensor, labels: Tensor, tables: Tensor) -> Tensor:
    batch, channels = embedding.shape[:2]
    count = tables.shape[1]
    rows = embedding.permute(0, 2, 3, 1).reshape(-1, channels)
    index = (labels + count * torch.arange(batch, device=labels.device).view(-1, 1, 1)).flatten()
    sizes = torch.bincount(index, minlength=batch * count).to(rows.dtype)
    sums = torch.zeros(batch * count, channels, device=rows.device).index_add(0, index, rows)
    means = F.normalize(sums / sizes[:, None], dim=1)
    gaps = 1 - (means[index] * rows).sum(1)
    intra = (torch.zeros_like(sizes).index_add(0, index, gaps) / sizes).mean()
    means = means.view(batch, count, channels)
    cosines = torch.where(tables, (means @ means.transpose(1, 2)).abs(), 0)
    return intra + (cosines.sum(2) / tables.sum(2)).mean()


def by_sums(embedding: Tensor, labels: Tensor, tables: Tensor) -> Tensor:
    terms = SETTINGS.embedding_terms(embedding, labels, tables)
    return terms["inter"] + terms["intra"]


WAYS = {"masked": partial(by_loop, masked), "chosen": partial(by_loop, chosen), "gather": by_gather, "sums": by_sums}


def gradient(loss, raw: Tensor, labels: Tensor, tables: Tensor) -> tuple[Tensor, Tensor]:
    """Value of the loss and its gradient with respect to the unit embedding."""
    embedding = raw.requires_grad_()
    embedding.grad = None
    value = loss(embedding, labels, tables)
    value.backward()
    return value.detach(), embedding.grad


def seconds(task, device: torch.device) -> float:
    """Time of one call; on a GPU until its work is done."""
    start = time.perf_counter()
    task()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", default=1, type=int)
    given = parser.parse_args()
    device = torch.device(given.device)
    print(
        f"medians in ms, {given.batch} image(s) on {device}, {torch.get_num_threads()} threads; goal of loops: {GOAL}"
    )
    print(f"{'objects':>8}{''.join(f'{name:>9}' for name in (*WAYS, *(f'/{name}' for name in WAYS)))}")
    for count in (11, 20):
        ids = objects(count)
        table = torch.from_numpy(neighbours(ids, SETTINGS.neighbour_distance))
        labels = torch.from_numpy(ids).long().expand(given.batch, -1, -1).contiguous().to(device)
        tables = table.expand(given.batch, -1, -1).contiguous().to(device)
        torch.manual_seed(0)
        embedding = F.normalize(torch.randn(given.batch, 8, *ids.shape, device=device), dim=1)
        embedding = embedding.to(memory_format=torch.channels_last)  # as the network gives it
        task = (embedding, labels, tables)
        for way in WAYS.values():
            torch.testing.assert_close(gradient(way, *task), gradient(by_sums, *task), rtol=1e-3, atol=1e-7)
        rounds = [[seconds(partial(gradient, way, *task), device) for way in WAYS.values()] for _ in range(20)]
        times = [1e3 * median(column) for column in zip(*rounds, strict=True)]
        ratios = [median(row[i] / row[-1] for row in rounds) for i in range(len(WAYS))]
        print(f"{count:8d}{''.join(f'{t:9.2f}' for t in times)}{''.join(f'{r:9.1f}' for r in ratios)}")


if __name__ == "__main__":
    main()
