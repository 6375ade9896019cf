"""Images and device of a run, loaded once per process and again where files have changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from study.data import Dataset, open_dataset
from study.data.batches import NetworkImage, TrainingImages, check_channels, network_image
from study.data.content import ImageContent
from study.data.kept_images import kept_images
from study.data.settings import Data
from study.data.volume_batches import TrainingVolumes, check_volume
from study.device import choose_device, choose_precision, on_device
from study.errors import StudyError
from study.networks import build_network
from study.settings import Settings

_Read = TypeVar("_Read", bound=Callable)


def resolve(settings: Settings, dataset: Dataset, precision: str = "") -> Settings:
    """Settings with each `auto` that bears on a result replaced by what it becomes here.

    `clustering.foreground` becomes the truth where a challenge gives it, else predicted, and none for volumes;
    `loss.mask_weight` 1 where the foreground is predicted, else 0; `training.precision` what is fast on the device, or
    `precision`, which is fast on another machine that trains.
    """
    asked = settings.training.precision
    if asked != "auto":
        precision = asked
    elif not precision:
        precision = choose_precision(asked, choose_device(settings.training.device))
    foreground = settings.clustering.foreground
    if foreground == "auto":  # of a volume, every voxel belongs to an object
        foreground = "none" if settings.dims == 3 else "truth" if dataset.foreground_given else "predicted"
    changes: dict[str, Any] = {"clustering.foreground": foreground, "training.precision": precision}
    if getattr(settings.loss, "mask_weight", None) == "auto" and "foreground" in settings.heads:
        changes["loss.mask_weight"] = float(foreground == "predicted")
    return settings.with_(changes)


def asked_for(settings: Settings, resolved: Settings) -> dict[str, str]:
    """The settings that `resolve` has replaced, by dotted name, as they were asked for."""
    became = resolved.flat()
    return {name: value for name, value in settings.flat().items() if value != became[name]}


def opened(data: Data) -> Dataset:
    """The data set, listed once per process, and again where its files have changed since."""
    return _listed(data)[0]


def _listed(data: Data) -> tuple[Dataset, str]:
    """The data set and the state of its files."""
    dataset, state = _listing(data)
    if _state_of(dataset) != state:
        _listing.cache_clear()
        dataset, state = _listing(data)
    return dataset, state


@lru_cache(maxsize=2)
def _listing(data: Data) -> tuple[Dataset, str]:
    dataset = open_dataset(data)
    return dataset, _state_of(dataset)


def _state_of(dataset: Dataset) -> str:
    """A digest over size and time of change of all files of a data set.

    It asks the file system alone, so that it is cheap enough for each use of an image. A file that is added meanwhile
    belongs to no record, and counts from the next launch on.
    """
    state = []
    for path in sorted({file for records in dataset.splits.values() for record in records for file in record.files}):
        try:
            found = path.stat()
            state.append((str(path), found.st_size, found.st_mtime_ns))
        except OSError:
            state.append((str(path), -1, -1))
    return hashlib.sha256(repr(state).encode()).hexdigest()


def _cached(maxsize: int) -> Callable[[_Read], _Read]:
    """Let a function read a data set once for its arguments, and again where files have changed since."""

    def decorate(read: _Read) -> _Read:
        cached = lru_cache(maxsize)(lambda state, *given: read(*given))
        return cast(_Read, wraps(read)(lambda data, *given: cached(_listed(data)[1], data, *given)))

    return decorate


@_cached(maxsize=2)
def data_digest(data: Data) -> str:
    """What `Dataset.digest` gives."""
    return opened(data).digest()


@_cached(maxsize=4)
def contents(data: Data) -> tuple[ImageContent, ...]:
    """Split, name and content of all images of the data set, see `Dataset.contents`."""
    return opened(data).contents()


@_cached(maxsize=4)
def network_images(data: Data, split: str) -> tuple[NetworkImage, ...]:
    """All images of a split at the network's scale; on the disk where they would fill the memory."""
    return kept_images(network_image(record.load(), data.image_size) for record in opened(data).splits[split])


@_cached(maxsize=1)
def training_images(data: Data, reach: int, device: torch.device) -> TrainingImages:
    """Training images and targets, on the device where there is room."""
    records = opened(data).records("train", "train on")
    images = (network_image(record.load(), data.image_size) for record in records)
    return TrainingImages(images, data, reach, device)


@_cached(maxsize=1)
def training_volumes(data: Data, device: torch.device) -> TrainingVolumes:
    """Training volumes, on the device where there is room."""
    records = opened(data).records("train", "train on")
    return TrainingVolumes((network_image(record.load(), 0) for record in records), data, device)


def channels_of(data: Data) -> int:
    """Channels of the images of a data set, by the first one."""
    splits = opened(data).splits
    split = next(split for split in ("test", "val", "train") if splits[split])
    return splits[split][0].load().image.shape[-1]


def rebuilt_network(weights: dict[str, Tensor], channels: int, settings: Settings) -> nn.Module:
    """A trained network for images of that many channels, in evaluation mode on its device.

    In the memory format of the training, so that maps are the same to the last digit.

    Raises
    ------
    RuntimeError
        If the weights are of another network, which is found before the memory for this one is taken.
    """
    with torch.device("meta"):
        planned = build_network(channels, settings.network, settings.loss, settings.dims).state_dict()
    if {name: tensor.shape for name, tensor in planned.items()} != {name: w.shape for name, w in weights.items()}:
        raise RuntimeError("the weights are of another network")
    network = build_network(channels, settings.network, settings.loss, settings.dims)
    network.load_state_dict(weights)
    return on_device(network, choose_device(settings.training.device), settings.dims).eval()


def images_to_train(settings: Settings, device: torch.device) -> TrainingImages | TrainingVolumes:
    """Training images, once they are known to fit the network, and the images of the other splits to fit them.

    Raises
    ------
    StudyError
        If whole images make no batch, or do not halve as often as the network pools; if images differ in channels, or
        volumes are too small.
    """
    divisor = 2**settings.network.depth
    if settings.dims == 3:
        images = training_volumes(settings.data, device)
    else:
        images = training_images(settings.data, settings.loss.reach, device)
        shapes = images.shapes.unique(dim=0).tolist()
        if not settings.data.crop_size and (len(shapes) > 1 or any(side % divisor for side in shapes[0])):
            raise StudyError(
                f"training images must be of one size, a multiple of {divisor} px (2 to the network.depth): "
                "set data.image_size or data.crop_size"
            )
    for split in ("val", "test"):
        for image in network_images(settings.data, split):
            check_channels(image, images.channels)
            if settings.dims == 3:
                check_volume(image, (1, divisor, divisor), "the network")
    return images
