"""What a call of `predict` is asked for, and what is told and kept at its end, whoever does the work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tqdm import tqdm

from study.data.files.microscopy import Part
from study.deploy.exports import COCO, COCO_FILE, CocoImage, exports_named, write_coco
from study.deploy.images import Planes, find_images, passed_over
from study.deploy.outputs import Outputs, Tables, output_names, write_tables
from study.files import given_path, write_atomically

_OF_A_FOLDER = 2**30  # bytes
_LISTED = 20  # images whose counts are told one by one


class Job(NamedTuple):
    """A file to segment, and the name of what is written for it."""

    file: Path
    name: str

    @property
    def cost(self) -> int:
        """Bytes on the disk; a folder counts as a large file."""
        try:
            return _OF_A_FOLDER if self.file.is_dir() else self.file.stat().st_size
        except OSError:  # which reading will tell
            return 0


class TooLargeError(Exception):
    """An image is left to several workers."""


@dataclass(frozen=True)
class Wanted:
    """Files to segment, and what is to be written; see `study.deploy.predict.predict`."""

    jobs: tuple[Job, ...]
    out: Path
    format: str
    overlay: bool
    table: bool
    overwrite: bool
    part: Part
    also: tuple[str, ...]

    def outputs(self) -> Outputs:
        """The folder that is written into; errors are those of `Outputs`."""
        return Outputs(self.out, self.format, [job.file for job in self.jobs], self.also)

    def split(self, outputs: Outputs) -> tuple[list[Job], list[Job]]:
        """What is to be segmented, and what has labels but lacks its part of the tables, or its picture."""
        there = set() if self.overwrite else {job for job in self.jobs if outputs.labels_of(job.name)}
        lacking = [
            job for job in self.jobs if job in there and (self.has_summary or self._lacks_files(outputs, job.name))
        ]
        return [job for job in self.jobs if job not in there], lacking

    @property
    def has_summary(self) -> bool:
        """Whether something is written at the end that all images are part of."""
        return self.table or COCO in self.also

    def _lacks_files(self, outputs: Outputs, name: str) -> bool:
        return (self.overlay and not outputs.has_overlay(name)) or outputs.lacks_exports(name)


class Kind(NamedTuple):
    """What an image is like: what a user can set beside what the model was trained on."""

    colour: bool
    shortest: int  # px
    longest: int

    @classmethod
    def of(cls, planes: Planes) -> Kind:
        """That of the images of a file."""
        rows, columns, channels = planes.images[0].shape
        return cls(channels > 1, min(rows, columns), max(rows, columns))


@dataclass
class Found:
    """What came of files: what of them is written at the end, why some failed, which are left to several workers."""

    objects: dict[Job, int] = field(default_factory=dict)
    kinds: dict[Job, Kind] = field(default_factory=dict)
    tables: dict[Job, Tables] = field(default_factory=dict)
    coco: dict[Job, list[CocoImage]] = field(default_factory=dict)
    failures: dict[Job, str] = field(default_factory=dict)
    too_large: list[Job] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Take over what came of other files."""
        self.objects |= other.objects
        self.kinds |= other.kinds
        self.tables |= other.tables
        self.coco |= other.coco
        self.failures |= other.failures
        self.too_large += other.too_large


def predict_by(
    work: Callable[[Wanted, tqdm], Found],
    images: Path,
    out: Path,
    *,
    format: str,
    overlay: bool,
    table: bool,
    overwrite: bool,
    part: Part,
    also: str,
) -> int:
    """Have the images of a folder segmented by `work`, which is told the files and shows its progress on a bar.

    All else is as of `study.deploy.predict.predict`.
    """
    files = find_images(images)
    if others := passed_over(images):
        tqdm.write(f"passed over in {given_path(images)}, as no images: {others}")
    jobs = [Job(*pair) for pair in zip(files, output_names(files), strict=True)]
    asked = Wanted(tuple(jobs), out, format, overlay, table, overwrite, part, exports_named(also))
    outputs = asked.outputs()
    fresh, incomplete = asked.split(outputs)
    if there := len(jobs) - len(fresh):
        tqdm.write(
            f"{there} of {len(jobs)} images have labels in {outputs.folder} and are left alone; overwrite replaces them"
        )
    left = set(fresh + incomplete)
    wanted = replace(asked, jobs=tuple(job for job in jobs if job in left))
    with tqdm(total=len(left), desc="predict", unit="image", disable=None, leave=False, dynamic_ncols=True) as bar:
        found = work(wanted, bar)
    return _ended(found, jobs, fresh, outputs)


def _ended(found: Found, jobs: Sequence[Job], fresh: Sequence[Job], outputs: Outputs) -> int:
    """Write what all images are part of, and tell what was done; gives the number of failures."""
    if found.tables:
        write_tables(outputs.folder, [found.tables[job] for job in jobs if job in found.tables])
    if found.coco:
        with write_atomically(outputs.folder / COCO_FILE) as partial:
            write_coco(partial, [image for job in jobs for image in found.coco.get(job, [])])
    segmented = [job for job in fresh if job not in found.failures]
    counts = [found.objects[job] for job in segmented]
    for line in _counts([job.name for job in segmented], counts):
        tqdm.write(line)
    kinds = f" ({_in_words(list(found.kinds.values()))})" if found.kinds else ""
    images, objects = _counted(len(segmented), "image"), _counted(sum(counts), "object")
    tqdm.write(f"{images} segmented{kinds} with {objects}, {len(found.failures)} failed; labels in {outputs.folder}")
    for job in jobs:
        if job in found.failures:
            tqdm.write(found.failures[job], file=sys.stderr)
    return len(found.failures)


def _counts(names: Sequence[str], counts: Sequence[int]) -> list[str]:
    """Objects of each image, or, of many images, how they are spread."""
    if len(names) <= _LISTED:
        return [f"{name}: {_counted(count, 'object')}" for name, count in zip(names, counts, strict=True)]
    return [f"objects of an image: {min(counts)} to {max(counts)}, median {median(counts):g}"]


def _in_words(kinds: Sequence[Kind]) -> str:
    """Such as `grey, 256 to 640 px`."""
    colours = {True: "colour", False: "grey"}
    words = " and ".join(dict.fromkeys(colours[kind.colour] for kind in kinds))
    low, high = min(kind.shortest for kind in kinds), max(kind.longest for kind in kinds)
    return f"{words}, {low} px" if low == high else f"{words}, {low} to {high} px"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
