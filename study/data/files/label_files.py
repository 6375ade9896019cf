"""Labels that other software has made: a folder of label images, or one HDF5 file -> labels of each image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from study.data.dataset import Record, Sample
from study.data.files.names import composed, stem_of
from study.data.files.reading import SUFFIXES, as_labels, read_hdf5, read_labels, reading_hdf5
from study.errors import StudyError

HDF5_SUFFIXES = (".h5", ".hdf5")
ENDINGS = ("_label", "_labels", "_mask", "_masks", "_cp_masks")  # that software puts behind the name of an image
_NAMED = 3  # missing images that a sentence names


class _Place(NamedTuple):
    file: Path
    dataset: str = ""  # in an HDF5 file; empty: the one that holds labels


@dataclass(frozen=True)
class FoundLabels:
    """Labels of the images of a split, read when they are asked for."""

    places: Mapping[str, _Place]  # by the name of the image
    skipped: int  # other files, or datasets called label, that belong to no image of the split

    def read(self, sample: Sample) -> np.ndarray:
        """(M, N) int32 labels of an image.

        Raises
        ------
        StudyError
            If the file is unreadable, its labels are no ids (see `as_labels`), or they are not of the image's size.
        """
        file, dataset = self.places[sample.name]
        if file.suffix.lower() in HDF5_SUFFIXES:
            dataset = dataset or _dataset_of_labels(file)
            labels = as_labels(read_hdf5(file, dataset), f"{file}:{dataset}")
        else:
            labels = read_labels(file)
        if labels.shape != sample.labels.shape:
            sizes = ["{} x {} px".format(*array.shape) for array in (labels, sample.labels)]
            raise StudyError(
                f"{file} has labels of {sizes[0]}, but image {sample.name} has {sizes[1]}: save them at its size"
            )
        return labels


def find_labels(source: Path, records: Sequence[Record]) -> FoundLabels:
    """Find the labels of every image of a split.

    A folder, or a folder in it, holds a PNG, TIFF or HDF5 file per image: ``A1/plant003.png`` for the image
    ``A1/plant003``, or ``plant003.png`` in `source` itself where no other image of the split is called so. One of
    `ENDINGS` may follow. A file may also have the name of the image's file (``A1/plant003_rgb_cp_masks.png``), whereas
    the images themselves are not taken for labels. An HDF5 file holds a dataset ``A1/plant003/label`` per image, as in
    a submission to the leaf challenge.

    Parameters
    ----------
    source : Path
        Folder or HDF5 file.
    records : sequence of Record
        Images of the split; not empty.

    Raises
    ------
    StudyError
        If `source` is neither, is empty or unreadable, or an image has no labels or several.
    """
    if source.is_dir():
        files = _label_images(source, records)
        keys = _names_by_key(records)
        owners = [(_image_of(file.relative_to(source), keys), file) for file in files]
        places = {}
        for name, file in owners:
            if name in places:
                raise StudyError(f"{places[name].file} and {file} are both labels of {name}: remove one of them")
            if name is not None:
                places[name] = _Place(file)
        example, count = f"{records[0].name}.png or {records[0].name}_label.png", len(files)
    elif source.suffix.lower() in HDF5_SUFFIXES:
        there = [name.removesuffix("/label") for name in _datasets(source) if name.endswith("/label")]
        wanted = {record.name for record in records}
        places = {name: _Place(source, f"{name}/label") for name in there if name in wanted}
        example, count = f"{records[0].name}/label", len(there)
    else:
        raise StudyError(f"--labels: {source} is neither a folder nor an HDF5 file (.h5, .hdf5): give one of them")
    missing = [record.name for record in records if record.name not in places]
    if missing:
        names = ", ".join(missing[:_NAMED]) + (", …" if len(missing) > _NAMED else "")
        raise StudyError(
            f"{source} has no labels of {len(missing)} of {len(records)} images ({names}): add them, named like the "
            f"images, such as {example}"
        )
    return FoundLabels(places, count - len(places))


def _label_images(folder: Path, records: Sequence[Record]) -> list[Path]:
    """PNG, TIFF and HDF5 files below a folder, but for hidden ones and the images of the records themselves."""
    images = {record.files[0].resolve() for record in records if record.files}
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in (*SUFFIXES, *HDF5_SUFFIXES)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and path.resolve() not in images
    ]
    if not files:
        raise StudyError(f"{folder} holds no label image (PNG, TIFF or HDF5): point --labels at the folder with them")
    return files


def _names_by_key(records: Sequence[Record]) -> dict[str, set[str]]:
    """The end of a path, without suffix -> names of the images whose labels a file may be that ends so.

    A key that begins with / is a whole path, from the folder of the labels: ``plant003`` in a folder ``A2`` is no
    leaf of A1.
    """
    keys: dict[str, set[str]] = {}
    for record in records:
        folder, slash, stem = composed(record.name).rpartition("/")
        for own in {composed(stem), stem_of(record.files[0])} if record.files else {composed(stem)}:
            for key in (f"{folder}{slash}{own}", f"/{own}"):
                keys.setdefault(key, set()).add(record.name)
    return keys


def _image_of(path: Path, keys: Mapping[str, set[str]]) -> str | None:
    """Name of the image whose labels a file is, from its path below the folder; None where there is none, or several.

    An image may itself be called cell_mask: endings are cut off only where the whole stem is no image's.
    """
    own = stem_of(path)
    for stem in (own, *(own.removesuffix(end) for end in ENDINGS if own.endswith(end))):
        parts = ("", *map(composed, path.parts[:-1]), stem)
        for k in range(len(parts)):
            names = keys.get("/".join(parts[k:]), ())
            if len(names) == 1:
                return next(iter(names))
    return None


def _dataset_of_labels(file: Path) -> str:
    """The dataset with the labels in an HDF5 file of one image: the one called so, or the only 2-D one of integers."""
    datasets = _datasets(file)
    called = [name for name in datasets if f"_{name.rpartition('/')[2]}" in ENDINGS]
    integer = [name for name, (dimensions, kind) in datasets.items() if dimensions == 2 and kind in "iu"]
    for candidates in (called, integer):
        if len(candidates) == 1:
            return candidates[0]
    raise StudyError(
        f"{file} has {len(called)} datasets called label and {len(integer)} 2-D ones of whole numbers: keep one in it, "
        "called label"
    )


def _datasets(file: Path) -> dict[str, tuple[int, str]]:
    """Datasets of an HDF5 file: name -> number of dimensions and kind of its type, as numpy's.

    A last dimension of one channel, as ilastik writes it, does not count.
    """
    found: dict[str, tuple[int, str]] = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item.ndim - (item.ndim == 3 and item.shape[-1] == 1), item.dtype.kind

    with reading_hdf5(file) as opened:
        opened.visititems(note)
    return found
