"""Samples, records and data sets: what every layout is read into."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from study import allotment
from study.data.content import ImageContent, content_of
from study.errors import StudyError, unknown_name

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Sample:
    """One image, or volume, with its instance labels.

    Attributes
    ----------
    image : (M, N, C) or (P, M, N, 1) array of uint8, uint16 or float32
        C is 1 or 3; finite values.
    labels : (M, N) or (P, M, N) int32 array
        0 is background, of volumes unlabelled; ids need not be consecutive, an object may have several pieces.
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
    read_image : callable, optional
        Gives the image alone, the same as `read` does; without it, `read` serves.
    group : str
        Images of one group, such as the fields of one well, belong into one split. By default the image's own name.
    settled : callable, optional
        Gives a sentence on each defect that `read` settles without a word, such as masks that overlap.
    """

    name: str
    read: Callable[[], tuple[np.ndarray, np.ndarray]]
    files: tuple[Path, ...] = ()
    fault: str = ""
    read_image: Callable[[], np.ndarray] | None = None
    group: str = ""
    settled: Callable[[], list[str]] | None = None

    def __post_init__(self):
        if not self.group:
            object.__setattr__(self, "group", self.name)

    def load_image(self) -> np.ndarray:
        """Read the image, as in `Sample`, and not its labels where that saves time.

        Raises
        ------
        StudyError
            If a file is missing or unreadable.
        """
        if self.fault:
            raise StudyError(self.fault)
        return self.read_image() if self.read_image is not None else self.read()[0]

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
        if image.shape[:-1] != labels.shape:
            sizes = [f"{' x '.join(map(str, shape))} px" for shape in (image.shape[:-1], labels.shape)]
            turned = image.shape[1::-1] == labels.shape
            raise StudyError(
                f"{self.name}: the image has {sizes[0]} but the labels have {sizes[1]}"
                f"{', as if one of them had been turned by a quarter' if turned else ''}; "
                f"fix or remove the pair {' and '.join(map(str, self.files))}"
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
        "train", "val" and "test" -> tuple of Record, which may be empty.
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

    def as_test_images(self) -> Dataset:
        """The same images, by name, with all of them in the test split."""
        images = sorted((record for records in self.splits.values() for record in records), key=lambda r: r.name)
        splits = {"train": (), "val": (), "test": tuple(images)}
        return replace(self, splits=splits, split_note="all images are test images, as of data.all_test")

    def records(self, split: str, purpose: str) -> tuple[Record, ...]:
        """The records of a split, at least one.

        Parameters
        ----------
        split : str
        purpose : str
            What they are wanted for, for the sentence: `train on`.

        Raises
        ------
        StudyError
            If there is no such split, or it has no images.
        """
        if split not in self.splits:
            raise unknown_name("split", split, self.splits)
        if not self.splits[split]:
            raise StudyError(f"data set {self.name} has no {split} image to {purpose}: {self.split_note}")
        return self.splits[split]

    def contents(self, *splits: str) -> tuple[ImageContent, ...]:
        """Split, name and a digest of the pixels of each image; all are decoded, each once, in threads.

        Parameters
        ----------
        *splits : str
            Of these splits; of all without any.

        Raises
        ------
        StudyError
            If an image cannot be read.
        """
        places = [(split, record) for split in splits or self.splits for record in self.splits[split]]
        with ThreadPoolExecutor(allotment.cores()) as pool:
            digests = pool.map(lambda place: content_of(place[1].load_image()), places)
            return tuple(
                ImageContent(split, record.name, digest)
                for (split, record), digest in zip(places, digests, strict=True)
            )

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
    """Draw whole groups, about `share` of the records; at least one group if two are there, never all.

    The order of the SHA-256 digests of seed and group decides (a record without group is one of its own): the draw is
    the same on every machine and library version, and further records hardly reshuffle those drawn before. A group
    that would bring the number of records farther from `share` is skipped.

    Returns
    -------
    drawn, rest : tuples of Record
        Both in the order of `records`.
    """
    wanted = max(0, min(max(1, round(share * len(records))), len(records) - 1))
    sizes = Counter(record.group for record in records)
    ranked = sorted(sizes, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    groups: set[str] = set()
    count = 0
    for group in ranked:
        if len(groups) < len(ranked) - 1 and abs(count + sizes[group] - wanted) < abs(count - wanted):
            groups.add(group)
            count += sizes[group]
    if not groups and len(ranked) > 1:  # each is more than twice too large
        groups.add(min(ranked, key=sizes.__getitem__))
    return (
        tuple(record for record in records if record.group in groups),
        tuple(record for record in records if record.group not in groups),
    )


def seeded_splits(records: Sequence[Record], seed: int) -> dict[str, tuple[Record, ...]]:
    """15 % of the records for test, 15 % of the others for validation, the rest for training; no group is cut."""
    test, rest = draw(records, seed, 0.15)
    val, train = draw(rest, seed, 0.15)
    return {"train": train, "val": val, "test": test}


SEEDED_NOTE = "15 % of the images are test and 15 % of the others validation, drawn by seed {}"
