"""Counts, sizes and every defect of a data set: ``python -m study check_data``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from skimage.measure import label

from study.data.content import ImageContent, content_of, equal_images, listed
from study.data.dataset import Dataset, Record, Sample
from study.data.files.reading import IMAGE_SUFFIXES
from study.data.files.tags import orientation_of
from study.errors import StudyError

_MANY = 10  # ids of an image, from which on it can be told whether they are those of objects


class ImageFacts(NamedTuple):
    """What is counted of an image."""

    name: str
    size: tuple[int, ...]  # rows and columns, of a volume planes before them
    dtype: str
    channels: int
    objects: int  # ids
    in_components: int  # ids that are not 8-connected
    crumbled: int  # ids in several components, or of at most two pixels

    @classmethod
    def of(cls, sample: Sample) -> ImageFacts:
        """The facts of a sample."""
        components = np.asarray(label(sample.labels, connectivity=2, background=0))
        first_pixels = np.unique(components, return_index=True)[1]
        id_of_component = sample.labels.ravel()[first_pixels]
        components_of_id = np.unique(id_of_component[id_of_component > 0], return_counts=True)[1]
        *size, channels = sample.image.shape
        in_components = components_of_id > 1
        crumbled = in_components | (np.unique(sample.labels[sample.labels > 0], return_counts=True)[1] <= 2)
        counts = len(components_of_id), int(in_components.sum()), int(crumbled.sum())
        return cls(sample.name, tuple(size), str(sample.image.dtype), channels, *counts)

    @property
    def is_crumbled(self) -> bool:
        """Whether ids look like grey values in between: many, and most of them in pieces or of a pixel or two."""
        return self.objects >= _MANY and 2 * self.crumbled > self.objects


@dataclass(frozen=True)
class SplitReport:
    """The images that a split lists, and the facts of those that can be read."""

    split: str
    records: tuple[Record, ...]
    facts: tuple[ImageFacts, ...]

    def __str__(self) -> str:
        if not self.facts:
            return f"{self.split:5} {len(self.records):5} images, none readable"
        by_area = sorted((fact.size for fact in self.facts), key=math.prod)
        sizes = " to ".join(dict.fromkeys(" x ".join(map(str, size)) for size in (by_area[0], by_area[-1])))
        dtypes, channels = sorted({fact.dtype for fact in self.facts}), sorted({fact.channels for fact in self.facts})
        objects = [fact.objects for fact in self.facts]
        total, groups = sum(objects), len({record.group for record in self.records})
        return (
            f"{self.split:5} {len(self.facts):5} images of {sizes} px, {' or '.join(dtypes)}, "
            f"{' or '.join(map(str, channels))} channel{'s' if max(channels) > 1 else ''}; "
            f"{total} objects: {min(objects)} to {max(objects)} per image, mean {total / len(objects):.1f}; "
            f"{objects.count(0)} without objects; "
            f"{sum(fact.in_components for fact in self.facts) / max(total, 1):.1%} of the ids in several components"
            + (f"; {groups} groups" if groups < len(self.records) else "")
        )


@dataclass(frozen=True)
class Report:
    """What `check` found, a sentence for each defect; `str` gives it as text."""

    dataset: Dataset
    splits: tuple[SplitReport, ...]
    defects: tuple[str, ...]

    def __str__(self) -> str:
        facts = [fact for split in self.splits for fact in split.facts]
        return "\n".join(
            [
                f"{self.dataset.name}: {len(facts)} images, {sum(fact.objects for fact in facts)} objects",
                *map(str, self.splits),
                f"split: {self.dataset.split_note}",
                *(f"left out: {item}" for item in self.dataset.left_out),
                *(f"defect: {sentence}" for sentence in self.defects),
                f"{len(self.defects) or 'no'} defect{'' if len(self.defects) == 1 else 's'} found",
            ]
        )


def check(dataset: Dataset) -> Report:
    """Read every image of a data set and list what is wrong with it; a defect does not end the check.

    Besides what `Record.load` refuses, these are defects: a split without images, images of one value, equal images in
    two places (as in `study.data.content`), different numbers of channels, labels with at most one id in every image,
    labels most of whose ids are in several pieces, masks that overlap or mark nothing, and orientation tags, by which
    viewers turn an image.
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
            facts.append(ImageFacts.of(sample))
            defects += record.settled() if record.settled is not None else []
        reports.append(SplitReport(split, records, tuple(facts)))
    defects += [f"{b} has the same pixels as {a}: remove one of them" for a, b in equal_images(contents)]
    defects += _tagged([record for records in dataset.splits.values() for record in records])
    defects += _common_defects([fact for report in reports for fact in report.facts])
    return Report(dataset, tuple(reports), tuple(defects))


def _tagged(records: Sequence[Record]) -> list[str]:
    """A sentence on the files that viewers may turn."""
    files = {file for record in records for file in record.files if file.suffix.lower() in IMAGE_SUFFIXES}
    tagged = [str(file) for file in sorted(files) if orientation_of(file) != 1]
    if not tagged:
        return []
    subject = "1 file has" if len(tagged) == 1 else f"{len(tagged)} files have"
    return [
        f"{subject} an orientation tag ({listed(tagged)}): their pixels are taken as they are stored, though some "
        "viewers turn them, and so may have what the labels were made with; turn the pixels, and remove the tag"
    ]


def _common_defects(facts: Sequence[ImageFacts]) -> list[str]:
    """Defects of all splits together."""
    defects = []
    channels = sorted({fact.channels for fact in facts})
    if len(channels) > 1:
        defects.append(f"images have {' or '.join(map(str, channels))} channels: make all of them grey or all RGB")
    if len(facts) > 1 and max(fact.objects for fact in facts) == 1:
        defects.append("no image has more than one id: these labels look like foreground masks, not objects")
    if crumbled := [fact.name for fact in facts if fact.is_crumbled]:
        defects.append(
            f"in {len(crumbled)} of {len(facts)} images most ids are in several pieces, or of a pixel or two "
            f"({listed(crumbled)}): these labels look as if they had been a JPEG, or resized with interpolation; save "
            "the ids as they are, and resize by the nearest neighbour"
        )
    return defects
