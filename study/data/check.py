"""Counts, sizes and every defect of a data set: ``python -m study check_data``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from skimage.measure import label

from study.data.content import ImageContent, content_of, equal_images
from study.data.dataset import Dataset, Record, Sample
from study.errors import StudyError


@dataclass(frozen=True)
class SplitReport:
    """What the readable images of one split hold.

    Attributes
    ----------
    split : str
        train, val or test.
    records : int
        Images listed; those that can be read are counted by `images`.
    groups : int
        Groups of the images listed; as many as these where each is alone.
    smallest, largest : tuple of int
        (rows, columns) of the image with the fewest and the most pixels; (0, 0) without images.
    dtypes : tuple of str
        Types of the pixels.
    channels : tuple of int
        Numbers of channels.
    objects : tuple of int
        Number of ids of each image.
    in_pieces : int
        Ids whose pixels are not 8-connected.
    """

    split: str
    records: int
    groups: int
    smallest: tuple[int, int]
    largest: tuple[int, int]
    dtypes: tuple[str, ...]
    channels: tuple[int, ...]
    objects: tuple[int, ...]
    in_pieces: int

    @property
    def images(self) -> int:
        """Number of readable images."""
        return len(self.objects)

    def line(self) -> str:
        """One line of text."""
        if not self.images:
            return f"{self.split:5} {self.records:5} images, none readable"
        total = sum(self.objects)
        sizes = " to ".join(dict.fromkeys("{} x {}".format(*size) for size in (self.smallest, self.largest)))
        return (
            f"{self.split:5} {self.images:5} images of {sizes} px, {' or '.join(self.dtypes)}, "
            f"{' or '.join(map(str, self.channels))} channel{'s' if max(self.channels) > 1 else ''}; "
            f"{total} objects: {min(self.objects)} to {max(self.objects)} per image, mean {total / self.images:.1f}; "
            f"{self.objects.count(0)} without objects; "
            f"{self.in_pieces / max(total, 1):.1%} of the ids in several pieces"
            + (f"; {self.groups} groups" if self.groups < self.records else "")
        )


@dataclass(frozen=True)
class Report:
    """What `check` found; `str` gives it as text.

    Attributes
    ----------
    name, split_note : str
        Of the data set.
    splits : tuple of SplitReport
        In the order train, val, test.
    left_out : tuple of str
        Of the data set.
    defects : tuple of str
        One sentence each.
    """

    name: str
    split_note: str
    splits: tuple[SplitReport, ...]
    left_out: tuple[str, ...]
    defects: tuple[str, ...]

    def __str__(self) -> str:
        images = sum(split.images for split in self.splits)
        objects = sum(sum(split.objects) for split in self.splits)
        return "\n".join(
            [
                f"{self.name}: {images} images, {objects} objects",
                *(split.line() for split in self.splits),
                f"split: {self.split_note}",
                *(f"left out: {item}" for item in self.left_out),
                *(f"defect: {sentence}" for sentence in self.defects),
                f"{len(self.defects) or 'no'} defect{'' if len(self.defects) == 1 else 's'} found",
            ]
        )


def check(dataset: Dataset) -> Report:
    """Read every image of a data set and list what is wrong with it; a defect does not end the check.

    Beside what `Record.load` refuses, these are defects: a split without images, images of one value, equal images in
    two places (as in `study.data.content`), different numbers of channels, and labels with at most one id in every
    image.
    """
    defects: list[str] = []
    reports = []
    contents: list[ImageContent] = []
    for split, records in dataset.splits.items():
        if not records:
            defects.append(f"split {split} has no images: {dataset.split_note}")
        facts = []
        for record in records:
            try:
                sample = record.load()
            except StudyError as fault:
                defects.append(str(fault))
                continue
            place = ImageContent(split, sample.name, content_of(sample.image))
            if (value := sample.image.min()) == sample.image.max():
                defects.append(f"{place} has the value {value} at every pixel: replace or remove the image")
            else:
                contents.append(place)
            facts.append(_ImageFacts.of(sample))
        reports.append(_split_report(split, records, facts))
    defects += [f"{b} has the same pixels as {a}: remove one of them" for a, b in equal_images(contents)]
    defects += _common_defects(reports)
    return Report(dataset.name, dataset.split_note, tuple(reports), dataset.left_out, tuple(defects))


class _ImageFacts(NamedTuple):
    size: tuple[int, int]
    dtype: str
    channels: int
    objects: int
    in_pieces: int

    @classmethod
    def of(cls, sample: Sample) -> _ImageFacts:
        pieces = np.asarray(label(sample.labels, connectivity=2, background=0))
        first_pixels = np.unique(pieces, return_index=True)[1]
        id_of_piece = sample.labels.ravel()[first_pixels]
        pieces_of_id = np.unique(id_of_piece[id_of_piece > 0], return_counts=True)[1]
        rows, cols, channels = sample.image.shape
        in_pieces = int(np.count_nonzero(pieces_of_id > 1))
        return cls((rows, cols), str(sample.image.dtype), channels, len(pieces_of_id), in_pieces)


def _split_report(split: str, records: Sequence[Record], facts: Sequence[_ImageFacts]) -> SplitReport:
    sizes = sorted((fact.size for fact in facts), key=math.prod) or [(0, 0)]
    return SplitReport(
        split=split,
        records=len(records),
        groups=len({record.group for record in records}),
        smallest=sizes[0],
        largest=sizes[-1],
        dtypes=tuple(sorted({fact.dtype for fact in facts})),
        channels=tuple(sorted({fact.channels for fact in facts})),
        objects=tuple(fact.objects for fact in facts),
        in_pieces=sum(fact.in_pieces for fact in facts),
    )


def _common_defects(reports: Sequence[SplitReport]) -> list[str]:
    """Defects of all splits together."""
    defects = []
    channels = sorted({number for report in reports for number in report.channels})
    if len(channels) > 1:
        defects.append(f"images have {' or '.join(map(str, channels))} channels: make all of them grey or all RGB")
    objects = [number for report in reports for number in report.objects]
    if len(objects) > 1 and max(objects) == 1:
        defects.append("no image has more than one id: these labels look like foreground masks, not objects")
    return defects
