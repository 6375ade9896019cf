"""What differences so many seeds could tell, by the spread of trainings and images that the study has found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ablations import find_ablations
from reports.publish.scores import of_images, verdicts_from
from study.ablation.statistics import pooled_components
from study.ablation.statistics.power import seeds_needed, smallest_difference
from study.metrics import headline
from study.runs.job import Result

WANTED = (0.02, 0.05)  # differences whose cost in seeds is told
COLUMNS = ("data", "question", "score", "seeds", "images", "comparisons", "alone", "first", *map(str, WANTED))


def power_frame(results: Mapping[str, Mapping[tuple[int, str], Sequence[Result]]]) -> pd.DataFrame:
    """The smallest differences that questions could tell: a row each, `COLUMNS`.

    `alone` is that of a single comparison, `first` that of the first by Holm of all `comparisons` which the claims make
    in the question and score; the last columns are the numbers of seeds that `first` would need to be so small, empty
    where no number suffices. Questions with one seed are left out: they do not show how trainings spread.

    Parameters
    ----------
    results : mapping
        Those of `read_scores`, by data set.
    """
    rows = [row for data, found in results.items() for row in _rows(data, found)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({str(wanted): "Int64" for wanted in WANTED})


def _rows(data: str, results: Mapping[tuple[int, str], Sequence[Result]]) -> Iterator[tuple]:
    questions = find_ablations()
    for (times, name), found in results.items():
        runs = of_images(found)
        components = pooled_components(questions[name], runs) if times == 1 else None
        if components is None:
            continue
        score = headline(column for run in runs for column in run.table).key
        judged = [verdict for verdict in verdicts_from(found, questions[name], data) if verdict.score == score]
        tested = {one.step.same_as[0]: one for verdict in judged for one in verdict.found if np.isfinite(one.p)}
        if not tested:
            continue
        seeds, images = (min(getattr(one, what) for one in tested.values()) for what in ("seeds", "images"))
        smallest = [smallest_difference(components, seeds, images, count) for count in (1, len(tested))]
        needed = [seeds_needed(components, wanted, images, len(tested)) for wanted in WANTED]
        yield (data, name, score, seeds, images, len(tested), *smallest, *needed)
