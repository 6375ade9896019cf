"""The test images of CVPPP2017, whose labels are not public: CodaLab's HDF5 file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import h5py
import numpy as np

from study.data.files.reading import as_labels, read_hdf5, read_hdf5_text, reading_hdf5
from study.data.sets.cvppp import read_rgb
from study.errors import StudyError
from study.files import given_path

TEST_FILE = "CVPPP2017_testing_images.h5"


@dataclass(frozen=True)
class Plant:
    """A test image, read when it is asked for."""

    file: Path  # HDF5 file that holds it
    name: str  # ``A1/plant003``
    size: tuple[int, int]  # (rows, columns)
    label_filename: str  # what a submission calls its labels: ``plant003_label.png``, from the name of the image's file
    foreground_given: bool  # whether the file holds the true foreground, `fg`

    @property
    def subset(self) -> str:
        """A1, ..., A5."""
        return self.name.partition("/")[0]

    def image(self) -> np.ndarray:
        """(M, N, C) image, see `study.data.files.reading.as_image`; a StudyError if it is damaged."""
        return read_rgb(self.file, self.name)

    def foreground(self) -> np.ndarray | None:
        """(M, N) bool, True on the plant; None where the file does not give it.

        Raises
        ------
        StudyError
            If it is damaged or not of the image's size.
        """
        if not self.foreground_given:
            return None
        source = f"{self.file}:{self.name}/fg"
        foreground = as_labels(read_hdf5(self.file, f"{self.name}/fg"), source) > 0
        if foreground.shape != self.size:
            sizes = ["{} x {} px".format(*size) for size in (foreground.shape, self.size)]
            raise StudyError(f"{source} has {sizes[0]} but the image has {sizes[1]}: replace the file, it is damaged")
        return foreground


def list_plants(images: Path) -> list[Plant]:
    """All test images of ``CVPPP2017_testing_images.h5``, given as `images` or in that folder, in the file's order.

    Raises
    ------
    StudyError
        If the file is missing, damaged or another, or an image is missing in it.
    """
    images = given_path(images)
    file = images / TEST_FILE if images.is_dir() else images
    plants = [_plant(file, name) for name in entries(file) if "/" in name]
    if not plants:
        raise StudyError(f"{file} holds no image such as A1/plant003/rgb: give {TEST_FILE}")
    return plants


def entries(file: Path) -> list[str]:
    """What one of the challenge's HDF5 files holds in its groups, such as A1/plant003, and datasets next to them."""
    with reading_hdf5(file) as opened:
        return [
            f"{subset}/{plant}" if plant else subset
            for subset, group in opened.items()
            for plant in (group if isinstance(group, h5py.Group) else [""])
        ]


def _plant(file: Path, name: str) -> Plant:
    with reading_hdf5(file) as opened:
        rgb, filename = opened.get(f"{name}/rgb"), f"{name}/rgb_filename"
        if not isinstance(rgb, h5py.Dataset) or rgb.ndim < 2 or not rgb.size:
            raise StudyError(f"{file} holds no image {name}/rgb: give {TEST_FILE}, whole")
        size, named, foreground_given = rgb.shape[:2], filename in opened, f"{name}/fg" in opened
    stem = PurePosixPath(read_hdf5_text(file, filename) if named else name).stem.removesuffix("_rgb")
    return Plant(file, name, size, f"{stem}_label.png", foreground_given)
