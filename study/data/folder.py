"""A plain folder: ``images/*`` with ``labels/*`` or ``masks/*`` of equal stems, optionally split by ``index.csv``."""

from __future__ import annotations

import csv
from pathlib import Path

from study.config import Data
from study.data.dataset import SEEDED_NOTE, SPLITS, Dataset, seeded_splits
from study.data.pairs import folder_in, keyed, paired, root_of
from study.data.reading import SUFFIXES
from study.errors import StudyError


def open_folder(data: Data) -> Dataset:
    """PNG or TIFF images, grey or RGB, with labels whose values are the ids.

    ``index.csv`` has the columns `image` (stem or file name) and `split` (train, val, test); images that it does not
    name are left out. Without it the split is drawn by `data.split_seed`.

    Raises
    ------
    StudyError
        If there is no pair, or ``index.csv`` lacks a column, names an image twice or an unknown split.
    """
    root = root_of(data, "images/ and labels/")
    folders = folder_in(root, "images"), folder_in(root, "labels", "masks")
    images, labels = keyed(folders[0]), keyed(folders[1])
    index = root / "index.csv"
    if not index.exists():
        splits = seeded_splits(paired(images, labels, folders), data.split_seed)
        return Dataset(data.name, splits, False, SEEDED_NOTE.format(data.split_seed))
    rows = _read_index(index)
    splits = {
        split: paired(images, labels, folders, [name for name in rows if rows[name] == split]) for split in SPLITS
    }
    left_out = tuple(f"{stem}: not in {index}" for stem in sorted(images.keys() | labels.keys()) if stem not in rows)
    return Dataset(data.name, splits, False, "the split column of index.csv", left_out)


def _read_index(path: Path) -> dict[str, str]:
    """Stem -> split."""
    rows: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="")
            if not {"image", "split"} <= set(reader.fieldnames or ()):
                raise StudyError(f"{path} needs the columns image and split, separated by commas")
            for row in reader:
                name = Path(row["image"])
                stem = name.stem if name.suffix.lower() in SUFFIXES else name.name
                if row["split"] not in SPLITS:
                    raise StudyError(
                        f"{path}, line {reader.line_num}: split is train, val or test, not {row['split']!r}"
                    )
                if stem in rows:
                    raise StudyError(f"{path}, line {reader.line_num}: names {stem} again; remove one of the lines")
                rows[stem] = row["split"]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise StudyError(f"cannot read {path}: save it as a comma-separated table in UTF-8") from error
    return rows
