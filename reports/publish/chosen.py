"""Which launches the study is made of: rows of the study and stores -> the newest finished launch of each question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ablations import asked_by
from ablations._study import Row
from reports.blocks.launch_results import LaunchResults, load_launches
from study import tracking
from study.errors import StudyError
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
    store : str
        Where its launches lie; empty without any.
    launches : dict
        Name of the ablation -> its launch, in the order of the papers.
    """

    row: Row
    questions: tuple[str, ...]
    store: str = ""
    launches: dict[str, LaunchResults] = field(default_factory=dict)


def choose(rows: Sequence[Row], stores: Sequence[str]) -> list[Chosen]:
    """What there is in some stores of each data set and budget, in the order of the rows.

    Raises StudyError if there is no launch of the study at all, or the launches of a data set lie in several stores.
    """
    found: dict[str, dict[str, list[StoredRun]]] = {}  # experiment -> store -> launches
    for store in stores:
        tracking.use_store(store)
        for run in tracking.launches():
            found.setdefault(tracking.experiment_of(run), {}).setdefault(store, []).append(run)
    chosen = [_chosen(of_experiment, found.get(of_experiment[0].experiment, {})) for of_experiment in _grouped(rows)]
    if not any(one.launches for one in chosen):
        names = ", ".join(dict.fromkeys(row.experiment for row in rows))
        raise StudyError(
            f"{', '.join(stores)} holds no launch in the experiments of the study ({names}): start them with "
            "python -m ablations._study --data_root DATA, or name other stores by --stores"
        )
    return chosen


def _grouped(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for experiment in dict.fromkeys(row.experiment for row in rows):
        yield [row for row in rows if row.experiment == experiment]


def _chosen(rows: Sequence[Row], by_store: dict[str, list[StoredRun]]) -> Chosen:
    questions = tuple(dict.fromkeys(ablation.name for row in rows for ablation in asked_by(row.question)))
    of_study = {
        store: found for store, runs in by_store.items() if (found := [r for r in runs if _asked(r) in questions])
    }
    if len(of_study) > 1:
        raise StudyError(
            f"launches of the experiment {rows[0].experiment} lie in {' and '.join(of_study)}: "
            "give --stores only one store for each data set and budget"
        )
    for store, runs in of_study.items():
        tracking.use_store(store)
        runs.sort(key=lambda run: (run.state == "FINISHED", run.started))
        newest = {_asked(run): run.run_id for run in runs}
        return Chosen(rows[0], questions, store, load_launches(list(newest.values())))
    return Chosen(rows[0], questions)


def _asked(run: StoredRun) -> str:
    return run.tags.get("ablation", "")
