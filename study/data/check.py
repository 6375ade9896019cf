"""Counts, sizes and every defect of a data set: ``python -m study check_data``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from study.data.content import ImageContent, content_of, equal_images, listed
from study.data.dataset import Dataset, Record
from study.data.facts import TINY, ImageFacts, SplitReport
from study.data.files.reading import IMAGE_SUFFIXES
from study.data.files.tags import orientation_of
from study.errors import StudyError


class Marked(NamedTuple):
    """An image that should be looked at, and why, in a few words."""

    split: str
    record: Record
    words: str


class Defect(NamedTuple):
    """A sentence on what is wrong, and the images that it is about; none where it is about all of them."""

    sentence: str
    images: tuple[Marked, ...] = ()


@dataclass(frozen=True)
class Report:
    """What `check` found, a sentence for each defect; `str` gives it as text."""

    dataset: Dataset
    splits: tuple[SplitReport, ...]
    found: tuple[Defect, ...]

    @property
    def defects(self) -> tuple[str, ...]:
        """The sentences on all defects."""
        return tuple(defect.sentence for defect in self.found)

    @property
    def suspicious(self) -> list[Marked]:
        """The images with a defect, and behind them those that are no defect but worth a look, each once."""
        marked = [image for defect in self.found for image in defect.images] + _worth_a_look(self.splits)
        together: dict[tuple[str, str], list[Marked]] = {}
        for image in marked:
            together.setdefault((image.split, image.record.name), []).append(image)
        return [images[0]._replace(words="; ".join(image.words for image in images)) for images in together.values()]

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
    or none in all images of a split, labels most of whose ids are in several pieces, masks that overlap or mark
    nothing, and orientation tags, by which viewers turn an image.
    """
    found: list[Defect] = []
    reports = []
    contents: list[ImageContent] = []
    for split, records in dataset.splits.items():
        if not records:
            found.append(Defect(f"split {split} has no images: {dataset.split_note}"))
        facts = []
        for record in records:
            try:
                sample = record.load()
            except StudyError as fault:
                found.append(_defect_of(split, record, str(fault)))
                continue
            place = ImageContent(split, sample.name, content_of(sample.image))
            if (value := sample.image.min()) == sample.image.max():
                sentence = f"{place} has the value {value} at every pixel: replace or remove the image"
                found.append(Defect(sentence, (Marked(split, record, f"the value {value} at every pixel"),)))
            else:
                contents.append(place)
            facts.append(ImageFacts.of(sample))
            settled = record.settled() if record.settled is not None else []
            found += [_defect_of(split, record, sentence) for sentence in settled]
        reports.append(SplitReport(split, records, tuple(facts)))
    found += _twice(reports, contents) + _tagged(reports) + _common_defects(reports)
    return Report(dataset, tuple(reports), tuple(found))


def _defect_of(split: str, record: Record, sentence: str) -> Defect:
    """The defect of a single image; on its picture its files go by their names, and what to do is left out."""
    words = sentence.removeprefix(f"{record.name}: ")
    for folder in (folder for file in record.files for folder in file.parents[:2]):
        words = words.replace(f"{folder}/", "")
    return Defect(sentence, (Marked(split, record, re.split("[:;] ", words)[0]),))


def _marked(reports: Iterable[SplitReport]) -> dict[tuple[str, str], Record]:
    """Split and name of every image -> its record."""
    return {(report.split, record.name): record for report in reports for record in report.records}


def _twice(reports: Sequence[SplitReport], contents: Sequence[ImageContent]) -> list[Defect]:
    """A defect for each image that has the pixels of another."""
    records = _marked(reports)
    return [
        Defect(
            f"{b} has the same pixels as {a}: remove one of them",
            tuple(
                Marked(one.split, records[one.split, one.name], f"same pixels as {other}")
                for one, other in ((a, b), (b, a))
            ),
        )
        for a, b in equal_images(contents)
    ]


def _tagged(reports: Sequence[SplitReport]) -> list[Defect]:
    """The defect that viewers may turn some files."""
    marked = [
        (file, Marked(split, record, f"orientation tag {orientation} in {file.name}"))
        for (split, _), record in _marked(reports).items()
        for file in record.files
        if file.suffix.lower() in IMAGE_SUFFIXES and (orientation := orientation_of(file)) != 1
    ]
    if not marked:
        return []
    tagged = sorted({str(file) for file, _ in marked})
    subject = "1 file has" if len(tagged) == 1 else f"{len(tagged)} files have"
    return [
        Defect(
            f"{subject} an orientation tag ({listed(tagged)}): their pixels are taken as they are stored, though some "
            "viewers turn them, and so may have what the labels were made with; turn the pixels, and remove the tag",
            tuple(image for _, image in marked),
        )
    ]


def _common_defects(reports: Sequence[SplitReport]) -> list[Defect]:
    """Defects of all splits together, and splits without an object."""
    found = []
    records = _marked(reports)
    facts = [(report.split, fact) for report in reports for fact in report.facts]
    if len(channels := Counter(fact.channels for _, fact in facts)) > 1:
        most = max(channels, key=channels.__getitem__)
        kinds = {1: "1 channel, most others 3", 3: "3 channels, most others 1"}
        others = [(split, fact) for split, fact in facts if fact.channels != most]
        found.append(
            Defect(
                f"images have {' or '.join(map(str, sorted(channels)))} channels: make all of them grey or all RGB",
                tuple(Marked(split, records[split, fact.name], kinds[fact.channels]) for split, fact in others),
            )
        )
    found += [
        Defect(f"no image of split {report.split} has an object: look whether the labels are the right ones")
        for report in reports
        if report.facts and not any(fact.objects for fact in report.facts)
    ]
    if len(facts) > 1 and max(fact.objects for _, fact in facts) == 1:
        found.append(Defect("no image has more than one id: these labels look like foreground masks, not objects"))
    return found + _crumbled(facts, records)


def _crumbled(facts: Sequence[tuple[str, ImageFacts]], records: Mapping[tuple[str, str], Record]) -> list[Defect]:
    """The defect that labels look as if they had been a picture."""
    crumbled = [(split, fact) for split, fact in facts if fact.is_crumbled]
    if not crumbled:
        return []
    words = "{} of {} ids in several pieces, or of a pixel or two"
    marked = [
        Marked(split, records[split, fact.name], words.format(fact.crumbled, fact.objects)) for split, fact in crumbled
    ]
    names = listed([fact.name for _, fact in crumbled])
    return [
        Defect(
            f"in {len(crumbled)} of {len(facts)} images most ids are in several pieces, or of a pixel or two "
            f"({names}): these labels look as if they had been a JPEG, or resized with interpolation; save the ids as "
            "they are, and resize by the nearest neighbour",
            tuple(marked),
        )
    ]


def _worth_a_look(reports: Sequence[SplitReport]) -> list[Marked]:
    """Images that may be as they should: those without objects, and those with objects of a pixel or two."""
    records = _marked(reports)
    images = [(report.split, fact) for report in reports for fact in report.facts]
    empty = [Marked(split, records[split, fact.name], "no objects") for split, fact in images if not fact.objects]
    tiny = [
        Marked(split, records[split, fact.name], f"{fact.tiny} object{'s' * (fact.tiny > 1)} of at most {TINY} px")
        for split, fact in images
        if fact.tiny and not fact.is_crumbled
    ]
    return empty + tiny
