"""The training loop on volumes, readable from top to bottom; without the elastic augmentation of the paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from study.affinities import label_pairs
from study.data.batches import standardise
from study.data.sets.volumes import Volume
from study.data.views import random_view
from study.device import autocast
from study.em.settings import Training, VolumeSettings
from study.losses.affinity import cross_loss, pyramid_loss, self_loss
from study.networks.residual import ResidualUNet
from study.training.checkpoint import History, TrainingState, checkpoint_schedule
from study.training.meter import LossMeter

CHECKPOINTS = 10  # how often over a training its state is saved


class TrainingVolume:
    """A volume on the device; crops are index operations there.

    Parameters
    ----------
    volume : Volume
    device : torch.device

    Attributes
    ----------
    raw : (P, M, N) float32 tensor
        Standardised.
    labels : (P, M, N) int32 tensor
    """

    def __init__(self, volume: Volume, device: torch.device):
        self.raw = torch.from_numpy(standardise(volume.raw)).to(device)
        self.labels = torch.from_numpy(np.ascontiguousarray(volume.labels)).to(device)

    def crops(self, count: int, shape: Sequence[int], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random crops, each of them mirrored along any axis and turned by quarters in plane.

        Parameters
        ----------
        count : int
        shape : (planes, rows, columns)
            As many rows as columns.
        generator : torch.Generator
            On the CPU, so that the draws are the same on every device.

        Returns
        -------
        raw : (B, 1, *shape) float32 tensor
        labels : (B, *shape) int32 tensor
        """
        room = [own - side + 1 for own, side in zip(self.raw.shape, shape, strict=True)]
        corners = torch.stack([torch.randint(n, (count,), generator=generator) for n in room], dim=1).tolist()
        blocks = [tuple(slice(c, c + side) for c, side in zip(corner, shape, strict=True)) for corner in corners]
        raw, labels = (torch.stack([array[block] for block in blocks]) for array in (self.raw, self.labels))
        turned = random_view(raw.unsqueeze(1), labels, generator, intensity=False, cutout=False)
        return turned.images, turned.labels


def train(
    volume: TrainingVolume,
    settings: VolumeSettings,
    log: Callable[[int, dict[str, float]], None],
    checkpoint: Path | None = None,
) -> tuple[ResidualUNet, History]:
    """Train a network on crops of a volume.

    Parameters
    ----------
    volume : TrainingVolume
    settings : VolumeSettings
    log : callable
        Takes the step and the mean loss terms and speed since its last call, 50 times over the training.
    checkpoint : path, optional
        File that keeps the state, written 10 times over the training. If it exists, `log` takes what was found until
        then, the training goes on from there, and ends with the same weights as one that was not interrupted.

    Returns
    -------
    network : ResidualUNet
        In evaluation mode.
    history : History
        Without validations.

    Raises
    ------
    StudyError
        If the loss or a weight is no longer finite; the last good checkpoint stays. If the checkpoint cannot be read
        or written.
    """
    plan, device = settings.training, volume.raw.device
    generator = torch.Generator().manual_seed(settings.seed)
    torch.manual_seed(settings.seed)
    network = build_network(settings, device)
    optimizer = torch.optim.Adam(network.parameters(), lr=plan.learning_rate, fused=True)
    schedule = _schedule(optimizer, plan)
    run = _State(network, optimizer, checkpoint, schedule, generator)
    run.resume(device)
    for point in run.history.points():
        log(*point)
    reads, meter = checkpoint_schedule(plan.steps, CHECKPOINTS), LossMeter(run.step)
    for step in range(run.step + 1, plan.steps + 1):
        raw, labels = volume.crops(plan.batch_size, settings.crop, generator)
        with autocast("auto", device):
            terms = loss_terms(network, raw, labels, settings, generator)
        optimizer.zero_grad()
        terms["loss"].backward()
        optimizer.step()
        schedule.step()
        meter.add(terms)
        if step not in reads:
            continue
        # the only place where the host waits for the device
        log(step, run.log_losses(step, meter.read(step), raw.numel(), "voxels", "lower training.learning_rate"))
        if reads[step]:
            run.save(step)
        meter.restart(step)
    return network.eval(), run.history


def build_network(settings: VolumeSettings, device: torch.device) -> ResidualUNet:
    """An untrained network, from torch's default generator."""
    plan = settings.network
    widths = [plan.base_width * 2**level for level in range(plan.depth + 1)]
    network = ResidualUNet(1, dims=3, widths=widths, embedding_dim=plan.embedding_dim, unit=True)
    return network.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]


def loss_terms(
    network: ResidualUNet, raw: Tensor, labels: Tensor, settings: VolumeSettings, generator: torch.Generator
) -> dict[str, Tensor]:
    """Loss of a batch and its terms (Huang et al. 2022, Eq. 3, 5, 6); unlabelled voxels do not count.

    The second view gets no gradient, as in the authors' program, so that it costs a forward pass alone.

    Returns
    -------
    dict of 0-d tensors
        `loss`, and unweighted `loss_self`, `loss_pyramid`, `loss_cross`, where their weights are not 0.
    """
    plan, (offsets, *coarser_offsets) = settings.loss, settings.offsets
    valid = labels > 0
    pairs = label_pairs(labels, offsets, valid)
    embedding, *coarser = network(raw).embeddings
    terms = {"loss_self": self_loss(embedding, pairs, balance=plan.balance)}
    loss = terms["loss_self"]
    if plan.pyramid_weight:
        pyramid = pyramid_loss(coarser, labels, coarser_offsets, valid, balance=plan.balance)
        terms["loss_pyramid"], loss = pyramid, loss + plan.pyramid_weight * pyramid
    if plan.cross_weight:
        view = random_view(raw, labels, generator)
        with torch.no_grad():
            other = view.back(network(view.images).embeddings[0])
        cross = cross_loss(embedding, other, pairs, balance=plan.balance)
        terms["loss_cross"], loss = cross, loss + plan.cross_weight * cross
    return {"loss": loss, **terms}


def _schedule(optimizer: torch.optim.Optimizer, plan: Training) -> LRScheduler:
    if plan.schedule == "constant":
        return ConstantLR(optimizer, factor=1)
    steps = max(plan.steps, 20)  # torch divides by zero in shorter cycles
    return OneCycleLR(optimizer, plan.learning_rate, total_steps=steps, pct_start=0.1, cycle_momentum=False)


class _State(TrainingState):
    """With the schedule, and the random numbers of crops and views."""

    def __init__(
        self,
        network: ResidualUNet,
        optimizer: torch.optim.Optimizer,
        path: Path | None,
        schedule: LRScheduler,
        generator: torch.Generator,
    ):
        super().__init__(network, optimizer, path)
        self.schedule, self.generator = schedule, generator

    def state_dict(self) -> dict[str, Any]:
        own = {"schedule": self.schedule.state_dict(), "generator": self.generator.get_state()}
        return super().state_dict() | own

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.schedule.load_state_dict(state["schedule"])
        self.generator.set_state(state["generator"].cpu())
