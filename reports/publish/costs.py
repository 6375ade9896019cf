"""What the study has cost: runs, trainings and hours, as the store has them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.publish.chosen import Chosen

SECONDS = "perf/training_seconds"  # metric of a training
COLUMNS = ("data", "times", "question", "seeds", "runs", "trainings", "hours")


def cost_frame(chosen: Sequence[Chosen]) -> pd.DataFrame:
    """A row per launch; a training that several questions share counts for the first of them."""
    rows: list[tuple] = []
    counted: set[str] = set()
    for one in (one for one in chosen if one.launches):
        for name, launch in one.launches.items():
            trained = {run.tags.get("training_digest", run.run_id): run for run in launch.trainings.values()}
            own = {digest: run for digest, run in trained.items() if digest not in counted}
            counted |= own.keys()
            seconds = sum(run.metrics.get(SECONDS, 0.0) for run in own.values())
            about = (one.row.data, one.row.times, name, len(launch.seeds()), len(launch.results))
            rows.append((*about, len(own), seconds / 3600))
    return pd.DataFrame(rows, columns=list(COLUMNS))
