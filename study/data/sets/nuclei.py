"""Nuclei of the Broad Bioimage Benchmark Collection: BBBC006, BBBC039 and BBBC038 (DSB2018)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from skimage.measure import label

from study.data.dataset import SEEDED_NOTE, SPLITS, Dataset, Record, draw, seeded_splits
from study.data.files.masks import of_masks, read_masks
from study.data.files.pairs import folder_in, keyed, paired, root_of
from study.data.files.reading import as_labels, read_image, read_labels, read_pixels
from study.data.settings import Data
from study.errors import StudyError


def open_bbbc006(data: Data) -> Dataset:
    """BBBC006v1 at focal plane 16, Hoechst channel (w1): half of the images test, 15 % of the others validation.

    The fields of a well (a01_s1 and a01_s2) are a group, which no split cuts. Images without objects are left out, as
    in Wu et al. 2020, who kept 754 of 768; finding them decodes every label file once at opening.

    Raises
    ------
    StudyError
        If a folder is not there or holds no pair.
    """
    root = root_of(data, "BBBC006_v1_images_z_16/ and BBBC006_v1_labels/")
    folders = folder_in(root, "BBBC006_v1_images_z_16"), folder_in(root, "BBBC006_v1_labels")
    records = paired(keyed(folders[0], _field), keyed(folders[1]), folders)
    empty = {record.name for record in records if _has_no_object(record)}
    records = tuple(_of_its_well(record) for record in records if record.name not in empty)
    test, rest = draw(records, data.split_seed, 0.5)
    val, train = draw(rest, data.split_seed, 0.15)
    return Dataset(
        data.name,
        {"train": train, "val": val, "test": test},
        foreground_given=False,
        split_note=f"half of the {len(records)} images with objects are test and 15 % of the others validation, "
        f"drawn by seed {data.split_seed}; the fields of a well stay together",
        left_out=tuple(f"{name}: no objects" for name in sorted(empty)),
    )


def _field(path: Path) -> str | None:
    """``mcf-…_a01_s1`` of mcf-…_a01_s1_w1<uuid>.tif; None of the second channel, w2."""
    field, channel, _ = path.stem.rpartition("_w1")
    return field if channel else None


def _of_its_well(record: Record) -> Record:
    """The record with its well as group: ``…_a01`` of …_a01_s1 and of …_a01_s1_w1<uuid>."""
    return replace(record, group=re.sub(r"_s\d+(_w\d.*)?$", "", record.name))


def _has_no_object(record: Record) -> bool:
    try:
        return not record.fault and not read_labels(record.files[1]).any()
    except StudyError:
        return False  # `load` will say why


def open_bbbc039(data: Data) -> Dataset:
    """BBBC039v1 with its published split, ``metadata/{training,validation,test}.txt``.

    Wells are groups here too, but that split cuts some of them, as `split_note` says.

    Raises
    ------
    StudyError
        If a folder or list is not there, or one image is in two lists.
    """
    root = root_of(data, "images/, masks/ and metadata/")
    folders = folder_in(root, "images"), folder_in(root, "masks")
    images, labels = keyed(folders[0]), keyed(folders[1])
    splits: dict[str, tuple[Record, ...]] = {}
    listed: dict[str, Path] = {}
    for split, name in zip(SPLITS, ("training", "validation", "test"), strict=True):
        path = root / "metadata" / f"{name}.txt"
        names = _listed_names(path)
        for stem in names:
            if stem in listed:
                raise StudyError(f"{path} lists {stem}, which {listed[stem]} lists too: remove one of the lines")
            listed[stem] = path
        records = paired(images, labels, folders, names, image=_read_grey, label=_read_colouring)
        splits[split] = tuple(map(_of_its_well, records))
    left_out = tuple(f"{stem}: in no list" for stem in sorted(images.keys() | labels.keys()) if stem not in listed)
    note = f"the published split of BBBC039v1{_on_cut_wells(splits)}"
    return Dataset(data.name, splits, False, note, left_out)


def _on_cut_wells(splits: Mapping[str, Sequence[Record]]) -> str:
    """How many wells a published split has in several parts; empty if none."""
    places = Counter(well for records in splits.values() for well in {record.group for record in records})
    cut = sum(count > 1 for count in places.values())
    return f", which cuts {cut} of {len(places)} wells" if cut else ""


def _listed_names(path: Path) -> list[str]:
    """Stems of the mask names in a list."""
    try:
        return [Path(line.strip()).stem for line in path.read_text().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot read {path}: BBBC039 needs this list of mask names, one a line") from error


def _read_grey(path: Path) -> np.ndarray:
    """The image; a grey one that a copy stores as RGB becomes grey again."""
    pixels = read_image(path)
    return pixels[..., :1] if (pixels == pixels[..., :1]).all() else pixels


def _read_colouring(mask: Path) -> np.ndarray:
    """The 8-connected components of each value in the mask's first channel: nuclei that touch have different values."""
    colours = as_labels(read_pixels(mask, ids=True)[..., 0], mask)
    return np.asarray(label(colours, connectivity=2), np.int32)


def open_dsb2018(data: Data) -> Dataset:
    """Stage 1 of the 2018 Data Science Bowl, ``stage1_train/<id>/{images,masks}/*.png``, split by `data.split_seed`.

    The names of its images are random, so that there are no groups.

    Raises
    ------
    StudyError
        If ``stage1_train`` is not there or holds no image folder.
    """
    folder = folder_in(root_of(data, "stage1_train/"), "stage1_train")
    records = tuple(_dsb_record(path) for path in sorted(folder.iterdir()) if path.is_dir())
    if not records:
        raise StudyError(f"{folder} has no folders <id>/images and <id>/masks: unpack stage1_train.zip into it")
    splits = seeded_splits(records, data.split_seed)
    return Dataset(data.name, splits, False, SEEDED_NOTE.format(data.split_seed))


def _dsb_record(folder: Path) -> Record:
    images, masks = (
        [path for paths in keyed(part).values() for path in paths] if part.is_dir() else []
        for part in (folder / "images", folder / "masks")
    )
    fault = ""
    if len(images) != 1:
        fault = f"{folder / 'images'} should hold one image, not {len(images)}: fix or remove {folder.name}"
    elif not (folder / "masks").is_dir():
        fault = f"{images[0]} has no folder masks next to images/: add it or remove {folder.name}"
    if fault:
        return Record(folder.name, partial(read_masks, folder, masks), (*images, *masks), fault)
    return of_masks(folder.name, images[0], masks)
