"""The images of a split, scored, and what is logged of that."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study import process
from study.clustering import Clustering
from study.evaluation import evaluate
from study.maps import ImageMaps
from study.runs.gallery import IMAGES as IN_GALLERY
from study.runs.gallery import GalleryImage, extremes_of, keep, shown_of
from study.runs.monitor import PICTURES, panels, shown_means
from study.runs.resources import network_images
from study.settings import Settings
from study.tracking import Point, TrackedRun

_DIGITS = 4


def score_split(
    maps: Sequence[ImageMaps],
    settings: Settings,
    run: TrackedRun,
    split: str,
    step: int,
    reference: Clustering | None = None,
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Cluster and score the images of a split, as `evaluate` does, and log table, pictures and means.

    Table and pictures are given back.
    """
    images = network_images(settings.data, split)
    found = evaluate(
        maps, images, settings.clustering, process.threads_in_use(), reference, keep=max(PICTURES, IN_GALLERY)
    )
    pictures = panels(images, maps, found.labels)
    shown = []
    if split == "test":
        shown = shown_of(images, maps, found.labels) + extremes_of(images, maps, found.table, settings.clustering)
    log_split(run, split, step, found.table, pictures, shown)
    return found.table, pictures


def log_split(
    run: TrackedRun,
    split: str,
    step: int,
    table: pd.DataFrame,
    pictures: Sequence[np.ndarray],
    shown: Sequence[GalleryImage],
) -> None:
    """Log what scoring a split gives: table, pictures, images that pages look at, and means.

    Means have the digits that the MLflow page has room for; everything that compares reads the table.
    """
    run.log_scores(split, table, pictures)
    if shown:
        keep(run, shown)
    run.log_metrics(Point(step, {name: round(value, _DIGITS) for name, value in shown_means(table, split).items()}))
