"""Labels of the test images of the leaf segmentation challenge, in the HDF5 file that its server scores.

What the server's program does with a file (the organisers' Python script, of which groups published copies): it reads
``answer.h5`` from the uploaded zip file; takes zeros where a label is missing; gives 0 to labels of another size than
the image; takes the lowest id as background; counts every number up to the largest one as an object, gaps too; and
fails on floats. It says nothing of this to whoever uploads, so that it is checked here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
from tqdm import tqdm

from study.data.files.label_files import HDF5_SUFFIXES
from study.data.files.reading import read_hdf5, read_hdf5_text, reading_hdf5
from study.data.sets.cvppp import subset_names
from study.data.sets.cvppp_test import Plant, entries, list_plants
from study.data.targets import relabel_sequential
from study.errors import StudyError, unknown_name
from study.files import check_writable, given_path, write_atomically

MOST_OBJECTS = 255  # of an image, in uint8
_MAX_LISTED = 3  # images that a defect names


def submit(model: Callable[..., np.ndarray], images: Path, out: Path, *, subsets: str = "") -> int:
    """Label the test images of CVPPP2017 and write them as a submission to the challenge on CodaLab.

    The official foreground, where the file holds it, is given to the model, and applied to what it returns. The file
    appears when it is whole, in place of an older one. It is then read again and checked (`check_submission`);
    defects are printed, and a sentence on what it holds.

    Parameters
    ----------
    model : callable
        ``model(image, foreground=mask)`` gives (M, N) integer labels, 0 = background, of an (M, N, C) image, see
        `study.data.files.reading.as_image`; the mask is (M, N) bool or None.
    images : Path
        ``CVPPP2017_testing_images.h5`` or the folder that holds it.
    out : Path
        File to write, ending in .h5 or .hdf5; its folder is made.
    subsets : str
        Those to label, such as ``A1+A4``; images of others are submitted without objects. Empty: all.

    Returns
    -------
    int
        The number of defects; the exit status is 1 where it is not 0.

    Raises
    ------
    StudyError
        If an image is damaged or has more than 255 objects, `subsets` are not in the file, or `out` cannot be
        written. An older file is then left as it was.
    """
    plants, out = list_plants(images), given_path(out)
    chosen = _chosen(plants, subsets)
    _check_name(out, plants[0].file)
    check_writable(out.parent)
    bar = tqdm(plants, desc="submit", unit="image", disable=None, leave=False, dynamic_ncols=True)
    # all in memory, a byte for each pixel, so that a fault of the model is not taken for one of the disk
    labels = [_labels(model, plant) if plant.subset in chosen else np.zeros(plant.size, np.uint8) for plant in bar]
    with write_atomically(out) as partial, h5py.File(partial, "w") as file:
        for plant, ids in zip(plants, labels, strict=True):
            file.create_dataset(f"{plant.name}/label", data=ids, compression="gzip")
            file[f"{plant.name}/label_filename"] = plant.label_filename
    defects = check_submission(out, images)
    for defect in defects:
        tqdm.write(f"defect: {defect}")
    tqdm.write(_in_words(out, plants, chosen, [int(ids.max()) for ids in labels]))
    return len(defects)


def check_submission(submission: Path, images: Path) -> list[str]:
    """What is wrong with a submission, whoever wrote it: a sentence for each kind of defect, none if it is sound.

    Defects are labels that are missing, of no test image, unreadable, of another type than uint8 or of another size
    than the image; ids with gaps, an image without background, objects outside of the official foreground; and a
    `label_filename` that is missing or not the image's.

    Parameters
    ----------
    submission : Path
        HDF5 file.
    images : Path
        ``CVPPP2017_testing_images.h5`` or the folder that holds it.

    Raises
    ------
    StudyError
        If one of the files cannot be opened, or `images` is not the challenge's.
    """
    plants, submission = list_plants(images), given_path(submission)
    names = {plant.name for plant in plants}
    found: dict[str, list[str]] = {}  # fault -> where
    unreadable = []
    if others := [name for name in entries(submission) if name not in names]:
        found[f"no test image of {plants[0].file.name}; remove it"] = others
    for plant in plants:
        try:
            for fault in _faults(submission, plant):
                found.setdefault(fault, []).append(plant.name)
        except StudyError as error:
            unreadable.append(str(error))
    return [f"{submission}, {_listed(where)}: {fault}" for fault, where in found.items()] + unreadable


def _chosen(plants: Sequence[Plant], subsets: str) -> set[str]:
    known = {plant.subset for plant in plants}
    names = subset_names(subsets)
    for name in names:
        if name not in known:
            raise unknown_name("subset of the test images", name, known)
    return set(names) or known


def _check_name(out: Path, images: Path) -> None:
    """Raise a StudyError for a name that is no submission's, before the model works for an hour."""
    if out.suffix.lower() not in HDF5_SUFFIXES or out.is_dir():
        example = out / "answer.h5" if out.is_dir() else out.with_suffix(".h5")
        raise StudyError(f"cannot write {out}: name an HDF5 file, such as {example}")
    if out.is_file() and out.samefile(images):
        raise StudyError(f"cannot write {out}, which holds the test images: name another file")


def _labels(model: Callable[..., np.ndarray], plant: Plant) -> np.ndarray:
    """(M, N) uint8 labels of a test image, ids 1, ..., K."""
    foreground = plant.foreground()
    labels = model(plant.image(), foreground=foreground)
    if foreground is not None:
        labels = np.where(foreground, labels, 0)
    labels = relabel_sequential(labels)
    if labels.max() > MOST_OBJECTS:
        raise StudyError(
            f"the model finds {labels.max()} objects in {plant.name} of {plant.file}, but a submission holds at most "
            f"{MOST_OBJECTS} (uint8): take another model, or choose other subsets"
        )
    return labels.astype(np.uint8)


def _in_words(out: Path, plants: Sequence[Plant], chosen: set[str], counts: Sequence[int]) -> str:
    parts = []
    for subset in dict.fromkeys(plant.subset for plant in plants):
        objects = [count for plant, count in zip(plants, counts, strict=True) if plant.subset == subset]
        parts.append(f"{subset}: {len(objects)} with {sum(objects) if subset in chosen else 'none, left out'}")
    return (
        f"{out} holds {len(plants)} images with {sum(counts)} objects ({'; '.join(parts)}); "
        "to upload it, put it as answer.h5 into a zip file, without a folder"
    )


def _faults(submission: Path, plant: Plant) -> Iterator[str]:
    """What is wrong with the labels of one image, in words that are equal for equal faults."""
    with reading_hdf5(submission) as file:
        label, filename = (
            isinstance(file.get(f"{plant.name}/{leaf}"), h5py.Dataset) for leaf in ("label", "label_filename")
        )
    if not label:
        yield "no label, which is scored as zeros; add it, zeros where nothing was found"
        return
    if not filename:
        yield "no label_filename; write the one of the image, such as plant003_label.png"
    elif (text := read_hdf5_text(submission, f"{plant.name}/label_filename")) != plant.label_filename:
        yield f"label_filename is {text}; write {plant.label_filename}"
    labels = read_hdf5(submission, f"{plant.name}/label")
    if labels.dtype != np.uint8:
        yield f"label of type {labels.dtype}; save it as uint8"
    if labels.shape != plant.size:
        yield f"label of shape {labels.shape}, image of {plant.size}, which is scored 0; save it at the image's size"
    elif labels.dtype.kind in "biu":
        yield from _faults_of_ids(labels, plant.foreground())


def _faults_of_ids(labels: np.ndarray, foreground: np.ndarray | None) -> Iterator[str]:
    ids = np.unique(labels)
    if ids[0] != 0:
        yield f"no background: the lowest id, {ids[0]}, is taken for it; set at least one pixel to 0"
    elif ids[-1] >= len(ids):
        count = len(ids) - 1
        yield f"{count} objects with ids up to {ids[-1]}, scored as {ids[-1]} objects; number them from 1 to {count}"
    if foreground is not None and (outside := np.count_nonzero(labels[~foreground])):
        yield f"{outside} px of objects outside of fg, the official foreground; set them to 0"


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{len(names)} images ({', '.join(names[:_MAX_LISTED])}{', …' if len(names) > _MAX_LISTED else ''})"
