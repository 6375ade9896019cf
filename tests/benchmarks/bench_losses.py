"""Embedding losses, forward and backward, on an image of 256 x 256 with E = 8: sums per object against other ways.

Two loops over the objects, as such losses are usually written: `masked` multiplies the image by each object's mask,
`chosen` picks the object's pixels. Free of loops, `gather` brings each object's mean back to its pixels, in the
cosine loss; `one-hot` multiplies by a tensor of one channel per object. All ways of a loss have the same value and
gradient. The right half of the table is relative to `sums`, our
loss, and the last column is the time of our loss against that of our cosine loss.
Run: python tests/benchmarks/bench_losses.py [--device cuda] [--size 512] [--channels 32] [--objects 11,300]
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor
from torch.nn import functional as F

from study.data.targets import neighbours
from study.losses.cosine import CosineLoss
from study.losses.discriminative import DiscriminativeLoss
from study.losses.embedding import EmbeddingLoss

GOAL = 10
COSINE, DISCRIMINATIVE = CosineLoss(), DiscriminativeLoss(regulariser_weight=0)


def objects(count: int, size: int) -> np.ndarray:
    """Labels of `count` discs that touch one another, on background."""
    points = np.random.default_rng(0).uniform(0.1, 0.9, (count, 2)) * size
    distance, nearest = KDTree(points).query(np.argwhere(np.ones((size, size))))
    return np.where(distance < 0.6 * size / count**0.5, nearest + 1, 0).reshape(size, size)


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


def by_loop(one: Callable, between: Callable, embedding: Tensor, labels: Tensor, tables: Tensor) -> Tensor:
    """`one` gives the mean and within-instance term of an object, `between` the other term from it and its others."""
    total = embedding.new_zeros(())
    for e, ids, table in zip(embedding, labels, tables, strict=True):
        means, intra = zip(*(one(e, ids == i) for i in range(len(table))), strict=True)
        inter = []
        for mean, near in zip(means, table, strict=True):
            others = [means[j] for j in torch.nonzero(near).flatten().tolist()]
            inter.append(between(mean, others) if others else mean.sum() * 0)
        total = total + torch.stack(intra).mean() + torch.stack(inter).mean()
    return total / len(embedding)


def similar(mean: Tensor, others: list[Tensor]) -> Tensor:
    """Between-instance term of the cosine loss."""
    return (torch.stack(others) @ mean).abs().mean()


def pushed(mean: Tensor, others: list[Tensor]) -> Tensor:
    """Between-instance term of the discriminative loss."""
    apart = torch.stack([(mean - other).norm() for other in others])
    return F.relu(2 * DISCRIMINATIVE.push_margin - apart).square().mean()


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
    return intra + (cosines.sum(2) / tables.sum(2).clamp(min=1)).mean()


def by_one_hot(discriminative: bool, embedding: Tensor, labels: Tensor, tables: Tensor) -> Tensor:
    """Either loss, from all pixels of all objects at once."""
    hot = F.one_hot(labels, tables.shape[1]).to(embedding.dtype)
    sizes = hot.sum((1, 2))
    means = torch.einsum("bchw,bhwk->bkc", embedding, hot) / sizes[..., None]
    if discriminative:
        away = (embedding.movedim(1, -1)[..., None, :] - means[:, None, None]).square().sum(-1).sqrt()
        gaps = F.relu(away - DISCRIMINATIVE.pull_margin).square()
        apart = (means[:, :, None] - means[:, None]).square().sum(-1) + 1e-12
        near = F.relu(2 * DISCRIMINATIVE.push_margin - apart.sqrt()).square()
    else:
        means = F.normalize(means, dim=-1)
        gaps = 1 - torch.einsum("bchw,bkc->bhwk", embedding, means)
        near = (means @ means.transpose(1, 2)).abs()
    intra = ((gaps * hot).sum((1, 2)) / sizes).mean()
    return intra + (torch.where(tables, near, 0).sum(2) / tables.sum(2).clamp(min=1)).mean()


def pulled_chosen(e: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the object in `mask` and its within-instance term, from its own pixels."""
    pixels = e[:, mask]
    mean = pixels.mean(dim=1)
    away = (pixels - mean[:, None]).square().sum(0).sqrt()
    return mean, F.relu(away - DISCRIMINATIVE.pull_margin).square().mean()


def pulled_masked(e: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The same, from all pixels times the mask."""
    size = mask.sum()
    mean = (e * mask).sum(dim=(1, 2)) / size
    away = (e - mean[:, None, None]).square().sum(0).sqrt()
    return mean, (F.relu(away - DISCRIMINATIVE.pull_margin).square() * mask).sum() / size


def by_sums(loss: EmbeddingLoss, embedding: Tensor, labels: Tensor, tables: Tensor) -> Tensor:
    terms = loss.embedding_terms(embedding, labels, tables)
    return terms["inter"] + terms["intra"]


WAYS = {
    "cosine": {
        "masked": partial(by_loop, masked, similar),
        "chosen": partial(by_loop, chosen, similar),
        "gather": by_gather,
        "one-hot": partial(by_one_hot, False),
        "sums": partial(by_sums, COSINE),
    },
    "discriminative": {
        "masked": partial(by_loop, pulled_masked, pushed),
        "chosen": partial(by_loop, pulled_chosen, pushed),
        "one-hot": partial(by_one_hot, True),
        "sums": partial(by_sums, DISCRIMINATIVE),
    },
}


def gradient(loss, raw: Tensor, labels: Tensor, tables: Tensor) -> tuple[Tensor, Tensor]:
    """Value of the loss and its gradient with respect to the unit embedding."""
    embedding = raw.requires_grad_()
    embedding.grad = None
    value = loss(embedding, labels, tables)
    value.backward()
    assert embedding.grad is not None
    return value.detach(), embedding.grad


def seconds(task, device: torch.device) -> float:
    """Time of one call; on a GPU until its work is done."""
    start = time.perf_counter()
    task()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measured(ways: dict[str, Callable], task: tuple[Tensor, Tensor, Tensor], rounds: int) -> list[list[float]]:
    """Times of each way in each round, after a check that they agree."""
    expected = gradient(ways["sums"], *task)
    for way in ways.values():
        torch.testing.assert_close(gradient(way, *task), expected, rtol=1e-3, atol=1e-7)
    device = task[0].device
    return [[seconds(partial(gradient, way, *task), device) for way in ways.values()] for _ in range(rounds)]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch", default=1, type=int)
    parser.add_argument("--size", default=256, type=int)
    parser.add_argument("--channels", default=8, type=int)
    parser.add_argument("--objects", default="11,50")
    parser.add_argument("--rounds", default=5, type=int)
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    if given.tiny:
        given.size, given.objects, given.rounds = 48, "4", 1
    device = torch.device(given.device)
    print(
        f"medians in ms, {given.batch} image(s) on {device}, {torch.get_num_threads()} threads; goal of loops: {GOAL}"
    )
    columns = (*WAYS["cosine"], "/masked", "/chosen", "/one-hot", "/cosine")
    print(f"{'loss':>15}{'objects':>8}{''.join(f'{name:>9}' for name in columns)}")
    for count in map(int, given.objects.split(",")):
        ids = objects(count, given.size)
        table = torch.from_numpy(neighbours(ids, COSINE.neighbour_distance))
        labels = torch.from_numpy(ids).long().expand(given.batch, -1, -1).contiguous().to(device)
        tables = table.expand(given.batch, -1, -1).contiguous().to(device)
        torch.manual_seed(0)
        embedding = F.normalize(torch.randn(given.batch, given.channels, *ids.shape, device=device), dim=1)
        embedding = embedding.to(memory_format=torch.channels_last)  # as the network gives it
        cosine = 0.0
        for name, ways in WAYS.items():
            rounds = measured(ways, (embedding, labels, tables), given.rounds)
            times = {way: 1e3 * median(column) for way, column in zip(ways, zip(*rounds, strict=True), strict=True)}
            cosine = cosine or times["sums"]
            cells = "".join(f"{times[way]:9.2f}" if way in times else f"{'-':>9}" for way in WAYS["cosine"])
            ratios = "".join(f"{times[way] / times['sums']:9.1f}" for way in ("masked", "chosen", "one-hot"))
            print(f"{name:>15}{count:8d}{cells}{ratios}{times['sums'] / cosine:9.2f}")


if __name__ == "__main__":
    main()
