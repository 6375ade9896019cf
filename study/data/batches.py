"""Training images, kept where there is room; batches, crops and flips are index operations there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from study.data.dataset import Sample
from study.data.flat import FlatArrays, memory_bound
from study.data.settings import Data
from study.data.targets import distance_map, neighbours, reach_of, relabel_sequential
from study.device import fits_on, sent_to
from study.errors import StudyError

STEP_UNIT = 1024  # of the distance of the pixels of a crop in the image: not scaled
LARGEST_SCALE = 1.25  # of images that are scaled, and its inverse the smallest: the papers name no amounts
MAX_OBJECTS = np.iinfo(np.int16).max  # of a training image: ids take two bytes, and tables of neighbours fit in memory


@dataclass(frozen=True)
class NetworkImage:
    """A sample at the network's scale.

    Attributes
    ----------
    name : str
    pixels : (M, N, C) or (P, M, N, C) float16 array
        Standardised: mean 0 and variance 1 over all pixels and channels.
    labels : (M, N) int32 array
        Ids 0, ..., K.
    original : (M', N') int32 array
        The labels at the original size, where scores are computed.
    """

    name: str
    pixels: np.ndarray
    labels: np.ndarray
    original: np.ndarray

    @cached_property
    def adjacent(self) -> np.ndarray:
        """Pairs of objects closer than 2 % of the image's longer side, and at least those that touch.

        As of `study.data.targets.neighbours`; the same whatever the loss takes for neighbours, so that angles between
        objects compare between runs.
        """
        return neighbours(self.labels, max(2.0, 0.02 * max(self.labels.shape)))


def standardise(image: np.ndarray) -> np.ndarray:
    """`image` in float32 with mean 0 and variance 1 over all pixels and channels (Wu et al. 2020, section 3).

    An image of one value becomes 0.
    """
    image = image.astype(np.float32)
    image -= image.mean(dtype=np.float64)
    deviation = float(image.std(dtype=np.float64))
    return image / deviation if deviation > 0 else image


def resize_image(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(M, N, C) image at another `shape`, bilinear with antialiasing, in float32."""
    if image.shape[:2] == shape:
        return image.astype(np.float32)
    tensor = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    return F.interpolate(tensor, shape, mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()


def resize_labels(labels: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels at another `shape`: each pixel takes the label at its centre."""
    if labels.shape == shape:
        return labels
    centres = (((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(shape, labels.shape, strict=True))
    return labels[np.ix_(*centres)]


def network_pixels(image: np.ndarray, image_size: int) -> np.ndarray:
    """(M, N, C) image at the network's scale, standardised, in float16.

    That is a square of `image_size` pixels, or the image's own size where that is 0, or for a volume.
    """
    if image.ndim == 3 and image_size:
        image = resize_image(image, (image_size, image_size))
    return standardise(image).astype(np.float16)


def network_image(sample: Sample, image_size: int) -> NetworkImage:
    """`sample` at the network's scale, see `network_pixels`."""
    pixels = network_pixels(sample.image, image_size)
    shape = pixels.shape[:-1]
    labels = relabel_sequential(resize_labels(sample.labels, shape))
    original = labels if shape == sample.labels.shape else sample.labels  # one array less in memory
    return NetworkImage(sample.name, pixels, labels, original)


def check_channels(image: NetworkImage, channels: int) -> None:
    """Raise a StudyError if an image has other than `channels` channels."""
    if (found := image.pixels.shape[-1]) != channels:
        raise StudyError(
            f"{image.name} has {found} channel(s), but the network takes {channels}: make all images grey or all RGB"
        )


def _check_object_count(image: NetworkImage) -> None:
    """Raise a StudyError if the ids of an image do not fit into the 16 bits that they are kept in."""
    if (found := int(image.labels.max())) > MAX_OBJECTS:
        raise StudyError(
            f"{image.name} has {found} objects, but an image to train on may have {MAX_OBJECTS}: cut it into several"
        )


class Batch(NamedTuple):
    """Tensors of a training step.

    Attributes
    ----------
    images : (B, C, S, T) float32 tensor, channels last in memory
    distance : (B, S, T) float32 tensor in [0, 1]
        Empty for volumes.
    labels : (B, S, T) int64 tensor
    neighbours : (B, K + 1, K + 1) bool tensor
        Empty for volumes.
    valid : (B, S, T) bool tensor or None
        Pixels whose label is to be believed; None where all are.

    Volumes have planes before rows: (B, C, R, S, T).
    """

    images: Tensor
    distance: Tensor
    labels: Tensor
    neighbours: Tensor
    valid: Tensor | None = None


class TrainingImages:
    """All training images and targets in flat tensors: on the device, else in host memory, else on the disk.

    Pixels of all images stand in one row after the other, so that images of any size need no padding and a batch is
    one gather. Which images, crops and flips each step takes is sampled once, from `seed`; step `i` is the same whether
    or not the training was interrupted before it, and wherever the images are kept.

    Parameters
    ----------
    images : iterable of NetworkImage
        Not empty. Taken one by one, so that they need not all be in memory.
    data : Data
        `crop_size` and `augmentation`; without crops all images must have the same shape.
    reach : int
        Objects closer than that are neighbours, px at the width of `study.data.targets.PAPERS_WIDTH`.
    device : torch.device
        If it cannot hold the images, they stay where they are and batches stream.
    bound : int, optional
        Bytes of host memory that they may take, `memory_bound` by default; if that is less than they need, they are in
        temporary files that are mapped into memory.

    Attributes
    ----------
    streams : bool
        Whether batches come from the disk, or from host memory to another device: see `study.data.streaming`.

    Raises
    ------
    StudyError
        If the images differ in their number of channels, or one has more than `MAX_OBJECTS` objects; if there is no
        room on the disk.
    """

    def __init__(
        self, images: Iterable[NetworkImage], data: Data, reach: int, device: torch.device, bound: int | None = None
    ):
        self.data, self.device = data, device
        bound = memory_bound() if bound is None else bound
        flat = FlatArrays(bound, pixels=np.float16, labels=np.int16, distance=np.uint8)
        tables: list[np.ndarray] = []
        shapes: list[tuple[int, ...]] = []
        channels = 0
        for image in images:
            channels = channels or image.pixels.shape[2]
            check_channels(image, channels)
            _check_object_count(image)
            shapes.append(image.labels.shape)
            distance = np.round(255 * distance_map(image.labels))
            flat.append(pixels=image.pixels, labels=image.labels, distance=distance)
            tables.append(neighbours(image.labels, reach_of(reach, image.labels.shape)))
        count = max(len(table) for table in tables)
        padded = FlatArrays(bound - flat.size, tables=np.bool_)
        for table in tables:
            padded.append(tables=np.pad(table, (0, count - len(table))))
        fits = fits_on(device, flat.size + padded.size)
        self.store = device if fits else torch.device("cpu")
        self.streams = not fits or (device.type == "cpu" and padded.on_disk)
        found = {name: torch.from_numpy(array) for name, array in (flat.arrays() | padded.arrays()).items()}
        self.pixels = found["pixels"].view(-1, channels).to(self.store)
        self.labels, self.distance = found["labels"].to(self.store), found["distance"].to(self.store)
        self.neighbours = found["tables"].view(-1, count, count).to(self.store)
        lengths = [rows * columns for rows, columns in shapes]
        self.starts = torch.tensor([0, *np.cumsum(lengths)[:-1]], device=self.store)
        self.shapes = torch.tensor(shapes, device=self.store)
        self.side = (data.crop_size, data.crop_size) if data.crop_size else shapes[0]

    @property
    def channels(self) -> int:
        """Channels of the images."""
        return self.pixels.shape[1]

    def __len__(self) -> int:
        return len(self.starts)

    def sample(self, steps: int, batch_size: int, seed: int) -> Tensor:
        """What each step takes, at random, as a (steps, batch_size, 7) int64 tensor.

        The seven are image, row and column of the crop, mirrored rows, mirrored columns, transposition, and how far
        apart the pixels of the crop are in the image, in units of `STEP_UNIT`. Images come in random order, each once
        before any comes again.
        """
        rng = np.random.default_rng([seed, 1])
        total = steps * batch_size
        order = np.concatenate([rng.permutation(len(self)) for _ in range(-(-total // len(self)))])[:total]
        samples = np.zeros((total, 7), np.int64)
        samples[:, 0], samples[:, 6] = order, STEP_UNIT
        places = rng.random((total, 2))
        if self.data.augmentation != "none":
            samples[:, 3:6] = rng.integers(0, 2, (total, 3))
            if self.side[0] != self.side[1]:
                samples[:, 5] = 0
        if self._scales:
            samples[:, 6] = np.round(STEP_UNIT * LARGEST_SCALE ** rng.uniform(-1, 1, total))
        taken = np.ceil(np.outer(samples[:, 6] / STEP_UNIT, self.side))
        room = np.maximum(self.shapes.cpu().numpy()[order] - taken, 0)
        samples[:, 1:3] = (places * (room + 1)).astype(np.int64)
        return torch.from_numpy(samples.reshape(steps, batch_size, 7)).to(self.store)

    def batch(self, samples: Tensor) -> Batch:
        """The batch of one step: `samples` is a row of what `sample` gives."""
        image, top, left, mirror_rows, mirror_columns, transpose, step = (n.view(-1, 1, 1) for n in samples.unbind(1))
        i = torch.arange(self.side[0], device=self.store).view(1, -1, 1)
        j = torch.arange(self.side[1], device=self.store).view(1, 1, -1)
        i, j = torch.where(transpose > 0, j, i), torch.where(transpose > 0, i, j)
        i = torch.where(mirror_rows > 0, self.side[0] - 1 - i, i)
        j = torch.where(mirror_columns > 0, self.side[1] - 1 - j, j)
        if self._scales:
            i, j = _scaled(i, step), _scaled(j, step)
            pixels = self._interpolated(image, i + top, j + left)
            i, j = i.round().long(), j.round().long()
        index = self._index(image, i + top, j + left)
        flat = index.reshape(-1)
        if not self._scales:
            pixels = self.pixels.index_select(0, flat).view(*index.shape, -1)
        labels, distance = self.labels.index_select(0, flat), self.distance.index_select(0, flat)
        tables = self.neighbours[image.view(-1)]
        pixels, labels, distance, tables = (sent_to(self.device, each) for each in (pixels, labels, distance, tables))
        return Batch(
            images=pixels.permute(0, 3, 1, 2).float(),
            distance=distance.view(index.shape).float() / 255,
            labels=labels.view(index.shape).long(),
            neighbours=tables,
        )

    @property
    def _scales(self) -> bool:
        return self.data.augmentation == "flips+scaling"

    def _index(self, image: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """Where the pixels of some images stand, by row and column >= 0, reflected at the images' ends."""
        heights, widths = self.shapes[image].unbind(-1)
        return self.starts[image] + _reflected(i, heights) * widths + _reflected(j, widths)

    def _interpolated(self, image: Tensor, i: Tensor, j: Tensor) -> Tensor:
        """(B, S, T, C) pixels of images at rows and columns between pixels, bilinear."""
        top, left = i.floor(), j.floor()
        total = torch.zeros((), dtype=self.pixels.dtype, device=self.store)
        for rows, down in ((top, 1 - (i - top)), (top + 1, i - top)):
            for columns, along in ((left, 1 - (j - left)), (left + 1, j - left)):
                index = self._index(image, rows.long(), columns.long())
                values = self.pixels.index_select(0, index.reshape(-1)).view(*index.shape, -1)
                total = total + values * (down * along).unsqueeze(-1).to(values.dtype)
        return total


def _scaled(index: Tensor, step: Tensor) -> Tensor:
    """Place of each pixel centre of a crop in the image, where pixels are `step` units apart; >= 0."""
    return ((index + 0.5) * (step / STEP_UNIT) - 0.5).clamp(min=0)


def _reflected(index: Tensor, length: Tensor) -> Tensor:
    """`index` >= 0 folded into [0, length) by reflection at the last and first pixel."""
    last = (length - 1).clamp(min=1)
    return torch.minimum(last - (last - index % (2 * last)).abs(), length - 1)
