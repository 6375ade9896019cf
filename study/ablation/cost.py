"""What a plan will cost: time of the trainings, and disk."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from study.ablation.progress import duration, wall_time
from study.data import Dataset
from study.data.batches import Batch
from study.device import autocast, choose_device, on_device
from study.networks import build_network
from study.process import with_threads
from study.settings import Settings
from study.training.loop import number_of_steps

_TIMED_STEPS = 2


@dataclass(frozen=True)
class Cost:
    """Of some trainings; both are estimates."""

    seconds: tuple[float, ...]  # of the steps of each training
    bytes: float  # of networks and maps that stay on disk

    def in_words(self, slots: int, device: str) -> str:
        """How many trainings there are, and what they take so many at a time on a kind of device."""
        count = len(self.seconds)
        if not count:
            return "no training to do"
        disk = f"{self.bytes / 2**30:.2g} GiB of disk"
        trainings = f"{count} training{'s' * (count > 1)} to do, {slots} at a time on {device}"
        if not any(self.seconds):
            return f"{trainings}, {disk}; how long they take is known when the first has ended"
        time = duration(wall_time(self.seconds, slots))
        return f"{trainings}: about {time} of training by a timed step of each network, {disk}"


def cost_of(trainings: Sequence[Settings], dataset: Dataset, threads: int = 0, *, timed: bool = True) -> Cost:
    """Cost of trainings on a data set, from a few steps of one network of each kind on images of noise.

    Each training has so many CPU threads; 0: as many as this process. Without `timed` nothing is known of their time.
    The first training image stands for all; raises StudyError if there is a training to do and no such image.
    """
    if not trainings:
        return Cost((), 0)
    shape = dataset.records("train", "train on")[0].load().image.shape
    kinds: dict[tuple, tuple[float, int]] = {}
    seconds, disk = [], 0.0
    for settings in trainings:
        kind = (settings.network.name, settings.training.batch_size)
        if kind not in kinds:
            network = build_network(shape[-1], settings.network, settings.loss, settings.dims)
            with with_threads(threads):
                per_step = _seconds_per_step(network, settings, shape) if timed else 0.0
            kinds[kind] = per_step, sum(weight.numel() for weight in network.parameters())
        per_step, parameters = kinds[kind]
        seconds.append(per_step * number_of_steps(settings.training, len(dataset.splits["train"])))
        resized = (settings.data.image_size,) * 2 if settings.dims == 2 and settings.data.image_size else shape[:-1]
        kept = len(dataset.splits["val"]) + len(dataset.splits["test"])
        disk += 2 * 4 * parameters + kept * math.prod(resized) * 2 * settings.map_channels
    return Cost(tuple(seconds), disk)


def _seconds_per_step(network: nn.Module, settings: Settings, shape: tuple[int, ...]) -> float:
    """Time of a training step of a network on images of that shape."""
    device, divisor = choose_device(settings.training.device), 2**settings.network.depth
    side = settings.data.crop_size or (settings.data.image_size if settings.dims == 2 else 0)
    sides = [side, side] if side else [-(-n // divisor) * divisor for n in shape[-3:-1]]
    if settings.dims == 3:
        sides.insert(0, settings.data.crop_planes)
    network = on_device(network, device, settings.dims)
    # on a CPU a batch takes as long as its images one by one, and this process is waited for
    timed = 1 if device.type == "cpu" else settings.training.batch_size
    images = torch.randn(timed, shape[-1], *sides, device=device)
    labels = torch.zeros(images[:, 0].shape, dtype=torch.int64, device=device)
    neighbours = torch.zeros((len(images), 1, 1), dtype=torch.bool, device=device)
    batch = Batch(images, labels.float(), labels, neighbours)
    started = 0.0
    for step in range(1 + _TIMED_STEPS):
        if step == 1:  # the first sets up more than the others
            started = _now(device)
        with autocast(settings.training.precision, device):
            output = network(images)
        settings.loss.terms(output, batch)["loss"].backward()
    return (_now(device) - started) / _TIMED_STEPS * settings.training.batch_size / timed


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
