"""CVPPP2017 leaf segmentation: PNG files or CodaLab's HDF5 files, subsets A1 to A5."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import h5py
import numpy as np

from study.data.dataset import SEEDED_NOTE, SPLITS, Dataset, Record, draw, seeded_splits
from study.data.files.pairs import folder_in, keyed, paired, root_of
from study.data.files.reading import as_image, as_labels, read_hdf5, reading_hdf5
from study.data.settings import Data
from study.errors import StudyError

IMAGES_FILE = "CVPPP2017_training_images.h5"
TRUTH_FILE = "CVPPP2017_training_truth.h5"

# The A1 plants on which Huang et al. 2022 (pixel-embedded affinity) validate: the test labels are not public.
A1_TEST = tuple(
    f"A1/plant{n:03d}" for n in (2, 16, 29, 37, 45, 46, 55, 61, 72, 80, 88, 99, 104, 108, 115, 127, 130, 142, 148, 159)
)
A1_VAL_SEED = 2020
A1_VAL_SHARE = 16 / 108


def open_cvppp2017(data: Data) -> Dataset:
    """CVPPP2017 from a folder with ``A1/plant001_rgb.png`` and ``A1/plant001_label.png``, or with the HDF5 files.

    Of A1, the 20 validation plants of Huang et al. 2022 are the test split and 16 of the other 108, by a fixed seed,
    the validation split; the other subsets are split by `data.split_seed`. Names are ``A1/plant001``. With
    `data.subsets` = `all`, whichever of A1 to A5 are there are taken. `data.test_subsets` names other subsets, all of
    whose images are test images in place of the others. The files do not say which images show the same plant, so
    there are no groups.

    Raises
    ------
    StudyError
        If a subset is not there or a file's structure is not the challenge's.
    """
    root = root_of(data, f"A1/ or {IMAGES_FILE}")
    subsets = subset_names(data.subsets)
    if data.subsets == "all":
        subsets = _present(root)
    if not subsets:
        raise StudyError("setting data.subsets is empty: name at least one subset, such as A1+A2")
    splits: dict[str, tuple[Record, ...]] = dict.fromkeys(SPLITS, ())
    notes = []
    for subset in subsets:
        records = _records(root, subset)
        parts, note = _split_a1(records) if subset == "A1" else ({}, "")
        if not parts:
            parts, note = seeded_splits(records, data.split_seed), f"{subset}: {SEEDED_NOTE.format(data.split_seed)}"
        splits = {split: splits[split] + parts[split] for split in SPLITS}
        notes.append(note)
    if data.test_subsets:
        splits, notes = _tested_on(root, data, subsets, splits, notes)
    return Dataset(data.name, splits, foreground_given=True, split_note="; ".join(notes))


def subset_names(text: str) -> list[str]:
    """A1 and A2 of ``A1 + A2``, each once."""
    return list(dict.fromkeys(filter(None, (part.strip() for part in text.split("+")))))


def read_rgb(file: Path, name: str) -> np.ndarray:
    """(M, N, C) image ``A1/plant001`` of one of the challenge's HDF5 files, see `study.data.files.reading.as_image`."""
    return as_image(read_hdf5(file, f"{name}/rgb"), f"{file}:{name}/rgb")


def _tested_on(
    root: Path, data: Data, subsets: Iterable[str], splits: dict[str, tuple[Record, ...]], notes: list[str]
) -> tuple[dict[str, tuple[Record, ...]], list[str]]:
    """Splits whose test images are all those of other subsets, and the notes on them."""
    others = subset_names(data.test_subsets)
    if both := [subset for subset in others if subset in subsets]:
        raise StudyError(
            f"setting data.test_subsets names {'+'.join(both)}, as data.subsets does: name others than are trained on"
        )
    test = tuple(record for subset in others for record in _records(root, subset))
    return splits | {"test": test}, [*notes, f"test images are instead all of {'+'.join(others)}"]


def _present(root: Path) -> list[str]:
    """Those of A1 to A5 that have a folder or, in the HDF5 file of the images, a group."""
    names = [f"A{n}" for n in range(1, 6)]
    found = [name for name in names if (root / name).is_dir()]
    if not found and (root / IMAGES_FILE).exists():
        with _hdf5(root / IMAGES_FILE) as file:
            found = [name for name in names if name in file]
    if not found:
        raise StudyError(f"{root} holds none of the subsets {', '.join(names)}, nor {IMAGES_FILE}: check data_root")
    return found


def _split_a1(records: tuple[Record, ...]) -> tuple[dict[str, tuple[Record, ...]], str]:
    """The fixed split of A1 and its note; nothing if none of the test plants is there or no other is."""
    test = tuple(record for record in records if record.name in A1_TEST)
    others = tuple(record for record in records if record.name not in A1_TEST)
    if not test or not others:
        return {}, ""
    val, train = draw(others, A1_VAL_SEED, A1_VAL_SHARE)
    which = "the" if len(test) == len(A1_TEST) else f"{len(test)} (the rest is missing here) of the"
    note = (
        f"A1: {which} 20 validation plants of Huang et al. 2022 are test, "
        f"{len(val)} of the other {len(others)} validation, drawn by seed {A1_VAL_SEED}"
    )
    return {"train": train, "val": val, "test": test}, note


def _records(root: Path, subset: str) -> tuple[Record, ...]:
    if not (root / subset).is_dir() and (root / IMAGES_FILE).exists():
        return _hdf5_records(root / IMAGES_FILE, root / TRUTH_FILE, subset)
    folder = folder_in(root, subset)
    images, labels = (keyed(folder, partial(_plant, kind)) for kind in ("rgb", "label"))
    return paired(images, labels, (folder, folder), prefix=f"{subset}/")


def _plant(kind: str, path: Path) -> str | None:
    """``plant001`` of plant001_rgb.png."""
    match = re.fullmatch(f"(.+)_{kind}", path.stem)
    return match and match[1]


def _hdf5_records(images: Path, truth: Path, subset: str) -> tuple[Record, ...]:
    with _hdf5(images) as image_file, _hdf5(truth) as truth_file:
        listed = {}
        for path, file, leaf in ((images, image_file, "rgb"), (truth, truth_file, "label")):
            group = file.get(subset)
            if not isinstance(group, h5py.Group):
                raise StudyError(f"{path} has no group {subset}: data.subsets may name {'+'.join(file)}")
            listed[path] = {plant for plant in group if f"{plant}/{leaf}" in group}
    records = []
    for plant in sorted(listed[images] | listed[truth]):
        missing = next((f"{path} has no {subset}/{plant}" for path in listed if plant not in listed[path]), "")
        fault = f"{missing}, of which {images.name} and {truth.name} should hold rgb and label" if missing else ""
        name = f"{subset}/{plant}"
        read, read_image = partial(_read_hdf5, images, truth, name), partial(read_rgb, images, name)
        records.append(Record(name, read, (images, truth), fault, read_image))
    return tuple(records)


def _read_hdf5(images: Path, truth: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    return read_rgb(images, name), as_labels(read_hdf5(truth, f"{name}/label"), f"{truth}:{name}/label")


def _hdf5(path: Path) -> AbstractContextManager[h5py.File]:
    if not path.exists():
        other = IMAGES_FILE if path.name == TRUTH_FILE else TRUTH_FILE
        raise StudyError(f"{path} is missing: put it next to {other}")
    return reading_hdf5(path)
