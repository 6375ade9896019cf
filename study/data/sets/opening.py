"""The keys of the data sets, and how one is opened."""

from __future__ import annotations

from collections.abc import Callable

from study.data.dataset import Dataset
from study.data.sets.cvppp import open_cvppp2017
from study.data.sets.folder import open_folder
from study.data.sets.nuclei import open_bbbc006, open_bbbc039, open_dsb2018
from study.data.sets.synthetic import open_synthetic
from study.data.sets.volumes import open_neurites, open_volume
from study.data.settings import Data
from study.errors import StudyError, unknown_name

IMAGES: dict[str, Callable[[Data], Dataset]] = {
    "synthetic-leaves": open_synthetic,
    "synthetic-cells": open_synthetic,
    "cvppp2017": open_cvppp2017,
    "bbbc006": open_bbbc006,
    "bbbc039": open_bbbc039,
    "dsb2018": open_dsb2018,
    "folder": open_folder,
}
VOLUMES: dict[str, Callable[[Data], Dataset]] = {"neurites": open_neurites, "volume": open_volume}
DATASETS = IMAGES | VOLUMES


def open_dataset(data: Data) -> Dataset:
    """Open a data set: files are listed, not decoded (BBBC006 decodes its labels, to leave out empty images).

    Parameters
    ----------
    data : Data
        `name` is a key of `DATASETS`; with `all_test`, all images are test images; at most `images` records of each
        split are kept, evenly spread, if not 0.

    Raises
    ------
    StudyError
        If the key is unknown, the folder is not of its layout, or may not be read.
    """
    if data.name not in DATASETS:
        raise unknown_name("data set", data.name, DATASETS)
    try:
        dataset = DATASETS[data.name](data)
    except OSError as error:
        raise StudyError(
            f"cannot read {error.filename} ({error.strerror}): give yourself the right to read it, or check its disk"
        ) from error
    if data.all_test:
        dataset = dataset.as_test_images()
    return dataset.limited(data.images)
