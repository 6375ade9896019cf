"""Samples, records and data sets: what every layout is read into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from study.errors import StudyError

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One image with its instance labels.

    Attributes
    ----------
    image : (M, N, C) array of uint8, uint16 or float32
        C is 1 or 3; finite values.
    labels : (M, N) int32 array
        0 is background; ids need not be consecutive, an object may have several pieces.
    name : str
        Unique in its data set.
    """

    image: np.ndarray
    labels: np.ndarray
    name: str


@dataclass(frozen=True)
class Record:
    """A sample that is read when it is asked for.

    Attributes
    ----------
    name : str
        Name of the sample.
    read : callable
        Gives image and labels as in `Sample`.
    files : tuple of Path
        What `read` reads; the image first. Empty for synthetic images.
    fault : str
        Sentence on a fault found while listing, such as a missing label file; `load` raises it.
    """

    name: str
    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    files: tuple[Path, ...] = ()
    fault: str = ""

    def load(self) -> Sample:
        """Read the sample.

        Raises
        ------
        StudyError
            If a file is missing, unreadable or of an unfit kind, or image and labels differ in size.
        """
        if self.fault:
            raise StudyError(self.fault)
        image, labels = self.read()
        if image.shape[:2] != labels.shape:
            sizes = ["{} x {} px".format(*array.shape[:2]) for array in (image, labels)]
            raise StudyError(
                f"{self.name}: the image has {sizes[0]} but the labels have {sizes[1]}; "
                f"mend or remove the pair {' and '.join(map(str, self.files))}"
            )
        return Sample(image, labels, self.name)


@dataclass(frozen=True)
class Dataset:
    """Records in three splits.

    Attributes
    ----------
    name : str
        Key of `DATASETS`.
    splits : dict
        "train", "val" and "test" -> tuple of Record; only "train" is never empty.
    foreground_given : bool
        Whether the challenge gives the true foreground of test images.
    split_note : str
        Where the splits come from, one sentence.
    left_out : tuple of str
        What the folder holds but no split does, with the reason.
    generator : str
        Version and parameters of synthetic images, else empty.
    """

    name: str
    splits: dict[str, tuple[Record, ...]]
    foreground_given: bool
    split_note: str
    left_out: tuple[str, ...] = ()
    generator: str = ""

    def limited(self, images: int) -> Dataset:
        """At most `images` records of each split, evenly spread over it; 0 keeps all."""
        if not images:
            return self
        splits = {
            split: tuple(records[i * len(records) // images] for i in range(images))
            if images < len(records)
            else records
            for split, records in self.splits.items()
        }
        return replace(self, splits=splits)

    def digest(self) -> str:
        """12 hexadecimal digits over names, splits and the bytes of all files; moving the folder changes nothing.

        Raises
        ------
        StudyError
            If a file cannot be read.
        """
        digest_of_file = lru_cache(None)(_file_digest)  # one HDF5 file serves many records
        content = {
            split: [[record.name, *map(digest_of_file, record.files)] for record in records]
            for split, records in self.splits.items()
        }
        return hashlib.sha256(json.dumps([self.name, self.generator, content]).encode()).hexdigest()[:12]


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise StudyError(f"cannot read {path}: {error.strerror}") from error


def draw(records: Sequence[Record], seed: int, share: float) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Draw `share` of the records by name; at least one if two are there, never all.

    The order of the SHA-256 digests of seed and name decides: the draw is the same on every machine and library
    version, and further records do not reshuffle those drawn before.

    Returns
    -------
    drawn, rest : tuples of Record
        Both in the order of `records`.
    """
    count = max(0, min(max(1, round(share * len(records))), len(records) - 1))
    ranked = sorted(records, key=lambda record: hashlib.sha256(f"{seed} {record.name}".encode()).digest())
    names = {record.name for record in ranked[:count]}
    return (
        tuple(record for record in records if record.name in names),
        tuple(record for record in records if record.name not in names),
    )


def seeded_splits(records: Sequence[Record], seed: int) -> dict[str, tuple[Record, ...]]:
    """15 % of the records for test, 15 % of the others for validation, the rest for training."""
    test, rest = draw(records, seed, 0.15)
    val, train = draw(rest, seed, 0.15)
    return {"train": train, "val": val, "test": test}


SEEDED_NOTE = "15 % of the images are test and 15 % of the others validation, drawn by seed {}"
