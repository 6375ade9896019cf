"""Which launches the study is made of: rows of the study and the store of its records -> a launch of each question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ablations import asked_by
from ablations._study import Row
from reports.blocks.launch_results import LaunchResults, load_launches
from study import tracking
from study.tracking import StoredRun


@dataclass(frozen=True)
class Chosen:
    """What there is of a data set at a budget.

    Attributes
    ----------
    row : Row
        One of its rows, for what they have in common.
    questions : tuple of str
        Names of the ablations that its rows ask.
    planned : int
        How many of them there will be, each once for each seed.
    launches : dict
        Name of the ablation -> its launch, in the order of the papers.
    note : str
        What a reader must know of the images.
    """

    row: Row
    questions: tuple[str, ...]
    planned: int
    launches: dict[str, LaunchResults] = field(default_factory=dict)
    note: str = ""


def choose(rows: Sequence[Row]) -> list[Chosen]:
    """What there is in the store in use of each data set and budget, in the order of the rows."""
    found: dict[str, list[StoredRun]] = {}  # experiment -> launches
    for run in tracking.launches():
        found.setdefault(tracking.experiment_of(run), []).append(run)
    return [_chosen(of_experiment, found.get(of_experiment[0].experiment, [])) for of_experiment in _grouped(rows)]


def _grouped(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for experiment in dict.fromkeys(row.experiment for row in rows):
        yield [row for row in rows if row.experiment == experiment]


def _chosen(rows: Sequence[Row], runs: Sequence[StoredRun]) -> Chosen:
    questions = tuple(dict.fromkeys(ablation.name for row in rows for ablation in asked_by(row.question)))
    of_study = [run.run_id for run in runs if run.tags.get("ablation", "") in questions]
    planned = set().union(*(row.asked for row in rows))
    note = " ".join(dict.fromkeys(row.note for row in rows if row.note))
    return Chosen(rows[0], questions, len(planned), load_launches(of_study), note)
