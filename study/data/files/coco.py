"""Labels in the JSON format of COCO: polygons or run lengths of each object of each image."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from skimage.draw import polygon2mask

from study.data.dataset import Record
from study.data.files.masks import Merged, merge
from study.data.files.names import path_from, stem_of
from study.data.files.reading import read_image
from study.errors import StudyError


def coco_records(file: Path, images: Mapping[str, Sequence[Path]], names: Sequence[str] | None = None) -> list[Record]:
    """Records of the images that a file of annotations names, each with its objects.

    Parameters
    ----------
    file : Path
    images : dict
        Stem -> files, of all images there are.
    names : sequence of str, optional
        Those wanted, in their order; all that the file or `images` has by default.

    Raises
    ------
    StudyError
        If the file is not of this format.
    """
    listed = _objects(file, file.stat().st_mtime_ns)
    return [_record(file, name, images.get(name, ()), name in listed) for name in names or sorted({*images, *listed})]


def _record(file: Path, name: str, found: Sequence[Path], listed: bool) -> Record:
    fault = ""
    if len(found) > 1:
        fault = f"{' and '.join(map(str, found))} have one name: remove all but one"
    elif not found:
        fault = f"{file} lists {name}, of which there is no image: add it or remove the entry"
    elif not listed:
        fault = f"{found[0]} is not listed in {file}: add it or remove the image"
    if fault:
        return Record(name, partial(_read, file, name, file), (*found, file), fault)
    read, settled = partial(_read, file, name, found[0]), partial(_defects, file, name, found[0])
    return Record(name, read, (found[0], file), "", partial(read_image, found[0]), settled=settled)


def _read(file: Path, name: str, image: Path) -> tuple[np.ndarray, np.ndarray]:
    pixels = read_image(image)
    return pixels, _merged(file, name, pixels).labels


def _defects(file: Path, name: str, image: Path) -> list[str]:
    return _merged(file, name, read_image(image)).defects


def _merged(file: Path, name: str, pixels: np.ndarray) -> Merged:
    rows, columns = pixels.shape[:2]
    try:
        masks = list(_masks(file, _objects(file, file.stat().st_mtime_ns)[name], (rows, columns)))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise StudyError(f"{file}: an object of {name} is neither polygons nor run lengths ({error})") from error
    return merge(masks, (rows, columns), name)


def _masks(file: Path, objects: Sequence[Any], shape: tuple[int, int]) -> Iterator[tuple[str, np.ndarray]]:
    for index, found in enumerate(objects):
        shown = found["segmentation"]
        mask = _of_run_lengths(shown) if isinstance(shown, dict) else _of_polygons(shown, shape)
        yield f"{file}: annotation {found.get('id', index)}", mask


@lru_cache(maxsize=4)
def _objects(file: Path, changed: int) -> dict[str, list[Any]]:
    """Stem of an image -> its annotations; `changed` is the time at which the file was."""
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        stems = {image["id"]: stem_of(path_from(image["file_name"])) for image in content["images"]}
        found: dict[str, list[Any]] = {stem: [] for stem in stems.values()}
        for annotation in content["annotations"]:
            found[stems[annotation["image_id"]]].append(annotation)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(
            f"{file} holds no annotations of COCO, which are images and annotations ({error}): save labels as PNG or "
            "TIFF"
        ) from error
    return found


def _of_polygons(polygons: Sequence[Sequence[float]], shape: tuple[int, int]) -> np.ndarray:
    """Pixels whose middle is in one of the polygons [x, y, x, y, …], which count from the corner of the first pixel."""
    mask = np.zeros(shape, bool)
    for polygon in polygons:
        x, y = np.reshape(np.asarray(polygon, float), (-1, 2)).T
        mask |= polygon2mask(shape, np.stack([y - 0.5, x - 0.5], axis=1))
    return mask


def _of_run_lengths(shown: Mapping[str, Any]) -> np.ndarray:
    """Pixels of run lengths: of 0 first, then of 1 and 0 in turn, column by column."""
    rows, columns = shown["size"]
    counts = shown["counts"] if isinstance(shown["counts"], list) else _unpacked(shown["counts"])
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return values.reshape(columns, rows).T


def _unpacked(text: str) -> list[int]:
    """Run lengths from the text of pycocotools: five bits a character, and from the third on a difference."""
    counts: list[int] = []
    value = shift = 0
    for code in (ord(character) - 48 for character in text):
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value |= -1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return counts
