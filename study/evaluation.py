"""Maps -> labels -> scores per image."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import psutil

from study.config import Clustering
from study.data.batches import NetworkImage
from study.inference import ImageMaps
from study.metrics import neighbour_angle, scores
from study.segmentation import label_image


@dataclass(frozen=True)
class Evaluation:
    """What clustering and scoring of a split gives.

    Attributes
    ----------
    table : DataFrame
        A row per image: `image`, the scores of `study.metrics.scores`, and `neighbour_angle` in degrees (NaN where
        the embedding does not go by angles).
    labels : list of (M, N) int32 arrays
    seconds : float
        Mean time to cluster an image.
    peak_mib : float
        Memory that the process took in addition while it clustered, MiB; other threads count in.
    """

    table: pd.DataFrame
    labels: list[np.ndarray]
    seconds: float
    peak_mib: float


REFERENCE_SCORES = ("sbd", "sbd_legacy")  # of these the value with the reference's thresholds stands in the table too


def evaluate(
    maps: Sequence[ImageMaps],
    images: Sequence[NetworkImage],
    settings: Clustering,
    threads: int = 1,
    reference: Clustering | None = None,
) -> Evaluation:
    """Cluster the maps of images and score the labels at the images' original size.

    Parameters
    ----------
    maps, images : sequences of the same length
    settings : Clustering
    threads : int
        Images are clustered in that many threads.
    reference : Clustering, optional
        With the paper's thresholds: what these give stands in further columns `{score}_paper_thresholds`.
    """

    def one(pair: tuple[ImageMaps, NetworkImage]) -> tuple[dict, np.ndarray, float]:
        found, image = pair
        started = time.perf_counter()
        labels = label_image(found, image, settings)
        seconds = time.perf_counter() - started
        goes_by_angles = settings.metric == "angle" and found.embedding.shape[2]
        angle = neighbour_angle(found.embedding, image.labels, image.adjacent) if goes_by_angles else np.nan
        row = {"image": image.name, **scores(image.original, labels), "neighbour_angle": angle}
        return row, labels, seconds

    with _PeakMemory() as memory, ThreadPoolExecutor(max(1, threads)) as pool:
        results = list(pool.map(one, list(zip(maps, images, strict=True))))
    table = pd.DataFrame([row for row, _, _ in results])
    if reference is not None and len(table):
        other = table if reference == settings else evaluate(maps, images, reference, threads).table
        for score in REFERENCE_SCORES:
            table[f"{score}_paper_thresholds"] = other[score]
    seconds = float(np.mean([seconds for _, _, seconds in results])) if results else 0.0
    return Evaluation(table, [labels for _, labels, _ in results], seconds, memory.mib)


def means(table: pd.DataFrame) -> dict[str, float]:
    """Mean of each score over the images; nothing where there are none, or none has the score."""
    if table.empty:
        return {}
    return {str(name): float(value) for name, value in table.drop(columns="image").mean().dropna().items()}


def in_words(table: pd.DataFrame, split: str) -> str:
    """The means of a table of scores in a line, such as `20 test images: SBD 0.831, …`."""
    scores = means(table)
    shown = {"SBD": "sbd", "foreground Dice": "fbd", "|DiC|": "abs_dic", "mAP": "map"}
    values = ", ".join(f"{name} {scores[key]:.3f}" for name, key in shown.items() if key in scores)
    return f"{len(table)} {split} images: {values}"


class _PeakMemory:
    """Largest growth of this process's memory inside the block, read every few milliseconds.

    Libraries in C allocate where Python's own tracing does not look.
    """

    def __enter__(self) -> _PeakMemory:
        self._process, self._end = psutil.Process(), threading.Event()
        self._before = self._peak = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._end.wait(0.005):
            self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self.mib = (self._peak - self._before) / 2**20
