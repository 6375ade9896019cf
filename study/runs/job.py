"""A run to be worked on, and what its result and its training are identified by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from study.code_digest import CodeDigest, code_digest
from study.config import is_number
from study.data import Dataset
from study.figures.names import variant_label
from study.metrics.registry import KINDS, Kind
from study.origin import budget
from study.paper import paper_settings
from study.runs.resources import asked_for, resolve
from study.settings import Settings


@dataclass(frozen=True)
class PlannedRun:
    """One run to make: a variant with a seed."""

    variant: dict[str, Any]
    settings: Settings
    # settings that were asked for as `auto`, by dotted name; `settings` has what they became
    asked: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """As people say it, such as `W-Net, λ = 1, seed 0`; no key of anything."""
        return run_name(self.variant, self.settings.seed)


@dataclass(frozen=True)
class Result:
    """What a run found."""

    variant: dict[str, Any]
    seed: int
    table: pd.DataFrame  # a row per test image: `image` and its scores
    panels: list[np.ndarray]  # (M, N, 3) uint8 pictures of the first test images
    # device and libraries that its scores, and its training, were computed with, see `study.runs.environment`
    environments: tuple[str, ...] = ()
    run_id: str = ""  # the run of this launch that shows it


def variant_name(variant: dict[str, Any]) -> str:
    """The key of a variant, such as `wnet, inter_weight 1`: names by their value, other settings by their last part.

    Tags of runs hold it, so that it must stay as it is; people read `study.figures.names.variant_label`.
    """
    parts = []
    for name, value in variant.items():
        last = name.rpartition(".")[2]
        parts.append(
            str(value) if last in ("name", "system") else f"{last} {value:g}" if is_number(value) else f"{last} {value}"
        )
    return ", ".join(parts)


def run_name(variant: dict[str, Any], seed: int) -> str:
    """A run in words, such as `W-Net, λ = 1, seed 0`."""
    return f"{variant_label(variant)}, seed {seed}"


@dataclass(frozen=True)
class Job:
    """A run that waits to be worked on, here or in another process."""

    planned: PlannedRun
    experiment_id: str  # where it is logged
    parent_id: str | None  # the run of the ablation that it belongs to
    note: str  # description on the MLflow page
    tags: dict[str, Any]
    data_digest: str
    reuse: bool = True  # whether results, networks and checkpoints of earlier launches are used
    # of the launch; a worker that runs other code does not take the job
    code: CodeDigest = field(default_factory=lambda: code_digest())

    @property
    def digest(self) -> str:
        """Identifies the result: settings, data, and the code of training and scoring."""
        settings = self.planned.settings
        # the paper's thresholds, which are scored too, depend on the system, which the digest of settings leaves out
        thresholds = repr(paper_settings(settings).clustering)
        return settings.digest(self.data_digest, self.code.training, self.code.scoring, thresholds)

    @property
    def settings_digest(self) -> str:
        """Identifies settings and data, whatever the code."""
        return self.planned.settings.digest(self.data_digest)

    @property
    def training_digest(self) -> str:
        """Identifies the training: runs that differ in their clustering alone share it.

        With `training.checkpoint=best`, validation scores choose the weights, so that clustering and scoring count.
        """
        scoring = (self.code.scoring,) if self._chosen_by_scores else ()
        return self._of_training(self.code.training, *scoring)

    @property
    def training_settings_digest(self) -> str:
        """Identifies settings and data of the training, whatever the code."""
        return self._of_training()

    def _of_training(self, *code: str) -> str:
        groups = ("data", "network", "loss", "training", *(("clustering",) if self._chosen_by_scores else ()))
        return self.planned.settings.digest(self.data_digest, *code, groups=groups)

    @property
    def _chosen_by_scores(self) -> bool:
        return self.planned.settings.training.checkpoint == "best"


def resolved_run(planned: PlannedRun, dataset: Dataset, precision: str = "") -> PlannedRun:
    """A planned run whose `auto` settings are what they become on this data set and device, see `resolve`."""
    settings = resolve(planned.settings, dataset, precision)
    return PlannedRun(planned.variant, settings, asked_for(planned.settings, settings))


@dataclass(frozen=True)
class Task:
    """Runs of one training digest, which share its network and its maps, and the CPU threads to use for them.

    With 0 threads, the process that does the task has been told how many it may use. With
    `checkpoints_in_store` another machine can go on with the training.
    """

    jobs: tuple[Job, ...]
    store: str
    threads: int
    checkpoints_in_store: bool = False
    patient: bool = False  # whether it waits for a training that another launch does, or gives `Postponed`


@dataclass(frozen=True)
class Postponed:
    """A task that waits until a training ends that another launch does."""

    owner: str  # which process does it, in words


@dataclass(frozen=True)
class Failure:
    """Why a run has no result."""

    planned: PlannedRun
    reason: str


def about(dataset: Dataset, settings: Settings, seeds: int) -> str:
    """What the numbers are measured on, for captions and descriptions."""
    counted = f"{seeds} seed{'s' * (seeds != 1)}"
    return (
        f"{dataset.name}: {len(dataset.splits['test'])} test {settings.kind} ({dataset.split_note}), {counted}, "
        f"foreground at test time: {settings.clustering.foreground}. "
        f"Profile {settings.profile}: {budget(settings, len(dataset.splits['train']))}."
    )


def intervals_over(seeds: int, kind: Kind = KINDS["images"]) -> str:
    """What the intervals of a launch with so many seeds on a kind of data are over."""
    over = f"{kind.item}s only, this training" if seeds == 1 else f"seeds and {kind.item}s"
    return f"95 % intervals over {over}"
