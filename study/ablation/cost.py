"""What a plan will cost: time of the trainings, and disk."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

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
_SLOW = 1.0  # seconds of a step; that of a batch may take half as long as its images one by one
# by how much the shortest and the longest of some times may be off: of runs of the same kind, which share the machine
# with other work or not; of timed steps, which know nothing of clustering, the search of thresholds and scores either
_OFF_BY_RUNS, _OFF_BY_STEPS = (0.9, 1.1), (0.8, 1.4)


class Time(NamedTuple):
    """Seconds that a training will take, at least and at most; all are 0 where nothing is known."""

    seconds: float = 0.0
    least: float = 0.0
    most: float = 0.0
    done: float = 0.0  # the share of it that was done before, and takes no time


@dataclass(frozen=True)
class Cost:
    """Of some trainings; both are estimates."""

    times: tuple[Time, ...]  # of each training
    bytes: float  # of networks and maps that stay on disk
    runs: int = 0  # earlier ones that some times are known from
    by_steps: bool = True  # whether some times are from timed steps

    @property
    def seconds(self) -> tuple[float, ...]:
        """What each training will take."""
        return tuple(time.seconds for time in self.times)

    def in_words(self, slots: int, device: str) -> str:
        """How many trainings there are, and what they take so many at a time on a kind of device."""
        count = len(self.times)
        if not count:
            return "no training to do"
        disk = f"{self.bytes / 2**30:.2g} GiB of disk"
        trainings = f"{count} training{'s' * (count > 1)} to do, {slots} at a time on {device}"
        if not any(self.seconds):
            return f"{trainings}, {disk}; how long they take is known when the first has ended"
        seconds = ([getattr(time, name) for time in self.times] for name in ("seconds", "least", "most"))
        about, least, most = (duration(wall_time(of_each, slots)) for of_each in seconds)
        unit = most[most.rindex(" ") :]
        expected = f", expect {least.removesuffix(unit)} to {most}" if least != most else ""
        return f"{trainings}: about {about} by {self._known_from()}{expected}; {disk}"

    def _known_from(self) -> str:
        """What the estimate is taken from, in words."""
        if not self.runs:
            return "a timed step of each network"
        of_runs = f"{self.runs} earlier run{'s' * (self.runs > 1)} of the same network, budget and images"
        return f"{of_runs}, and timed steps of the others" if self.by_steps else of_runs


def cost_of(
    trainings: Sequence[Settings],
    dataset: Dataset,
    threads: int = 0,
    *,
    timed: bool = True,
    known: Sequence[Sequence[float]] = (),
    done: Sequence[float] = (),
) -> Cost:
    """Cost of trainings on a data set, from earlier runs, or a few steps of one network of each kind on noise.

    Each training has so many CPU threads; 0: as many as this process. `known` are the seconds of earlier runs like
    each training; where there are none, without `timed`, nothing is known of its time. Of each a share may be `done`.
    The first training image stands for all; raises StudyError if there is a training to do and no such image.
    """
    if not trainings:
        return Cost((), 0)
    shape = dataset.records("train", "train on")[0].load().image.shape
    networks: dict[tuple, nn.Module] = {}
    steps: dict[tuple, list[float]] = {}
    times, disk = [], 0.0
    of_each = zip(trainings, known or [()] * len(trainings), done or [0.0] * len(trainings), strict=True)
    for settings, earlier, share in of_each:
        kind = (settings.network.name, settings.training.batch_size)
        if kind not in networks:
            networks[kind] = build_network(shape[-1], settings.network, settings.loss, settings.dims)
        if timed and not earlier and kind not in steps:
            with with_threads(threads):
                steps[kind] = _step_times(networks[kind], settings, shape)
        whole, off_by, number = earlier, _OFF_BY_RUNS, 1.0
        if not earlier:
            whole, off_by = steps.get(kind, [0.0]), _OFF_BY_STEPS
            number = number_of_steps(settings.training, len(dataset.splits["train"]))
            number += _looks_in_steps(settings, dataset, shape)
        times.append(_time(whole, off_by, number, share))
        disk += _bytes_kept(settings, dataset, shape, networks[kind])
    return Cost(tuple(times), disk, sum(map(len, set(map(tuple, known)))), bool(steps))


def _time(seconds: Sequence[float], off_by: tuple[float, float], count: float, done: float) -> Time:
    """Time of so many of what took some seconds before, of which a share is done."""
    least, most = off_by
    bounds = median(seconds), least * min(seconds), most * max(seconds)
    return Time(*((1 - done) * count * value for value in bounds), done=done)


def _looks_in_steps(settings: Settings, dataset: Dataset, shape: tuple[int, ...]) -> float:
    """The number of steps that take as long as the validations of a training and the maps of its images after it.

    A step looks at each of its pixels, and goes back for the gradient, which takes about twice as long as the look.
    """
    training, validated = settings.training, len(dataset.splits["val"])
    at_each = min(training.validation_images, validated)
    images = (training.validations + 1) * at_each + validated + len(dataset.splits["test"])
    of_step = 3 * training.batch_size * math.prod(_sides(settings, shape))
    return images * math.prod(_scored_sides(settings, shape)) / of_step


def _scored_sides(settings: Settings, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Rows and columns of an image as the network sees it, or planes, rows and columns of a volume."""
    return (settings.data.image_size,) * 2 if settings.dims == 2 and settings.data.image_size else shape[:-1]


def _sides(settings: Settings, shape: tuple[int, ...]) -> list[int]:
    """The same of what a training step sees."""
    divisor = 2**settings.network.depth
    side = settings.data.crop_size or (settings.data.image_size if settings.dims == 2 else 0)
    sides = [side, side] if side else [-(-n // divisor) * divisor for n in shape[-3:-1]]
    return sides if settings.dims == 2 else [settings.data.crop_planes, *sides]


def _bytes_kept(settings: Settings, dataset: Dataset, shape: tuple[int, ...], network: nn.Module) -> float:
    """What stays on disk of a training: the network twice, and the maps of the images that are scored."""
    kept = len(dataset.splits["val"]) + len(dataset.splits["test"])
    parameters = sum(weight.numel() for weight in network.parameters())
    return 2 * 4 * parameters + kept * math.prod(_scored_sides(settings, shape)) * 2 * settings.map_channels


def _step_times(network: nn.Module, settings: Settings, shape: tuple[int, ...]) -> list[float]:
    """Seconds of a few training steps of a network on images of that shape.

    This process is waited for, so that on a CPU slow steps are timed with one image of a batch.
    """
    device, size = choose_device(settings.training.device), settings.training.batch_size
    network = on_device(network, device, settings.dims)
    if device.type == "cpu":
        of_one = [size * seconds for seconds in _timed_steps(network, settings, shape, 1)]
        if min(of_one) > _SLOW:
            return of_one
    return _timed_steps(network, settings, shape, size)


def _timed_steps(network: nn.Module, settings: Settings, shape: tuple[int, ...], count: int) -> list[float]:
    """Seconds of steps of so many images each."""
    device = next(network.parameters()).device
    images = torch.randn(count, shape[-1], *_sides(settings, shape), device=device)
    labels = torch.zeros(images[:, 0].shape, dtype=torch.int64, device=device)
    neighbours = torch.zeros((count, 1, 1), dtype=torch.bool, device=device)
    batch = Batch(images, labels.float(), labels, neighbours)
    looks = []
    for _ in range(1 + _TIMED_STEPS):
        with autocast(settings.training.precision, device):
            output = network(images)
        settings.loss.terms(output, batch)["loss"].backward()
        looks.append(_now(device))  # after the first step, which sets up more than the others, and after each other
    return [after - before for before, after in itertools.pairwise(looks)]


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
