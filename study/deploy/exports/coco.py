"""Objects in the JSON format of COCO, as run lengths, which keep holes and several pieces to the pixel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

COCO = "coco"
COCO_FILE = "coco.json"
_CATEGORY = 1


class CocoImage(NamedTuple):
    """An image, or a plane of a stack, and its objects without their ids."""

    about: dict[str, Any]
    objects: list[dict[str, Any]]


def coco_images(image: str, labels: Sequence[np.ndarray]) -> list[CocoImage]:
    """The planes of an image from their (M, N) int labels; a stack has several, which are counted from 0."""
    return [
        CocoImage(
            {"file_name": image, "height": ids.shape[0], "width": ids.shape[1]}
            | ({"plane": plane} if len(labels) > 1 else {}),
            [
                _object(label, ids[box] == label, box, ids.shape)
                for label, box in enumerate(ndimage.find_objects(ids), start=1)
                if box is not None
            ],
        )
        for plane, ids in enumerate(labels)
    ]


def write_coco(file: Path, images: Iterable[CocoImage]) -> None:
    """Write images and their objects; each annotation has its id in the label image as `label`, too."""
    listed, annotations = [], []
    for number, (about, objects) in enumerate(images, start=1):
        listed.append({"id": number, **about})
        for found in objects:
            ids = {"id": len(annotations) + 1, "image_id": number, "category_id": _CATEGORY, "iscrowd": 0}
            annotations.append({**ids, **found})
    content = {"images": listed, "annotations": annotations, "categories": [{"id": _CATEGORY, "name": "object"}]}
    file.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _object(label: int, mask: np.ndarray, box: tuple[slice, slice], shape: tuple[int, int]) -> dict[str, Any]:
    rows, columns = box
    return {
        "label": label,
        "area": int(mask.sum()),
        "bbox": [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start],
        "segmentation": {"size": list(shape), "counts": _packed(_run_lengths(mask, rows.start, columns.start, shape))},
    }


def _run_lengths(mask: np.ndarray, row: int, column: int, shape: tuple[int, int]) -> list[int]:
    """Lengths of the runs of 0 first, then of 1 and 0 in turn, column by column, of a mask at a place in an image."""
    columns, rows = np.nonzero(mask.T)
    inside = (columns + column) * shape[0] + rows + row
    breaks = np.flatnonzero(np.diff(inside) > 1)
    starts = inside[np.append(0, breaks + 1)]
    ends = inside[np.append(breaks, -1)] + 1
    edges = np.stack([starts, ends], axis=1).ravel()
    return np.diff(np.concatenate([[0], edges, [shape[0] * shape[1]]])).tolist()


def _packed(counts: Sequence[int]) -> str:
    """Run lengths as the text of pycocotools: five bits a character, and from the fourth on differences."""
    text = []
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        more = True
        while more:
            bits, value = value & 0x1F, value >> 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append(chr(48 + (bits | 0x20 if more else bits)))
    return "".join(text)
