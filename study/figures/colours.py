"""Colours of maps and label images."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from matplotlib.colors import hsv_to_rgb

_LINE = 25  # grey of a line between two objects
_OUTSIDE = 0.3  # of its brightness a picture keeps outside of objects


def embedding_colours(embedding: np.ndarray) -> np.ndarray:
    """Embedding as colours, by one projection for all images and runs, so that pictures compare.

    Each dimension of the embedding has a direction in colour space; the directions are spread evenly over the sphere.
    Unit vectors (M, N, E) become uint8 (M, N, 3).
    """
    dims = embedding.shape[2]
    height = 1 - 2 * (np.arange(dims) + 0.5) / dims  # Fibonacci lattice on the sphere
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(dims)
    radius = np.sqrt(1 - height**2)
    directions = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
    return np.clip(128 + 127 * (embedding.astype(np.float32) @ directions), 0, 255).astype(np.uint8)


def dimmed(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """A picture (M, N, 3) that is darker outside of objects (M, N).

    The loss asks nothing of an embedding there, whose bright colours would draw the eye away from the objects.
    """
    return np.where(labels[..., None] > 0, picture, (_OUTSIDE * picture).astype(np.uint8))


def label_colours(labels: np.ndarray) -> np.ndarray:
    """Labels (M, N) as uint8 colours (M, N, 3), far apart for consecutive ids; the background is black."""
    ids = np.arange(labels.max(initial=0) + 1)
    hsv = np.stack([ids * 0.618034 % 1, 0.55 + 0.4 * (ids % 2), 1 - 0.25 * (ids // 2 % 2)], axis=1)
    table = (255 * hsv_to_rgb(hsv)).astype(np.uint8)
    table[0] = 0
    return table[labels]


def label_picture(labels: np.ndarray) -> np.ndarray:
    """Labels (M, N) as a picture (M, N, 3) in `label_colours`, with a dark line between objects that touch.

    The line is a pixel wide. Without it, colours that a colour-blind eye cannot tell apart become one object.
    """
    picture = label_colours(labels)
    below, right = np.zeros(labels.shape, bool), np.zeros(labels.shape, bool)
    below[:-1] = (labels[:-1] != labels[1:]) & (labels[:-1] > 0) & (labels[1:] > 0)
    right[:, :-1] = (labels[:, :-1] != labels[:, 1:]) & (labels[:, :-1] > 0) & (labels[:, 1:] > 0)
    picture[below | right] = _LINE
    return picture


def matched_to(true: np.ndarray, pred: np.ndarray) -> np.ndarray:
    """Predicted labels renamed so that an object has the id of the true object that it covers most.

    Where several want the same id, the largest overlap gets it; the others, and objects over background, get new ids.
    """
    pairs, counts = np.unique(np.stack([pred.ravel(), true.ravel()]), axis=1, return_counts=True)
    names: dict[int, int] = {}
    for i in np.argsort(-counts, kind="stable"):
        p, t = (int(n) for n in pairs[:, i])
        if p and t and p not in names and t not in names.values():
            names[p] = t
    new = int(true.max(initial=0))
    table = np.zeros(int(pred.max(initial=0)) + 1, np.int32)
    for p in np.unique(pred[pred > 0]):
        new += p not in names
        table[p] = names.get(int(p), new)
    return table[pred]


def found_colours(labels: np.ndarray, found: Collection[int]) -> np.ndarray:
    """Labels (M, N) as uint8 colours (M, N, 3): the objects `found` in blues, all others in reds, on black.

    The shades keep objects apart that touch each other (Chen et al. 2019, Fig. 3).
    """
    ids = np.arange(labels.max(initial=0) + 1)
    hue = np.where(np.isin(ids, [*found]), 0.6, 0.0)
    hsv = np.stack([hue, 0.5 + 0.4 * (ids % 2), 1 - 0.25 * (ids // 2 % 2)], axis=1)
    table = (255 * hsv_to_rgb(hsv)).astype(np.uint8)
    table[0] = 0
    return table[labels]
