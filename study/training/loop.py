"""The training loop, readable from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from study.data.batches import Batch, TrainingImages
from study.data.streaming import batches_of
from study.data.volume_batches import TrainingVolumes
from study.device import autocast, on_device
from study.maps import NetworkOutput
from study.networks import build_network, centre_embeddings
from study.settings import Settings, Training
from study.training.checkpoint import BEST_BY, History, TrainingState, checkpoint_schedule
from study.training.meter import LossMeter


class Monitor(Protocol):
    """What a training reports while it goes on."""

    def started(self, network: nn.Module) -> dict[str, float]:
        """The network before its first step; gives its validation scores, or none."""
        ...

    def resumed(self, history: History) -> None:
        """What the interrupted training had found until its checkpoint."""

    def step(self, step: int, values: dict[str, float]) -> None:
        """Mean loss terms since the last call, and speed, after `step` steps."""

    def validated(self, step: int, values: dict[str, float]) -> None:
        """Validation scores after `step` steps."""

    def saved(self, step: int) -> None:
        """The checkpoint is now the one after `step` steps."""


def train(
    images: TrainingImages | TrainingVolumes,
    settings: Settings,
    monitor: Monitor,
    validate: Callable[[nn.Module], dict[str, float]],
    checkpoint: Path | None = None,
    best_by: tuple[str, int] = BEST_BY,
) -> tuple[nn.Module, History]:
    """Train a network.

    Parameters
    ----------
    images : TrainingImages or TrainingVolumes
    settings : Settings
    monitor : Monitor
    validate : callable
        Network -> scores of validation images, that of `best_by` among them.
    checkpoint : path, optional
        File that keeps the state, written at each validation, and between two when ten minutes have passed. If it
        exists, the training goes on from there, and ends with the same weights as one that was not interrupted.
    best_by : (str, int)
        See `TrainingState`.

    Returns
    -------
    network : Module
        With the weights that `training.checkpoint` names, in evaluation mode.
    history : History

    Raises
    ------
    StudyError
        If the loss or a weight is no longer finite; the last good checkpoint stays. If the checkpoint cannot be read
        or written.
    """
    plan, device = settings.training, images.device
    steps = number_of_steps(plan, len(images))
    samples = images.sample(steps, plan.batch_size, settings.seed)
    network = _untrained(images, settings, samples[0])
    optimizer = _adam(network, plan)
    state = TrainingState(network, optimizer, checkpoint, keep_best=plan.checkpoint == "best", best_by=best_by)
    if state.resume(device):
        monitor.resumed(state.history)
    else:
        state.history.untrained = monitor.started(network)
    forward = torch.compile(network) if plan.compile else network
    schedule, meter = checkpoint_schedule(steps, plan.validations), LossMeter(state.step)
    with closing(batches_of(images, samples[state.step :])) as batches:
        for step, batch in enumerate(batches, state.step):
            optimizer.param_groups[0]["lr"] = learning_rate(plan, step, steps)
            with autocast(settings.training.precision, device):
                output = forward(batch.images)
            terms = settings.loss.terms(output, batch, _second_view(forward, batch, settings, step))
            _update(network, optimizer, terms["loss"], plan.gradient_clip)
            meter.add(terms)
            if step + 1 not in schedule:
                continue
            # the only places where the host waits for the device
            monitor.step(step + 1, state.log_losses(step + 1, meter.read(step + 1), plan.batch_size))
            if schedule[step + 1]:
                scores = validate(network)
                state.validated(step + 1, scores)
                monitor.validated(step + 1, scores)
                monitor.saved(step + 1)
            elif state.is_due():
                state.save(step + 1)
                monitor.saved(step + 1)
            meter.restart(step + 1)
    if state.keep_best:
        network.load_state_dict(state.best)
    return network.eval(), state.history


def _untrained(images: TrainingImages | TrainingVolumes, settings: Settings, first: Tensor) -> nn.Module:
    """The network before its first step; the seed, and with `network.centre_embedding` the first batch, decide it."""
    torch.manual_seed(settings.seed)
    network = build_network(images.channels, settings.network, settings.loss, settings.dims)
    network = on_device(network, images.device, settings.dims)
    if getattr(settings.network, "centre_embedding", False):
        centre_embeddings(network, images.batch(first).images)
    return network


def _update(network: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor, gradient_clip: float) -> None:
    optimizer.zero_grad()
    loss.backward()
    if gradient_clip:
        nn.utils.clip_grad_norm_(network.parameters(), gradient_clip)
    optimizer.step()


def _adam(network: nn.Module, plan: Training) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        network.parameters(),
        lr=plan.learning_rate,
        eps=plan.epsilon,
        weight_decay=plan.weight_decay,
        amsgrad=plan.amsgrad,
        fused=True,
    )


def _second_view(
    forward: Callable[[Tensor], NetworkOutput], batch: Batch, settings: Settings, step: int
) -> Tensor | None:
    """Embedding of a random second view of a batch, brought back to its pixels, where the loss asks for it.

    It follows from seed and step alone, so that a training that was interrupted sees the same views.
    """
    generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
    view = settings.loss.second_view(batch, settings.heads, generator)
    if view is None:
        return None
    with_gradient = not settings.loss.detaches_view
    with torch.set_grad_enabled(with_gradient), autocast(settings.training.precision, batch.images.device):
        output = forward(view.images)
    assert output.embedding is not None
    return view.back(output.embedding)


def number_of_steps(plan: Training, images: int) -> int:
    """Steps of a training on that many images."""
    return plan.steps or math.ceil(plan.epochs * images / plan.batch_size)


def learning_rate(plan: Training, step: int, steps: int) -> float:
    """Learning rate of a step.

    `staircase` multiplies by `decay` every `decay_steps` (Wu et al. 2020, section 4). `one-cycle` rises over the first
    tenth and falls to zero along a cosine: what a small budget allows.
    """
    if plan.schedule == "staircase":
        return plan.learning_rate * plan.decay ** (step // plan.decay_steps)
    rise = max(1, steps // 10)
    if step < rise:
        return plan.learning_rate * (step + 1) / rise
    return plan.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
