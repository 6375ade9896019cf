"""Control of the budget: whether the sign of main comparisons stays with twice and four times the steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from ablations import find_ablations
from reports.publish.scores import verdicts_from
from study.runs.job import Result

SEED = 0  # the only one of the control
_MAIN = {  # claim -> the comparison of it
    "18": "W-Net − U-Net, angular",
    "17": "angular − mutex-watershed, W-Net",
    "7": "local constraints − global constraints, 8 dimensions",
}
COLUMNS = ("data", "claim", "comparison", "score", "times", "value", "low", "high", "images")


def control_frame(results: Mapping[str, Mapping[tuple[int, str], Sequence[Result]]]) -> pd.DataFrame:
    """The main comparisons in one seed at each budget, of those that were made at several: a row each, `COLUMNS`.

    `results` are those of `read_scores`, by data set.
    """
    rows = [row for data, found in results.items() for row in _rows(data, found)]
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    several = frame.groupby(["data", "claim"])["times"].transform("nunique") > 1
    return frame[several].sort_values(["data", "claim", "times"], kind="stable", ignore_index=True)


def _rows(data: str, results: Mapping[tuple[int, str], Sequence[Result]]) -> Iterator[dict]:
    questions = find_ablations()
    for (times, question), found in results.items():
        of_seed = [result for result in found if result.seed == SEED]
        judged = verdicts_from(of_seed, questions[question], data)
        for key, label in _MAIN.items():
            verdict = next((verdict for verdict in judged if verdict.claim.key == key), None)
            for step in verdict.found if verdict else ():
                if step.step.label == label:
                    mean = step.interval
                    numbers = (mean.mean, mean.low, mean.high, step.images)
                    about = (data, key, label, verdict.score if verdict else "", times)
                    yield dict(zip(COLUMNS, (*about, *numbers), strict=True))


def keeps_sign(values: Sequence[float]) -> bool:
    """Whether all differences have the same sign."""
    return len({*np.sign(values)}) == 1


def changing_signs(frame: pd.DataFrame) -> set[tuple[str, str]]:
    """The data sets and claims of a `control_frame` whose comparison changes its sign."""
    groups = frame.groupby(["data", "claim"])["value"]
    return {(str(data), str(claim)) for (data, claim), values in groups if not keeps_sign(values.tolist())}
