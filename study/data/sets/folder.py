"""A plain folder: ``images/*`` with ``labels/*`` or ``masks/*`` of equal stems, optionally split by ``index.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from study.data.dataset import SEEDED_NOTE, SPLITS, Dataset, seeded_splits
from study.data.files.pairs import folder_in, keyed, paired, root_of
from study.data.files.reading import SUFFIXES
from study.data.settings import Data
from study.errors import StudyError

INDEX = "index.csv"


class _Row(NamedTuple):
    """What the index says of an image; split or group may be empty."""

    line: int
    split: str
    group: str


def open_folder(data: Data) -> Dataset:
    """PNG or TIFF images, grey or RGB, with labels whose values are the ids.

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
    folders = folder_in(root, "images"), folder_in(root, "labels", "masks")
    images, labels = keyed(folders[0]), keyed(folders[1])
    index, seeded = root / INDEX, SEEDED_NOTE.format(data.split_seed)
    if not index.exists():
        return Dataset(data.name, seeded_splits(paired(images, labels, folders), data.split_seed), False, seeded)
    rows = _read_index(index)
    records = tuple(replace(r, group=rows[r.name].group or r.name) for r in paired(images, labels, folders, rows))
    left_out = tuple(f"{stem}: not in {index}" for stem in sorted(images.keys() | labels.keys()) if stem not in rows)
    if rows and not any(row.split for row in rows.values()):
        splits = seeded_splits(records, data.split_seed)
        return Dataset(data.name, splits, False, f"{seeded}, by the groups of {INDEX}", left_out)
    splits = {split: tuple(record for record in records if rows[record.name].split == split) for split in SPLITS}
    return Dataset(data.name, splits, False, f"the split column of {INDEX}", left_out)


def _read_index(path: Path) -> dict[str, _Row]:
    """Stem -> what the index says of it: a split of each image, or of none where there are groups."""
    rows: dict[str, _Row] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            columns = set(reader.fieldnames or ())
            if "image" not in columns or not {"split", "group"} & columns:
                raise StudyError(f"{path} needs the columns image and split, or image and group, separated by commas")
            for row in reader:
                name = Path(row["image"])
                stem = name.stem if name.suffix.lower() in SUFFIXES else name.name
                if stem in rows:
                    raise StudyError(f"{path}, line {reader.line_num}: names {stem} again; remove one of the lines")
                rows[stem] = _Row(reader.line_num, row.get("split", ""), row.get("group", ""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
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
