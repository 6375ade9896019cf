"""Volumes of electron microscopy with their neurons: pairs in HDF5 files, or synthetic.

Of a volume, 0 is no background but unlabelled: such voxels are neither learned nor scored.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from study.data.dataset import SPLITS, Dataset, Record
from study.data.files.pairs import root_of
from study.data.files.reading import as_image, as_labels, reading_hdf5
from study.data.sets.neurites import neurites
from study.data.settings import Data
from study.errors import StudyError

RAW, LABELS = "raw", "labels"  # datasets of a file
GENERATOR_VERSION = 1  # raise it with every change of the voxels
_SHAPES = {"train": (32, 192, 192), "val": (32, 128, 128), "test": (32, 128, 128)}
_SEED = 2022  # together with the number of the split

Arrays = tuple[np.ndarray, np.ndarray]  # raw (P, M, N, 1) and labels (P, M, N), see `study.data.Sample`


def open_neurites(data: Data) -> Dataset:
    """A synthetic volume for each split, from a seed of its own, cut to the first `planes` and `side` where not 0."""
    splits = {}
    for index, split in enumerate(SPLITS):
        shape = _cut(_SHAPES[split], data)
        splits[split] = (Record(split, partial(_sampled, (_SEED, index), shape)),)
    generator = f"version {GENERATOR_VERSION}, {[_cut(_SHAPES[split], data) for split in SPLITS]}"
    return Dataset(data.name, splits, False, "a synthetic volume sampled anew for each split", generator=generator)


def open_volume(data: Data) -> Dataset:
    """``train.h5``, ``test.h5`` and maybe ``val.h5``, each with ``raw`` and ``labels`` of (planes, rows, columns).

    Without ``val.h5`` the last quarter of the planes of ``train.h5`` is the validation volume. Of each file the first
    `planes`, and the first `side` rows and columns, are taken where these are not 0.

    Raises
    ------
    StudyError
        If a file or a dataset in it is missing, damaged or of another kind.
    """
    root = root_of(data, "train.h5 and test.h5")
    files = {split: root / f"{split}.h5" for split in SPLITS}
    planes = _cut(_shape(files["train"]), data)[0]
    if files["val"].exists():
        ranges = dict.fromkeys(SPLITS, slice(None))
        note = "a file for each split"
    else:
        files["val"] = files["train"]
        if planes < 2:
            raise StudyError(
                f"{files['train']} has one plane, which cannot be both for training and for validation: add planes, or "
                "val.h5"
            )
        cut = planes - max(1, planes // 4)
        ranges = {"train": slice(0, cut), "val": slice(cut, planes), "test": slice(None)}
        note = f"the last {planes - cut} of the {planes} planes of train.h5 are validation"
    splits = {
        split: (Record(split, partial(_read, files[split], data, ranges[split]), (files[split],)),) for split in SPLITS
    }
    return Dataset(data.name, splits, False, note)


def _cut(shape: tuple[int, ...], data: Data) -> tuple[int, int, int]:
    """A shape with no more than the wanted planes, rows and columns."""
    depth, height, width = shape
    return min(depth, data.planes or depth), min(height, data.side or height), min(width, data.side or width)


def _sampled(seed: tuple[int, ...], shape: tuple[int, int, int]) -> Arrays:
    raw, labels = neurites(np.random.default_rng(seed), shape)
    return raw[..., None], labels


def _shape(path: Path) -> tuple[int, ...]:
    with _volume_file(path) as file:
        return _datasets(file, path)[0].shape


def _read(path: Path, data: Data, planes: slice) -> Arrays:
    """Some planes of the volume in a file, from the part of it that is wanted."""
    with _volume_file(path) as file:
        both = _datasets(file, path)
        depth, height, width = _cut(both[0].shape, data)
        raw, labels = (dataset[:depth, :height, :width][planes] for dataset in both)
    tall = (-1, raw.shape[2])  # planes below each other are an image, whose rules are those of a volume
    image = as_image(raw.reshape(tall), f"{path}:{RAW}").reshape(*raw.shape, 1)
    labels = as_labels(labels.reshape(tall), f"{path}:{LABELS}").reshape(raw.shape)
    if not labels.any():
        first, last, _ = planes.indices(depth)
        raise StudyError(
            f"{path}, planes {first} to {last - 1}, has no labelled voxel: {LABELS} should hold an id above 0 for each "
            "neuron"
        )
    return image, labels


def _volume_file(path: Path) -> AbstractContextManager[h5py.File]:
    if not path.exists():
        raise StudyError(f"{path} is missing: data set volume needs train.h5 and test.h5 in data_root")
    return reading_hdf5(path)


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
            f"{path}: {RAW} has shape {found[0].shape} but {LABELS} has {found[1].shape}; fix or replace the file"
        )
    return tuple(found)
