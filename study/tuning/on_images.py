"""Search of the thresholds of a run on the maps of its validation images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from study.clustering import Clustering
from study.data.batches import NetworkImage
from study.maps import ImageMaps
from study.metrics import scores
from study.segmentation import label_image
from study.settings import Settings
from study.tuning.trials import Score, SearchResult, search


def search_on_images(
    maps: Sequence[ImageMaps],
    images: Sequence[NetworkImage],
    settings: Settings,
    *,
    objectives: Sequence[str],
    file: Path,
    threads: int,
) -> SearchResult:
    """What `search` finds on the first `tuning.images` of some images, or on all of them where that is 0.

    Parameters
    ----------
    maps, images : sequences of the same length
    settings : Settings
        Clustering to begin with, bounds of the search, and its seed.
    objectives : sequence of str
        Keys of `study.tuning.OBJECTIVES`.
    file : Path
        Where trials are kept.
    threads : int
        Images scored at once.
    """
    return search(
        score_on(maps, images),
        images_searched(len(images), settings),
        settings.clustering,
        settings.tuning,
        seed=settings.seed,
        objectives=objectives,
        file=file,
        threads=threads,
    )


def images_searched(images: int, settings: Settings) -> int:
    """How many of that many images a search uses."""
    return min(images, settings.tuning.images or images)


def score_on(maps: Sequence[ImageMaps], images: Sequence[NetworkImage]) -> Score:
    """Scores of images from their stored maps: the network is not needed again."""

    def score(clustering: Clustering, i: int) -> dict[str, float]:
        true = images[i].original
        return scores(true, label_image(maps[i], images[i], clustering), "volumes" if true.ndim == 3 else "images")

    return score
