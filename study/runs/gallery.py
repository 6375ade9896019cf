"""The test images that pages look at closely: their labels, and pictures of their maps, as one file of a run.

All runs on the same data keep the same images, so that a page can choose among them by what one run makes of them and
show what the others make of the same ones. Beside these, a run keeps its own worst and best images, for its card.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from study import figures, tracking
from study.clustering import Clustering
from study.data.batches import NetworkImage, resize_labels
from study.maps import ImageMaps
from study.metrics import headline, mean_directions
from study.segmentation import label_image
from study.tracking import TrackedRun

IMAGES = 24  # the first ones of the test images
EXTREMES = 5  # worst images, and as many best ones
SIDE = 256  # px; of larger images every second, third, ... pixel is kept, but for the labels
_FILE, _EXTREMES_FILE = "gallery_test.npz", "extremes_test.npz"
_NAMES = "names"
_WHOLE = 3  # dimensions; vectors of that many can be drawn in space


@dataclass(frozen=True)
class GalleryImage:
    """A test image, and what a run has made of it.

    The pictures have one size (M, N), the labels (M', N') that of the image itself; what a run lacks is None.

    Attributes
    ----------
    truth, labels : (M', N') int array
    picture : (M, N, 3) uint8 array
    distance : (M, N) uint8 array, optional
        The map that tells where objects are, 255 at its maximum.
    embedding : (M, N, 3) uint8 array, optional
        In the colours of `study.figures.embedding_colours`.
    turn : (M, N) uint8 array, optional
        Degrees between the embedding of a pixel and the mean direction of its true object; 0 in the background.
    vectors : (M, N, 3) float16 array, optional
        An embedding of three dimensions itself.
    """

    name: str
    truth: np.ndarray
    labels: np.ndarray
    picture: np.ndarray
    distance: np.ndarray | None = None
    embedding: np.ndarray | None = None
    turn: np.ndarray | None = None
    vectors: np.ndarray | None = None

    def scaled(self, labels: np.ndarray) -> np.ndarray:
        """Labels of the size of the image at the size of the pictures."""
        return resize_labels(labels, self.picture.shape[:2])


def gallery_image(
    name: str, image: np.ndarray, truth: np.ndarray, labels: np.ndarray, maps: ImageMaps | None = None
) -> GalleryImage:
    """Of an image (M, N, C) of any range, its labels (M', N'), and what a network gives for it where there is one."""
    step = -(-max(image.shape[:2]) // SIDE)
    window = (slice(None, None, step), slice(None, None, step))
    kept = {"picture": figures.image_picture(image)[window]}
    if maps is not None:
        kept["distance"] = figures.relative_brightness(maps.objectness)[window][..., 0]
    if maps is not None and maps.embedding.shape[-1]:
        embedding = np.nan_to_num(maps.embedding[window], nan=0, posinf=0, neginf=0)
        kept["embedding"] = figures.embedding_colours(embedding)
        if maps.metric == "angle":
            kept["turn"] = _turn(embedding, resize_labels(truth, embedding.shape[:2]))
            if embedding.shape[2] == _WHOLE:
                kept["vectors"] = embedding
    return GalleryImage(name, truth, labels, **kept)


def _turn(embedding: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Degrees between the embedding of a pixel and the mean direction of its object, see `GalleryImage`."""
    directions = mean_directions(embedding, labels, int(labels.max(initial=0)) + 1)
    cosines = (embedding * directions.vectors[labels]).sum(axis=2)
    turn = np.degrees(np.arccos(np.clip(cosines, -1, 1))).round()
    return np.where(labels > 0, turn, 0).astype(np.uint8)


def shown_of(
    images: Sequence[NetworkImage], maps: Sequence[ImageMaps], labels: Sequence[np.ndarray]
) -> list[GalleryImage]:
    """What is kept of the first of the test images; nothing of volumes."""
    shown = list(zip(images[:IMAGES], maps, labels, strict=False))
    if not shown or shown[0][0].labels.ndim != 2:
        return []
    return [gallery_image(i.name, i.pixels, i.original, found, m) for i, m, found in shown]


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """A table of scores from the worst image to the best one, by the headline score; without those that have none."""
    score = headline(table)
    if score.key not in table:
        return table.head(0)
    known = table.dropna(subset=[score.key])
    return known.sort_values(score.key, ascending=score.sign > 0, kind="stable", ignore_index=True)


def extremes(table: pd.DataFrame) -> set[str]:
    """Names of the worst and the best images of a table of scores."""
    names = ranked(table)["image"].astype(str).tolist() if len(table) else []
    return {*names[:EXTREMES], *names[-EXTREMES:]}


def extremes_of(
    images: Sequence[NetworkImage], maps: Sequence[ImageMaps], table: pd.DataFrame, clustering: Clustering
) -> list[GalleryImage]:
    """The worst and the best images that are not among the first; of these alone labels are made again."""
    wanted = extremes(table)
    later = list(zip(images, maps, strict=True))[IMAGES:]
    return [
        gallery_image(i.name, i.pixels, i.original, label_image(m, i, clustering), m)
        for i, m in later
        if i.name in wanted and i.labels.ndim == 2
    ]


def keep(run: TrackedRun, images: Sequence[GalleryImage]) -> None:
    """Log images as files of a run: the first of the test images, and what comes after these, its extremes."""
    _log(run, images[:IMAGES], _FILE)
    if images[IMAGES:]:
        _log(run, images[IMAGES:], _EXTREMES_FILE)


def _log(run: TrackedRun, images: Sequence[GalleryImage], file: str) -> None:
    arrays = {_NAMES: np.array([image.name for image in images])}
    for i, image in enumerate(images):
        for name, value in vars(image).items():
            if isinstance(value, np.ndarray):
                arrays[f"{i}.{name}"] = _narrow(value) if name in ("truth", "labels") else value
    run.log_arrays(arrays, file)


def _narrow(labels: np.ndarray) -> np.ndarray:
    """Labels in two bytes where they fit."""
    return labels.astype(np.uint16) if labels.max(initial=0) <= np.iinfo(np.uint16).max else labels


def gallery_of(run_id: str) -> list[GalleryImage]:
    """The images that all runs on the same data keep; none where a run keeps none that can be read."""
    return _read(run_id, _FILE)


def images_of(run_id: str) -> list[GalleryImage]:
    """All images that a run keeps: those of `gallery_of`, and its own extremes."""
    return [*gallery_of(run_id), *_read(run_id, _EXTREMES_FILE)]


def _read(run_id: str, file: str) -> list[GalleryImage]:
    arrays = tracking.stored_arrays(run_id, file)
    if arrays is None or _NAMES not in arrays:
        return []
    images: list[dict[str, np.ndarray]] = [{} for _ in arrays[_NAMES]]
    for key, value in arrays.items():
        place, _, name = key.partition(".")
        if name:
            images[int(place)][name] = value.astype(np.int32) if name in ("truth", "labels") else value
    return [GalleryImage(str(name), **of_image) for name, of_image in zip(arrays[_NAMES], images, strict=True)]
