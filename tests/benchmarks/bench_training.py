"""Training of U-Net and W-Net: images per second, and the share of a step spent outside of the network.

`step` is a step of `study.training.loop.train` as it is; `bare` is the same network, forward, backward and optimiser,
on one fixed batch. What lies between is the batch with its crops and flips, the losses, and reading the curves. Both
are timed in turns; `outside` is 1 - bare / step. `batch` and `losses` (forward and backward) are timed alone; `parts`
is their share of the step.
Run: python tests/benchmarks/bench_training.py [--profile full --device cuda]
"""

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import torch
from torch import Tensor, nn

from study.data.batches import Batch, TrainingImages
from study.device import autocast, choose_device
from study.maps import NetworkOutput
from study.profiles import load_settings
from study.runs.resources import training_images
from study.settings import Settings
from study.training.checkpoint import History
from study.training.loop import train
from tests.networks.built import build

GOALS = {"cpu": 15, "cuda": 5}  # share of the step, per cent
ROUNDS = 5


class Silent:
    """A monitor that keeps nothing."""

    def started(self, network: nn.Module) -> dict[str, float]:
        return {}

    def resumed(self, history: History) -> None: ...

    def step(self, step: int, values: dict[str, float]) -> None: ...

    def validated(self, step: int, values: dict[str, float]) -> None: ...

    def saved(self, step: int) -> None: ...


def seconds(task: Callable[[], object], times: int, device: torch.device) -> float:
    """Time of a call, by the clock of the device; `times` of them are made in a row."""
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(times):
            task()
        return (time.perf_counter() - start) / times
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(times):
        task()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000 / times


def bare_step(batch: Batch, settings: Settings, device: torch.device) -> Callable[[], None]:
    """Forward, backward and optimiser step of a new network on `batch`, from given gradients at its outputs."""
    network: nn.Module = build(batch.images.shape[1], settings).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-6, fused=True)
    forward = torch.compile(network) if settings.training.compile else network

    def run() -> None:
        with autocast(settings.training.precision, device):
            outputs = [output for output in forward(batch.images) if isinstance(output, Tensor)]
        optimizer.zero_grad()
        torch.autograd.backward(outputs, [torch.full_like(output, 1e-6) for output in outputs])
        if settings.training.gradient_clip:
            nn.utils.clip_grad_norm_(network.parameters(), settings.training.gradient_clip)
        optimizer.step()

    return run


def loss_step(batch: Batch, settings: Settings) -> Callable[[], None]:
    """The losses of random maps of `batch`, forward and backward."""
    images, dims = batch.images, settings.network.embedding_dim
    raw = torch.randn(len(images), 1 + dims, *images.shape[2:], device=images.device)
    raw = raw.to(memory_format=torch.channels_last).requires_grad_()

    def run() -> None:
        output = NetworkOutput(distance=raw[:, :1], embedding=raw[:, 1:])
        settings.loss.terms(output, batch)["loss"].backward()
        raw.grad = None

    return run


class Measured(NamedTuple):
    """Seconds, shares of the step, and bytes."""

    step: float
    bare: float
    batch: float
    losses: float
    outside: float
    parts: float
    peak: float

    def line(self, name: str, batch_size: int) -> str:
        """Its line of the table."""
        times = "".join(f" {1e3 * t:8.2f}" for t in self[:4])
        shares = f"{self.outside:8.1%} {self.parts:8.1%}"
        return f"{name:10}{times} {batch_size / self.step:9.1f} {shares} {self.peak / 2**20:10.0f}"


HEAD = "               step     bare    batch   losses  images/s  outside    parts  peak, MiB"


def measure(images: TrainingImages, settings: Settings, steps: int, count: int) -> Measured:
    """Medians of `count` rounds of so many steps."""
    device, plan = images.device, settings.training
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    samples = images.sample(steps, plan.batch_size, 0)
    batch = images.batch(samples[0])
    bare = bare_step(batch, settings, device)
    seconds(bare, 5, device)
    rounds = []
    for _ in range(count + 1):
        _, history = train(images, settings, Silent(), lambda network: {})
        rounds.append((history.seconds / steps, seconds(bare, steps, device)))
    rounds = rounds[1:]  # the first warms up
    step, bare_time = (median(times) for times in zip(*rounds, strict=True))
    share = median(1 - bare / step for step, bare in rounds)
    alone = (lambda: images.batch(samples[0]), loss_step(batch, settings))
    batch_time, loss_time = (median(seconds(task, 10, device) for _ in range(count)) for task in alone)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    return Measured(step, bare_time, batch_time, loss_time, share, (batch_time + loss_time) / step, peak)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", default="quick")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--size", default=0, type=int, help="side of the images, px; 0: the profile's")
    parser.add_argument("--steps", default=0, type=int, help="per round; 0: 50 on a CPU, 500 on a GPU")
    parser.add_argument("--set", default="", help="more settings: a.b=1,c.d=x")
    parser.add_argument("--tiny", action="store_true", help="the smallest sizes: shows that it runs, not how fast")
    given = parser.parse_args(arguments)
    device = choose_device(given.device)
    profile = "smoke" if given.tiny else given.profile
    steps = 2 if given.tiny else given.steps or (500 if device.type == "cuda" else 50)
    overrides = f"data.images=16,training.steps={steps},training.validations=1,training.device={given.device}"
    if given.size:
        overrides += f",data.image_size={given.size},data.crop_size=0"
    for i, name in enumerate(("unet", "wnet")):
        settings = load_settings(profile=profile, overrides=f"{overrides},network.name={name},{given.set}")
        images = training_images(settings.data, settings.loss.neighbour_distance, device)
        if i == 0:
            size = " x ".join(map(str, images.side))
            print(f"{profile}: {size} px, batch {settings.training.batch_size}, base {settings.network.base_width}")
            print(f"{device}, {torch.get_num_threads()} threads; medians, ms; goal: outside <= {GOALS[device.type]} %")
            print(HEAD)
        measured = measure(images, settings, steps, 1 if given.tiny else ROUNDS)
        print(measured.line(name, settings.training.batch_size))


if __name__ == "__main__":
    main()
