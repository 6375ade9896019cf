"""Results of other software: its label images are scored like our own, as a run next to ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from study import figures, tracking
from study.data import Dataset, Record, Sample
from study.data.files.label_files import FoundLabels, find_labels
from study.data.settings import Data
from study.data.targets import relabel_sequential
from study.errors import StudyError, unknown_name
from study.evaluation import in_words
from study.files import given_path
from study.metrics import scores
from study.runs.gallery import IMAGES, GalleryImage, extremes, gallery_image
from study.runs.monitor import PICTURES
from study.runs.pipeline import log_dataset
from study.runs.resources import opened
from study.runs.scoring import log_split
from study.settings import Settings

FOREGROUNDS = {
    "truth": "labels outside of the true foreground are dropped",
    "none": "labels are taken as they are",
}
CHOOSING = (  # settings that say which images there are
    "data.name",
    "data.root",
    "data.subsets",
    "data.test_subsets",
    "data.all_test",
    "data.images",
    "data.split_seed",
)


def import_labels(name: str, labels: str, split: str, foreground: str, changes: dict[str, str]) -> None:
    """Score label images that other software has made, at the images' own size, and log them as a run.

    Everything is read and scored before the run is started.

    Parameters
    ----------
    name : str
        Of the software.
    labels : str
        Folder or HDF5 file, see `study.data.files.label_files.find_labels`.
    split : str
        train, val or test.
    foreground : str
        truth drops labels outside of the true foreground, none takes them as they are; auto is truth where the data
        set gives the true foreground of test images, as it is for our own runs.
    changes : dict
        Settings of `CHOOSING`, by dotted name.

    Raises
    ------
    StudyError
        If the labels of an image are missing, doubled, unreadable, of another size or no whole numbers; if an option
        is empty or unknown, or a setting does not bear on which images there are.
    """
    if not name.strip():
        raise StudyError("--name is empty: give the name of the software, such as StarDist")
    if not labels.strip():
        raise StudyError("--labels is empty: give the folder with the label images, or an HDF5 file")
    data, name = _data(changes), name.strip()
    experiment, dataset = tracking.connect(), opened(data)
    foreground = _foreground(foreground, dataset)
    records = dataset.records(split, "score labels on")
    found = find_labels(given_path(labels), records)
    table, pictures, shown = _scored(found, records, foreground == "truth")
    digest = dataset.digest()
    note = (
        f"Labels made by {name}, scored on the {len(records)} {split} images of {dataset.name} "
        f"({dataset.split_note}) at their original size. Foreground: {foreground}, that is, {FOREGROUNDS[foreground]}."
    )
    tags = {"imported": name, "dataset": dataset.name, "split": split, "split_note": dataset.split_note}
    run = tracking.start_run(experiment, f"{name} (imported), {split}", note, tags | {"foreground": foreground})
    with tracking.working_on(run):
        log_dataset(run, dataset, digest, data.root)
        log_split(run, split, 0, table, pictures, shown if split == "test" else [])
    if found.skipped:
        tqdm.write(f"{found.skipped} others in {labels} are of no {split} image and are skipped")
    tqdm.write(f"{in_words(table, split)}; foreground: {foreground}")


def _data(changes: dict[str, str]) -> Data:
    for setting in changes:
        if setting not in CHOOSING and setting in Settings().flat():
            raise StudyError(
                f"{setting} has no effect on labels that are there: --set takes {', '.join(CHOOSING[2:])} here"
            )
    return Settings().with_(changes).data


def _foreground(wanted: str, dataset: Dataset) -> str:
    if wanted not in ("auto", *FOREGROUNDS):
        raise unknown_name("value of --foreground", wanted, ("auto", *FOREGROUNDS))
    if wanted == "auto":
        return "truth" if dataset.foreground_given else "none"
    return wanted


class _Scored(NamedTuple):
    """Table and images as `study.runs.scoring.log_split` takes them."""

    table: pd.DataFrame
    pictures: list[np.ndarray]
    shown: list[GalleryImage]


def _scored(found: FoundLabels, records: Sequence[Record], within_truth: bool) -> _Scored:
    rows, pictures, shown = [], [], []
    for record in records:
        sample, true, labels = _read(found, record, within_truth)
        rows.append({"image": sample.name, **scores(true, labels), "neighbour_angle": np.nan, "distinct_axes": np.nan})
        if len(pictures) < PICTURES:
            pictures.append(figures.panel(sample.image, true, None, None, labels))
        if len(shown) < IMAGES:
            shown.append(gallery_image(sample.name, sample.image, true, labels))
    table = pd.DataFrame(rows)
    own = extremes(table)
    for record in (
        record for record in records[IMAGES:] if record.name in own
    ):  # read again: all would fill the memory
        sample, true, labels = _read(found, record, within_truth)
        shown.append(gallery_image(sample.name, sample.image, true, labels))
    return _Scored(table, pictures, shown)


def _read(found: FoundLabels, record: Record, within_truth: bool) -> tuple[Sample, np.ndarray, np.ndarray]:
    """An image with its true labels and those that were found, ids 1, 2, ..."""
    sample = record.load()
    true, labels = relabel_sequential(sample.labels), relabel_sequential(found.read(sample))
    return sample, true, np.where(true > 0, labels, 0) if within_truth else labels
