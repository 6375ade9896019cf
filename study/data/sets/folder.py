"""A plain folder: ``images/*`` with ``labels/*`` or ``masks/*`` of equal stems, optionally split by ``index.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from study.data.content import listed
from study.data.dataset import SEEDED_NOTE, SPLITS, Dataset, Record, seeded_splits
from study.data.files.coco import coco_records
from study.data.files.masks import of_masks
from study.data.files.names import NOTHING, composed, in_words, path_from, stem_of
from study.data.files.pairs import faulty, folder_in, folders_in, keyed, paired, root_of
from study.data.files.reading import IMAGE_SUFFIXES
from study.data.settings import Data
from study.errors import StudyError

INDEX = "index.csv"


class _Row(NamedTuple):
    """What the index says of an image; split or group may be empty."""

    line: int
    split: str
    group: str


def open_folder(data: Data) -> Dataset:
    """PNG, TIFF or JPEG images, grey or RGB, with labels: PNG or TIFF, whose values are the ids.

    Or a folder of masks for each image, one for each object (``masks/NAME/*.png``), or a JSON file of COCO's polygons
    or run lengths, in the folder of labels or beside ``images``.

    ``index.csv`` has the column `image` (stem or file name), and `split` (train, val, test), `group`, or both; images
    that it does not name are left out. Images of equal `group` belong into one split; an image whose group is empty
    is one of its own. Where there is no ``index.csv``, or it gives groups but no splits, `data.split_seed` does.

    Raises
    ------
    StudyError
        If there is no pair, or ``index.csv`` lacks a column, names an image twice or an unknown split, or has a group
        in two splits.
    """
    root = root_of(data, "images/ and labels/")
    labelled = _Labelled(root)
    index, seeded = root / INDEX, SEEDED_NOTE.format(data.split_seed)
    if not index.exists():
        return Dataset(
            data.name, seeded_splits(labelled.records(), data.split_seed), False, seeded, labelled.passed_over
        )
    rows = _read_index(index)
    records = tuple(replace(r, group=rows[r.name].group or r.name) for r in labelled.records([*rows]))
    left_out = tuple(f"{stem}: not in {index}" for stem in labelled.names if stem not in rows) + labelled.passed_over
    if rows and not any(row.split for row in rows.values()):
        splits = seeded_splits(records, data.split_seed)
        return Dataset(data.name, splits, False, f"{seeded}, by the groups of {INDEX}", left_out)
    splits = {split: tuple(record for record in records if rows[record.name].split == split) for split in SPLITS}
    return Dataset(data.name, splits, False, f"the split column of {INDEX}", left_out)


class _Labelled:
    """The images of a folder and their labels, of whichever kind these are."""

    def __init__(self, root: Path):
        label_folders = folders_in(root, "labels", "masks")
        places = (root, *label_folders, *folders_in(root, "annotations"))
        annotations = sorted(path for folder in places for path in folder.glob("*.json"))
        self.images_in = folder_in(root, "images")
        self.labels_in = root if annotations and not label_folders else folder_in(root, "labels", "masks")
        self.images = keyed(self.images_in)
        self.labels = {} if self.labels_in == root else keyed(self.labels_in)
        self.masks = _mask_folders(self.labels_in, self.images) if not self.labels else {}
        self.annotations = annotations if not self.labels and not self.masks else []
        if len(self.annotations) > 1:
            raise StudyError(
                f"{root} has {len(annotations)} files .json ({listed([*map(str, annotations)])}): annotations of COCO "
                "are read from one file alone, so keep that one, or save labels as PNG or TIFF"
            )

    @property
    def passed_over(self) -> tuple[str, ...]:
        """What else is in the folders of images and labels, and what that is."""
        folders = [self.images_in] if self.masks or self.annotations else [self.images_in, self.labels_in]
        found = {folder: in_words(folder, _is_image) for folder in folders}
        return tuple(
            f"{words} in {folder}: of no kind that is read" for folder, words in found.items() if words != NOTHING
        )

    @property
    def names(self) -> list[str]:
        """The stems of all images, and of label files."""
        return sorted({*self.images, *self.labels, *self.masks})

    def records(self, names: Sequence[str] | None = None) -> tuple[Record, ...]:
        """Records of some images, in their order; of all by default."""
        if self.annotations and self.images:
            return tuple(coco_records(self.annotations[0], self.images, names))
        if not self.masks:
            return paired(self.images, self.labels, (self.images_in, self.labels_in), names)
        return tuple(self._of_masks(name) for name in (names if names is not None else self.names))

    def _of_masks(self, name: str) -> Record:
        images, masks = self.images.get(name, []), self.masks.get(name)
        if len(images) == 1 and masks is not None:
            return of_masks(name, images[0], masks)
        # a folder stands for its masks: what is missing, doubled or not there is told as it is of files
        files = ({name: images} if images else {}), ({name: [self.labels_in / name]} if masks is not None else {})
        return faulty(name, files, (self.images_in, self.labels_in))


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES


def _mask_folders(folder: Path, images: Mapping[str, object]) -> dict[str, list[Path]]:
    """Stem of an image -> the masks in the folder of that name; empty unless an image has one."""
    found = {composed(path.name): path for path in sorted(folder.iterdir()) if path.is_dir()}
    if not found.keys() & images.keys():
        return {}
    return {name: [file for files in keyed(path).values() for file in files] for name, path in found.items()}


def _read_index(path: Path) -> dict[str, _Row]:
    """Stem -> what the index says of it: a split of each image, or of none where there are groups."""
    rows: dict[str, _Row] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            reader.fieldnames = [column.strip().lower() for column in reader.fieldnames or ()]
            columns = set(reader.fieldnames)
            if "image" not in columns or not {"split", "group"} & columns:
                raise StudyError(f"{path} needs the columns image and split, or image and group, separated by commas")
            for row in reader:
                name = path_from(row["image"])
                stem = stem_of(name) if name.suffix.lower() in IMAGE_SUFFIXES else composed(name.name)
                if stem in rows:
                    raise StudyError(f"{path}, line {reader.line_num}: names {stem} again; remove one of the lines")
                rows[stem] = _Row(reader.line_num, row.get("split", "").strip().lower(), row.get("group", ""))
    except (UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"cannot read {path}: save it as a comma-separated table in UTF-8") from error
    if "group" not in columns or any(row.split for row in rows.values()):
        _check_splits(path, rows)
    return rows


def _check_splits(path: Path, rows: Mapping[str, _Row]) -> None:
    """Raise a StudyError if an image has no split of `SPLITS`, or a group is in two of them."""
    first: dict[str, str] = {}  # group -> its first image
    for stem, row in rows.items():
        if row.split not in SPLITS:
            raise StudyError(f"{path}, line {row.line}: split is train, val or test, not {row.split!r}")
        other = first.setdefault(row.group or stem, stem)
        if row.split != rows[other].split:
            raise StudyError(
                f"{path} cuts the group {row.group or stem}: {other} is in {rows[other].split}, but {stem} in "
                f"{row.split}; give all images of a group one split"
            )
