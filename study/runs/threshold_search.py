"""Thresholds of a run, searched on validation images, and what is logged of the search."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from study import figures
from study.data.batches import NetworkImage
from study.files import cannot_write
from study.maps import ImageMaps
from study.paper import paper_settings
from study.process import threads_in_use
from study.settings import Settings
from study.tracking import Point, TrackedRun
from study.tuning import SearchResult, score_on, search

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def search_thresholds(
    maps: Sequence[ImageMaps],
    images: Sequence[NetworkImage],
    settings: Settings,
    run: TrackedRun,
    file: Path,
    objectives: Sequence[str],
) -> Settings:
    """Settings with the thresholds that are best on the given images; the search is logged to the run.

    It sees nothing but these images and their maps, so that no test image can have a part in it.

    Parameters
    ----------
    maps, images : sequences of the same length
        Of validation images, the first `tuning.images` of which are used, or all where that is 0.
    settings : Settings
        Clustering to begin with, bounds of the search, and its seed.
    run : TrackedRun
    file : Path
        Where trials are kept.
    objectives : sequence of str
        Keys of `study.tuning.OBJECTIVES`.

    Raises
    ------
    StudyError
        If the file cannot be written.
    """
    count = min(len(images), settings.tuning.images or len(images))
    started = time.perf_counter()
    try:
        found = search(
            score_on(maps, images),
            count,
            settings.clustering,
            paper_settings(settings).clustering,
            settings.tuning,
            seed=settings.seed,
            objectives=objectives,
            file=file,
            threads=threads_in_use(),
        )
    except OSError as error:
        raise cannot_write(file, error) from error
    values = {f"clustering.{name}": getattr(found.best, name) for name in found.names}
    chosen = settings.clustering
    caption = f"{count} validation {settings.kind}, {chosen.method}, foreground {chosen.foreground}."
    run.log_search(values, found.trials, _figures(found, caption))
    run.log_metrics(Point(0, {"perf/search_seconds": time.perf_counter() - started}))
    return replace(settings, clustering=found.best)


def _figures(found: SearchResult, caption: str) -> dict[str, Figure]:
    """Figures of a search by the names of their files."""
    trials, objective = found.trials, found.objectives[0]
    ranked = sorted(found.names, key=lambda name: -found.importance.get(name, 0))
    named = {
        "history": figures.search_history(trials, found.importance, objective, caption),
        "slices": figures.search_slices(trials, found.names, objective, caption),
        "contour": figures.search_contour(trials, ranked[:2], objective, caption),
    }
    if len(found.objectives) > 1:
        named["front"] = figures.search_front(trials, found.objectives[:2], caption)
    return named
