"""Volumes of electron microscopy with their neurons: pairs in HDF5 files, or synthetic."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from study.data.dataset import SPLITS
from study.data.files.reading import as_image, as_labels
from study.data.sets.neurites import neurites
from study.errors import StudyError, unknown_name

VOLUMES = ("neurites", "volume")
RAW, LABELS = "raw", "labels"  # datasets of a file
_SYNTHETIC_SHAPES = {"train": (32, 192, 192), "val": (32, 128, 128), "test": (32, 128, 128)}
_SYNTHETIC_SEED = 2022  # beside the number of the split


@dataclass(frozen=True)
class Volume:
    """A stack of images with the instance labels of its voxels.

    Attributes
    ----------
    name : str
        Split, or file.
    raw : (P, M, N) array of uint8, uint16 or float32
        Planes, rows and columns; finite values.
    labels : (P, M, N) int32 array
        0 is unlabelled: such voxels are neither learned nor scored. Ids need not be consecutive.
    """

    name: str
    raw: np.ndarray
    labels: np.ndarray

    def planes(self, start: int, stop: int) -> Volume:
        """Some of the planes, the `stop`-th left out."""
        return Volume(f"{self.name}, planes {start} to {stop - 1}", self.raw[start:stop], self.labels[start:stop])

    def refuse_smaller(self, shape: Sequence[int], purpose: str) -> None:
        """Raise a StudyError if less than `shape`, which is needed for a purpose, fits into the volume."""
        if any(own < least for own, least in zip(self.raw.shape, shape, strict=True)):
            sizes = [" x ".join(map(str, sides)) for sides in (self.raw.shape, shape)]
            raise StudyError(
                f"{self.name} is too small: it has {sizes[0]} voxels, and {purpose} needs {sizes[1]}; "
                "give a larger volume or set data.crop_planes, data.crop_side and network.depth lower"
            )


@dataclass(frozen=True)
class VolumeSet:
    """The volumes of a data set.

    Attributes
    ----------
    name : str
        One of `VOLUMES`.
    splits : dict
        "train", "val" and "test" -> Volume.
    split_note : str
        Where the splits come from, in a few words.
    """

    name: str
    splits: dict[str, Volume]
    split_note: str

    def digest(self) -> str:
        """12 hexadecimal digits over all voxels and labels, wherever and however they are stored."""
        content = hashlib.sha256(self.name.encode())
        for volume in self.splits.values():
            for array in (volume.raw, volume.labels):
                content.update(f"{array.shape} {array.dtype}".encode())
                content.update(np.ascontiguousarray(array).data)
        return content.hexdigest()[:12]


def open_volumes(name: str, root: str = "", *, planes: int = 0, side: int = 0) -> VolumeSet:
    """Read a data set of volumes.

    Parameters
    ----------
    name : str
        `neurites` draws three volumes, each from a seed of its own. `volume` reads ``train.h5``, ``test.h5`` and, if it
        is there, ``val.h5``, each with the datasets ``raw`` and ``labels`` of (planes, rows, columns). Without
        ``val.h5`` the last quarter of the planes of ``train.h5`` is the validation volume.
    root : str
        Folder of the files.
    planes, side : int
        The first planes, and the first rows and columns of them, that are taken at most of each file or drawn; 0 is
        all.

    Raises
    ------
    StudyError
        If the name is unknown, a file or a dataset in it is missing, damaged or of another kind, or no voxel is
        labelled.
    """
    if name not in VOLUMES:
        raise unknown_name("data set of volumes", name, VOLUMES)
    if name == "neurites":
        splits = {split: _drawn(split, planes, side) for split in SPLITS}
        return VolumeSet(name, splits, "a synthetic volume drawn anew for each split")
    if not root or not Path(root).is_dir():
        told = f"data_root {root} is not a folder" if root else "data set volume needs data_root"
        raise StudyError(f"{told}: name the folder that holds train.h5 and test.h5")
    train, test = (_read(Path(root) / f"{split}.h5", planes, side) for split in ("train", "test"))
    if (Path(root) / "val.h5").exists():
        splits = {"train": train, "val": _read(Path(root) / "val.h5", planes, side), "test": test}
        return VolumeSet(name, splits, "a file for each split")
    count = len(train.raw)
    cut = count - max(1, count // 4)
    splits = {"train": train.planes(0, cut), "val": train.planes(cut, count), "test": test}
    for split in ("train", "val"):
        _refuse_unlabelled(splits[split])
    return VolumeSet(name, splits, f"the last {count - cut} of the {count} planes of train.h5 are validation")


def _drawn(split: str, planes: int, side: int) -> Volume:
    """The synthetic volume of a split."""
    depth, height, width = _SYNTHETIC_SHAPES[split]
    shape = (min(depth, planes or depth), min(height, side or height), min(width, side or width))
    return Volume(split, *neurites(np.random.default_rng((_SYNTHETIC_SEED, SPLITS.index(split))), shape))


def _read(path: Path, planes: int, side: int) -> Volume:
    """The volume in a file."""
    if not path.exists():
        raise StudyError(f"{path} is missing: data set volume needs train.h5 and test.h5 in data_root")
    taken = (slice(planes or None), slice(side or None), slice(side or None))
    try:
        with h5py.File(path) as file:
            raw, labels = (dataset[taken] for dataset in _datasets(file, path))
    except OSError as error:
        raise StudyError(f"cannot read {path}: replace the file, it is damaged or no HDF5 file") from error
    tall = (-1, raw.shape[2])  # planes below each other are an image, whose rules are those of a volume
    raw = as_image(raw.reshape(tall), f"{path}:{RAW}").reshape(raw.shape)
    labels = as_labels(labels.reshape(tall), f"{path}:{LABELS}").reshape(raw.shape)
    volume = Volume(str(path), raw, labels)
    _refuse_unlabelled(volume)
    return volume


def _datasets(file: h5py.File, path: Path) -> tuple[h5py.Dataset, ...]:
    """Both datasets of a file, once they are known to fit each other."""
    found = []
    for name in (RAW, LABELS):
        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise StudyError(f"{path} has no dataset {name}: it should hold {RAW} and {LABELS}")
        if dataset.ndim != 3 or not dataset.size:
            raise StudyError(f"{path}:{name} has shape {dataset.shape}: save it as (planes, rows, columns)")
        found.append(dataset)
    if found[0].shape != found[1].shape:
        raise StudyError(
            f"{path}: {RAW} has shape {found[0].shape} but {LABELS} has {found[1].shape}; mend or replace the file"
        )
    return tuple(found)


def _refuse_unlabelled(volume: Volume) -> None:
    if not volume.labels.any():
        raise StudyError(f"{volume.name} has no labelled voxel: {LABELS} should hold an id above 0 for each neuron")
