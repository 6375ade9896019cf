"""The way of one run on volumes: network -> affinities -> neurons -> scores in the store."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from tqdm import tqdm

from study import figures, process, tracking
from study.code_digest import digest_of
from study.data.batches import standardise
from study.data.sets.volumes import Volume, VolumeSet, open_volumes
from study.data.targets import compact_labels
from study.device import autocast, choose_device, choose_precision
from study.em.inference import tiled_affinities
from study.em.segmentation import Choice, choose, components, mean_affinity, neurons, scores
from study.em.settings import VolumeSettings
from study.em.training import TrainingVolume, build_network, train
from study.networks.residual import ResidualUNet
from study.runs.cache import TrainingCache
from study.tracking import Point, TrackedRun, picture_key

# modules to begin with, see `study.code_digest`
TRAINING = ("study.em.training", "study.data.sets.volumes")
SCORING = ("study.em.inference", "study.em.segmentation")
PICTURE_SIDE = 256  # px that pictures show at most

Embed = Callable[[Tensor], Tensor]  # (1, 1, P, M, N) -> (1, E, P, M, N) unit vectors


def train_em(settings: VolumeSettings) -> int:
    """Train a network on a volume, score it on another, and log both as a run; the exit status 0.

    What has been run before is taken from there. A training that was cut off goes on from its checkpoint; of several
    processes one at a time works on it.

    Raises
    ------
    StudyError
        If the input or the store is at fault, the training diverges, or its checkpoint cannot be read or written.
    """
    data = settings.data
    process.use_threads(settings.training.threads or os.cpu_count() or 1)
    device = choose_device(settings.training.device)
    volumes = open_volumes(data.name, data.root, planes=data.planes, side=data.side)
    volumes.splits["train"].refuse_smaller(settings.crop, "a training crop")
    for split in ("val", "test"):
        volumes.splits[split].refuse_smaller((1, *[2**settings.network.depth] * 2), "the network")
    run = _run(volumes, settings, device)
    found = tracking.read_scores(run.run_id, "test").table.iloc[0]
    tqdm.write(
        f"test volume: VOI {found.voi:.3f} (split {found.voi_split:.3f}, merge {found.voi_merge:.3f}), "
        f"ARAND {found.arand:.3f}; connected components: VOI {found.voi_components:.3f}, "
        f"ARAND {found.arand_components:.3f}"
    )
    return 0


def _run(volumes: VolumeSet, settings: VolumeSettings, device: torch.device) -> TrackedRun:
    """A finished run: with the results of one that is known, or trained and scored."""
    experiment, data_digest = tracking.connect(), volumes.digest()
    tracking.end_abandoned(experiment)  # what a killed process has left
    trained = ("data", "network", "loss", "training")  # groups of settings that the network depends on
    made_by = (data_digest, digest_of(TRAINING), choose_precision("auto", device))
    digests = {
        "digest": settings.digest(*made_by, digest_of(SCORING)),
        "training_digest": settings.digest(*made_by, groups=trained),
    }
    name = f"em, seed {settings.seed}"
    tqdm.write(f"{name} on {volumes.name}; store {tracking.current_store()}")
    cache = TrainingCache(digests["training_digest"])
    with cache.lock():
        source = tracking.finished_run(digests["digest"])
        tags = {"seed": settings.seed, **digests, "dataset": volumes.name, "system": "em"}
        run = tracking.start_run(experiment, name, _note(volumes), tags, settings, ("data.name",))
        counts = {split: len(volume.raw) for split, volume in volumes.splits.items()}
        run.log_dataset(volumes.name, data_digest, settings.data.root or volumes.name, counts)
        with tracking.working_on(run):
            if source is None:
                _train_and_score(run, volumes, settings, device, cache)
            else:
                tqdm.write(f"the same has been run before: its results are taken from run {source}")
                tracking.copy_run(source, run)
        cache.clear()
    return run


def _note(volumes: VolumeSet) -> str:
    sizes = ", ".join(f"{split} {' x '.join(map(str, v.raw.shape))}" for split, v in volumes.splits.items())
    return (
        f"Neurons by pixel-embedded affinity (Huang et al. 2022, Table 4) on {volumes.name}: {sizes} voxels; "
        f"{volumes.split_note}. Threshold and least size of the affinity watershed, and the threshold of the connected "
        "components that it is compared with, are those of the least ARAND on the validation volume. The paper's "
        "values are of another volume (AC3) and of multicut."
    )


def _train_and_score(
    run: TrackedRun, volumes: VolumeSet, settings: VolumeSettings, device: torch.device, cache: TrainingCache
) -> None:
    """Train, choose thresholds on the validation volume, score it and the test volume, log everything."""
    steps, network = settings.training.steps, _trained(run, volumes.splits["train"], settings, device, cache)
    _log_weights(run, network)

    def embed(tile: Tensor) -> Tensor:
        with autocast("auto", device), torch.no_grad():
            return network(tile.to(device)).embeddings[0]

    val = _predict(embed, volumes.splits["val"], settings)
    choice = choose(val.affinity, settings.offsets[0], volumes.splits["val"].labels, settings.clustering.stride)
    table, pictures = _score(embed, val, volumes.splits["val"], choice, settings)
    chosen = {f"chosen/{name}": value for name, value in choice._asdict().items()}
    run.log_metrics(Point(0, chosen), Point(steps, _named(table, "val")))
    for plane, picture in pictures.items():
        run.log_image(figures.folded(picture), picture_key(f"plane {plane}"), steps)
    del val  # the test volume needs the memory
    test = _predict(embed, volumes.splits["test"], settings)
    table, pictures = _score(embed, test, volumes.splits["test"], choice, settings)
    run.log_scores("test", table, list(pictures.values()))
    run.log_metrics(Point(0, {"perf/inference_seconds": test.seconds} | _named(table, "test")))


def _trained(
    run: TrackedRun, volume: Volume, settings: VolumeSettings, device: torch.device, cache: TrainingCache
) -> ResidualUNet:
    """The network, kept by a run that did not get to its end, or from a training; the run shows how it went."""
    if (finished := cache.load()) is not None:
        weights, history = finished
        network = build_network(settings, device)
        network.load_state_dict(weights)
        run.log_metrics(*(Point(*point) for point in history.points()))
    else:
        steps = settings.training.steps
        with tqdm(total=steps, desc="em", unit="step", disable=None, leave=False, dynamic_ncols=True) as bar:

            def log(step: int, values: dict[str, float]) -> None:
                run.log_metrics(Point(step, values))
                bar.set_postfix_str(f"loss {values['train/loss']:.3f}")
                bar.update(step - bar.n)

            network, history = train(TrainingVolume(volume, device), settings, log, cache.checkpoint)
        cache.save(network, history)
    run.log_metrics(Point(0, {"perf/training_seconds": history.seconds}))
    return network.eval()


def _log_weights(run: TrackedRun, network: ResidualUNet) -> None:
    """Log the weights, as of `torch.save`, as artifact `network/weights.pt`."""
    with tempfile.TemporaryDirectory() as folder:
        torch.save({name: tensor.cpu() for name, tensor in network.state_dict().items()}, Path(folder) / "weights.pt")
        run.log_folder(Path(folder), "network")


class _Prediction(NamedTuple):
    """Affinities (K, P, M, N) of a volume, and seconds that they took."""

    affinity: np.ndarray
    seconds: float


def _predict(embed: Embed, volume: Volume, settings: VolumeSettings) -> _Prediction:
    started = time.perf_counter()
    affinity = tiled_affinities(
        embed, standardise(volume.raw), settings.offsets[0], settings.crop, multiple=2**settings.network.depth
    )
    return _Prediction(affinity, time.perf_counter() - started)


def _score(
    embed: Embed, prediction: _Prediction, volume: Volume, choice: Choice, settings: VolumeSettings
) -> tuple[pd.DataFrame, dict[int, np.ndarray]]:
    """Table of one row with the scores, and pictures by plane."""
    offsets = settings.offsets[0]
    found = neurons(
        prediction.affinity,
        offsets,
        threshold=choice.threshold,
        stride=settings.clustering.stride,
        min_size=choice.min_size,
    )
    mean = mean_affinity(prediction.affinity, offsets)
    baseline = components(mean, choice.component_threshold)
    values = {"image": volume.name, "n_true": np.count_nonzero(np.unique(volume.labels))}
    values |= scores(volume.labels, found) | scores(volume.labels, baseline, "_components")
    return pd.DataFrame([values]), _pictures(embed, volume, mean, found, settings)


def _named(table: pd.DataFrame, split: str) -> dict[str, float]:
    return {f"{split}/{name}": float(value) for name, value in table.iloc[0].items() if name != "image"}


def _pictures(
    embed: Embed, volume: Volume, mean: np.ndarray, found: np.ndarray, settings: VolumeSettings
) -> dict[int, np.ndarray]:
    """Three planes from the middle of a volume, as of `study.figures.panel`: with mean affinities as distance map."""
    sides = (settings.data.crop_planes, PICTURE_SIDE, PICTURE_SIDE)
    sizes = [min(side, own) for side, own in zip(sides, volume.raw.shape, strict=True)]
    corner = [(own - size) // 2 for own, size in zip(volume.raw.shape, sizes, strict=True)]
    block = tuple(slice(start, start + size) for start, size in zip(corner, sizes, strict=True))
    raw = standardise(volume.raw)[block]
    unit = embed(torch.from_numpy(np.ascontiguousarray(raw))[None, None])[0]
    embedding = unit.permute(1, 2, 3, 0).cpu().numpy()
    truth, labels = (compact_labels(array[block]) for array in (volume.labels, found))
    shown = dict.fromkeys(sizes[0] * quarter // 4 for quarter in (1, 2, 3))
    return {
        corner[0] + i: figures.panel(raw[i][..., None], truth[i], mean[block][i], embedding[i], labels[i])
        for i in shown
    }
