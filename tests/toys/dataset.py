"""A data set in one file: discs that cover each other, drawn from a seed, so that there is nothing to download."""

from __future__ import annotations

from functools import partial

import numpy as np

from study.data.dataset import SPLITS, Dataset, Record
from study.data.settings import Data

VERSION = 1  # raise it with every change of the pixels: with the name it identifies them
SIDE, DISCS, COUNTS = 48, 6, (8, 4, 4)  # px; discs of an image; images of each split


def open_discs(data: Data) -> Dataset:
    """Grey images of six discs each; what image i of a split shows depends on version, split and i alone."""
    splits = {
        split: tuple(Record(f"{split}_{i:02d}", partial(discs, (VERSION, index, i))) for i in range(count))
        for index, (split, count) in enumerate(zip(SPLITS, COUNTS, strict=True))
    }
    return Dataset(data.name, splits, False, "images drawn anew for each split", generator=f"version {VERSION}")


def discs(seed: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(SIDE, SIDE, 1) uint8 image, and (SIDE, SIDE) int32 labels; later discs lie on top, 0 is background."""
    rng = np.random.default_rng(seed)
    rows, columns = np.ogrid[:SIDE, :SIDE]
    labels = np.zeros((SIDE, SIDE), np.int32)
    for index in range(1, DISCS + 1):
        row, column, radius = *rng.uniform(0, SIDE, 2), rng.uniform(4, 9)
        labels[np.hypot(rows - row, columns - column) < radius] = index
    brightness = np.array([30, *rng.uniform(90, 220, DISCS)])
    image = brightness[labels] + rng.normal(0, 6, labels.shape)
    return image.clip(0, 255).astype(np.uint8)[..., None], labels
