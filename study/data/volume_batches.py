"""Training volumes, kept where there is room; crops, flips and turns are index operations there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from study.data.batches import Batch, NetworkImage, check_channels
from study.data.flat import FlatArrays, memory_bound, parts_of
from study.data.settings import Data
from study.device import fits_on, sent_to
from study.errors import StudyError


class TrainingVolumes:
    """All training volumes, with the interface of `study.data.batches.TrainingImages`.

    Parameters
    ----------
    volumes : iterable of NetworkImage
        Not empty. Taken one by one.
    data : Data
        `crop_planes`, `crop_size` and `augmentation`.
    device : torch.device
    bound : int, optional

    Raises
    ------
    StudyError
        If a volume is smaller than a crop, or they differ in their number of channels; if there is no room on the disk.
    """

    def __init__(self, volumes: Iterable[NetworkImage], data: Data, device: torch.device, bound: int | None = None):
        self.data, self.device = data, device
        self.crop = (data.crop_planes, data.crop_size, data.crop_size)
        flat = FlatArrays(memory_bound() if bound is None else bound, pixels=np.float16, labels=np.int32)
        shapes: list[tuple[int, ...]] = []
        for volume in volumes:
            check_volume(volume, self.crop, "a training crop")
            check_channels(volume, shapes[0][-1] if shapes else volume.pixels.shape[-1])
            shapes.append(volume.pixels.shape)
            flat.append(pixels=volume.pixels, labels=volume.labels)
        fits = fits_on(device, flat.size)
        store = device if fits else torch.device("cpu")
        self.streams = not fits or (device.type == "cpu" and flat.on_disk)
        found = flat.arrays()
        pixels, labels = parts_of(found["pixels"], shapes), parts_of(found["labels"], [shape[:-1] for shape in shapes])
        self.pixels = [torch.from_numpy(array).movedim(-1, 0).to(store) for array in pixels]
        self.labels = [torch.from_numpy(array).to(store) for array in labels]

    @property
    def channels(self) -> int:
        """Channels of the volumes."""
        return self.pixels[0].shape[0]

    def __len__(self) -> int:
        return len(self.pixels)

    def sample(self, steps: int, batch_size: int, seed: int) -> Tensor:
        """What each step takes, at random, as a (steps, batch_size, 8) int64 tensor on the CPU.

        The eight are volume, plane, row and column of the crop, mirrored planes, rows and columns, transposition.
        """
        rng = np.random.default_rng([seed, 1])
        total = steps * batch_size
        samples = np.zeros((total, 8), np.int64)
        samples[:, 0] = np.arange(total) % len(self)
        sizes = np.array([labels.shape for labels in self.labels])[samples[:, 0]]
        samples[:, 1:4] = (rng.random((total, 3)) * (sizes - self.crop + 1)).astype(np.int64)
        if self.data.augmentation == "flips":
            samples[:, 4:] = rng.integers(0, 2, (total, 4))
        return torch.from_numpy(samples.reshape(steps, batch_size, 8))

    def batch(self, samples: Tensor) -> Batch:
        """The batch of one step: `samples` is a row of what `sample` gives. Unlabelled voxels are not valid."""
        crops = [self._crop(*place) for place in samples.tolist()]
        images, labels = (sent_to(self.device, torch.stack(parts)) for parts in zip(*crops, strict=True))
        none = images.new_zeros(0)
        return Batch(images.float(), none, labels.long(), none, valid=labels > 0)

    def _crop(self, volume: int, *place: int) -> tuple[Tensor, Tensor]:
        corner, flips, transpose = place[:3], place[3:6], place[6]
        block = tuple(slice(start, start + side) for start, side in zip(corner, self.crop, strict=True))
        pixels, labels = self.pixels[volume][:, *block], self.labels[volume][block]
        axes = [axis for axis, flipped in enumerate(flips) if flipped]
        pixels, labels = pixels.flip([axis + 1 for axis in axes]), labels.flip(axes)
        return (pixels.transpose(-2, -1), labels.transpose(-2, -1)) if transpose else (pixels, labels)


def check_volume(volume: NetworkImage, shape: tuple[int, ...], purpose: str) -> None:
    """Raise a StudyError if less than `shape`, which is needed for a purpose, fits into a volume."""
    if any(own < needed for own, needed in zip(volume.labels.shape, shape, strict=True)):
        sizes = [" x ".join(map(str, sides)) for sides in (volume.labels.shape, shape)]
        raise StudyError(
            f"the volume {volume.name} is too small: it has {sizes[0]} voxels, and {purpose} needs {sizes[1]}; give a "
            "larger volume or lower data.crop_planes, data.crop_size and network.depth"
        )
