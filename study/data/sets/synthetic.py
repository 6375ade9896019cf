"""Synthetic leaves and nuclei that carry the difficulty of the real ones; made from a seed, nothing to download."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter, grey_dilation, grey_erosion

from study.data.dataset import SPLITS, Dataset, Record
from study.data.settings import Data

GENERATOR_VERSION = 1  # raise it with every change of the pixels
MIN_VISIBLE = 20  # px; objects of which less is seen are left out
GOLDEN_ANGLE = np.deg2rad(137.5)  # between successive leaves of a rosette

SOIL, MOSS, GREEN, VEIN = np.array([[98, 78, 62], [112, 116, 50], [84, 158, 52], [156, 206, 122]], np.float32)


def open_synthetic(data: Data) -> Dataset:
    """`synthetic-leaves` or `synthetic-cells`; image i of a split depends on version, key, split and i alone."""
    generate, size, counts, is_leaves = {
        "synthetic-leaves": (rosette, 96, (128, 16, 24), True),
        "synthetic-cells": (nuclei, 128, (64, 16, 24), False),
    }[data.name]
    splits = {}
    for index, (split, count) in enumerate(zip(SPLITS, counts, strict=True)):
        seed = (GENERATOR_VERSION, *data.name.encode(), index)
        splits[split] = tuple(
            Record(f"{split}_{i:04d}", partial(_generated, generate, (*seed, i), size)) for i in range(count)
        )
    note = "images drawn anew for each split"
    return Dataset(data.name, splits, is_leaves, note, generator=f"version {GENERATOR_VERSION}, size {size}")


def _generated(generate: Callable, seed: tuple[int, ...], size: int) -> tuple[np.ndarray, np.ndarray]:
    return generate(np.random.default_rng(seed), size)


def rosette(rng: np.random.Generator, size: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """A plant of 5 to 10 leaves from above, the older and longer ones below, which scales with the side of the image.

    All leaves of a plant have one green, and a bright midvein runs along each. Where leaves overlap there is a thin
    shadow, a margin about as bright as a vein, both, or nothing: a boundary and a midvein do not differ by their
    surroundings alone (Wu et al. 2020, Fig. 2).

    Returns
    -------
    image : (size, size, 3) uint8 array
    labels : (size, size) int32 array
        Consecutive ids from the topmost leaf down; 0 is soil. A leaf under another may have several components.
    """
    count = rng.integers(6, 11)
    centre = size * (0.5 + rng.uniform(-0.03, 0.03, 2))
    angles = rng.uniform(0, 2 * np.pi) + GOLDEN_ANGLE * np.arange(count) + rng.normal(0, 0.25, count)
    lengths = size * np.linspace(0.22, rng.uniform(0.4, 0.48), count) * rng.uniform(0.92, 1.08, count)
    light = rng.uniform(0, 2 * np.pi)
    labels = np.zeros((size, size), np.int32)
    vein, tone = np.zeros((2, size, size), np.float32)
    found = 0
    for angle, length in zip(angles, lengths, strict=True):  # from the top down, so that what is covered stays covered
        mask, its_vein, its_tone = _leaf(rng, size, centre, angle, length, light)
        visible = mask & (labels == 0)
        if visible.sum() >= MIN_VISIBLE:
            found += 1
            labels[visible], vein[visible], tone[visible] = found, its_vein[visible], its_tone[visible]
    return _coloured(rng, labels, vein, tone), labels


def _leaf(rng, size: int, centre: np.ndarray, angle: float, length: float, light: float) -> tuple[np.ndarray, ...]:
    """Mask of one leaf, brightness of its midvein (0 to 1) and of its blade (about 1), each (size, size)."""
    rows, cols = np.ogrid[:size, :size]
    row, col = (rows - centre[0]).astype(np.float32), (cols - centre[1]).astype(np.float32)
    u = np.cos(angle) * col + np.sin(angle) * row  # px along the leaf from the plant's centre
    v = np.cos(angle) * row - np.sin(angle) * col + rng.uniform(-0.3, 0.3) / length * u * u  # px off the midvein
    petiole = rng.uniform(0.2, 0.36) * length
    along = (u - petiole) / (length - petiole)  # 0 to 1 on the blade
    position = np.clip(along, 0, 1) ** rng.uniform(1.0, 1.5)  # above 1: widest beyond the middle
    half_width = rng.uniform(0.2, 0.27) * length * 2 * np.sqrt(position * (1 - position))
    stalk = 0.012 * size * ((u > 0) & (along < 0.5))
    mask = np.abs(v) < np.maximum(half_width, stalk)
    vein = np.exp(-((v / (0.010 * size)) ** 2)) * np.clip(1.4 - along, 0, 1)
    aside = np.clip(np.abs(v) / np.maximum(half_width, 1), 0, 1)
    ribs = 0.03 * np.cos(2 * np.pi * (6 * along - 1.5 * aside))
    halves = 0.06 * np.sin(light - angle) * np.tanh(v)  # the halves of a blade face the light unequally
    return mask, vein, 1 + ribs + halves - 0.05 * aside**2


def _coloured(rng: np.random.Generator, labels: np.ndarray, vein: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """RGB image of a rosette whose ids count from the top down."""
    size, soil = len(labels), labels.max() + 1
    depth = np.where(labels == 0, soil, labels)
    reach = 2 * round(size / 96) + 1
    upper, lower = grey_erosion(depth, reach), grey_dilation(depth, reach)
    margin, shadow = rng.uniform(-0.2, 1, (2, soil + 1)).clip(0)  # of each leaf; a sixth have none
    vein = np.maximum(vein, np.where(lower > depth, 0.55 * margin[depth], 0))[..., None]
    leaf = GREEN * rng.uniform(0.9, 1.1, 3) * tone[..., None]
    image = np.where(labels[..., None] > 0, leaf + vein * (VEIN - leaf), _soil(rng, size))
    image *= np.where(upper < depth, 1 - 0.25 * shadow[upper], 1)[..., None]
    image = gaussian_filter(image, 0.005 * size, axes=(0, 1))
    image *= (_slope(rng, size, 0.15) * rng.uniform(0.85, 1.1))[..., None]
    image += rng.normal(0, 4, (size, size, 1)) + rng.normal(0, 2, image.shape)
    return image.clip(0, 255).astype(np.uint8)


def _soil(rng: np.random.Generator, size: int) -> np.ndarray:
    """(size, size, 3) soil with grains and patches of moss."""
    moss = 0.8 * np.clip(_texture(rng, size, 0.1) - rng.uniform(0, 2), 0, 1)[..., None]
    grain = 1 + 0.16 * _texture(rng, size, 0.008) + 0.08 * _texture(rng, size, 0.03)
    return (SOIL + moss * (MOSS - SOIL)) * grain[..., None]


def _texture(rng: np.random.Generator, size: int, scale: float) -> np.ndarray:
    """(size, size) noise of mean 0 and variance 1, smooth over `scale` of the image's side."""
    noise = gaussian_filter(rng.normal(size=(size, size)).astype(np.float32), scale * size)
    return (noise - noise.mean()) / noise.std()


def _slope(rng: np.random.Generator, size: int, largest: float) -> np.ndarray:
    """(size, size) illumination about 1 that changes linearly over rows and columns, by at most `largest` over each."""
    ramp = np.linspace(-0.5, 0.5, size)
    by_row, by_col = rng.uniform(-largest, largest, 2)
    return 1 + by_row * ramp[:, None] + by_col * ramp


def nuclei(rng: np.random.Generator, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """8 to 30 fluorescent nuclei, most of them touching another; unevenly bright, blurred, with photon noise.

    They scale with the side of the image. Gives a (size, size, 1) uint8 image, and (size, size) int32 labels with
    consecutive ids; 0 is background.
    """
    labels = np.zeros((size, size), np.int32)
    nearest = np.ones((size, size), np.float32)  # distance to the nucleus that is there, 1 at its outline
    signal = np.zeros((size, size), np.float32)
    for index, (row, col, radius) in enumerate(_places(rng, int(rng.integers(8, 31)), size), start=1):
        window = tuple(slice(max(0, int(c - 1.6 * radius)), int(c + 1.6 * radius) + 1) for c in (row, col))
        distance = _relative_distance(rng, nearest[window].shape, row - window[0].start, col - window[1].start, radius)
        closer = distance < nearest[window]
        labels[window][closer] = index
        nearest[window][closer] = distance[closer]
        signal[window][closer] = rng.lognormal(0, 0.3) * (1 - 0.45 * distance[closer] ** 2)
    signal *= 1 + 0.12 * _texture(rng, size, 0.015)
    light = gaussian_filter(signal * _slope(rng, size, 0.5), 0.008 * size)
    photons = rng.poisson(45 * light + rng.uniform(3, 7))
    image = photons * rng.uniform(2.0, 3.2) + rng.normal(0, 1, labels.shape)
    return image.clip(0, 255).astype(np.uint8)[..., None], labels


def _relative_distance(rng: np.random.Generator, shape, row: float, col: float, radius: float) -> np.ndarray:
    """Distance to (row, col) relative to a wavy ellipse around it: 1 on the outline."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    y, x = rows - row, cols - col
    turn = rng.uniform(0, np.pi)
    stretch = rng.uniform(1.0, 1.25)
    u, v = (np.cos(turn) * x + np.sin(turn) * y) / stretch, (np.cos(turn) * y - np.sin(turn) * x) * stretch
    theta = np.arctan2(v, u)
    waves = sum(rng.uniform(0, 0.05) * np.cos(k * theta + rng.uniform(0, 2 * np.pi)) for k in (2, 3, 5))
    return np.hypot(u, v) / (radius * (1 + waves))


def _places(rng: np.random.Generator, count: int, size: int) -> list[tuple[float, float, float]]:
    """(row, column, radius) of `count` nuclei, two thirds of them put next to one that is there already."""
    places: list[tuple[float, float, float]] = []
    while len(places) < count:
        radius = size * rng.uniform(0.045, 0.075)
        row, col = rng.uniform(0.05, 0.95, 2) * size
        if places and rng.random() < 0.67:
            row, col, other = places[rng.integers(len(places))]
            angle, gap = rng.uniform(0, 2 * np.pi), rng.uniform(0.8, 1.0) * (radius + other)
            row, col = row + gap * np.sin(angle), col + gap * np.cos(angle)
        free = all(np.hypot(row - r, col - c) >= 0.78 * (radius + other) for r, c, other in places)
        if free and 0.05 * size <= min(row, col) and max(row, col) <= 0.95 * size:
            places.append((row, col, radius))
    return places
