"""Records of the study's runs: from stores, and from the folder that was published before."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd

from ablations._study import SCORES, Row
from reports.publish.scores import tables_by_run
from study import tracking
from study.tracking import RunRecord, StoredRun

RUNS = "runs.json.gz"  # beside the scores, by budget
Records = dict[str, list[RunRecord]]  # by experiment
_Key = tuple[str, str, str]  # ablation, variant and seed; of a parent the ablation alone


def records_in_stores(rows: Sequence[Row], stores: Sequence[str], files: Path) -> Records:
    """The finished runs of the study in some stores: of each question, variant and seed the newest.

    Launches that are at work, or were stopped, are left alone: what they have is not whole.

    Parameters
    ----------
    rows : sequence of Row
    stores : sequence of str
        Addresses of MLflow stores.
    files : Path
        Folder for copies of the artifacts.
    """
    wanted: dict[str, set[tuple[str, str]]] = {}  # experiment -> ablations and seeds
    for row in rows:
        wanted.setdefault(row.experiment, set()).update(row.asked)
    found: Records = {}
    for store in stores:
        tracking.use_store(store)
        launches: dict[str, list[StoredRun]] = {}
        for run in tracking.launches()[::-1]:
            if run.state in ("FINISHED", "FAILED"):
                launches.setdefault(tracking.experiment_of(run), []).append(run)
        for experiment in wanted.keys() & launches.keys():
            of_store = _records_of(launches[experiment], wanted[experiment], files)
            found[experiment] = _newest([*found.get(experiment, []), *of_store])
    return found


def _records_of(launches: Sequence[StoredRun], wanted: set[tuple[str, str]], files: Path) -> list[RunRecord]:
    """The newest run of each question, variant and seed in launches that are given oldest first, and their parents."""
    newest: dict[_Key, str] = {}
    parents: dict[str, str] = {}
    for launch in launches:
        question = launch.tags.get("ablation", "")
        for run in tracking.children_of(launch):
            seed = run.tags.get("seed", "")
            if run.state == "FINISHED" and (question, seed) in wanted:
                parents[question] = launch.run_id
                newest[question, run.tags.get("variant", ""), seed] = run.run_id
    records = {run_id: tracking.record_of(run_id, files) for run_id in (*parents.values(), *newest.values())}
    for holder in {record.training_id for record in records.values()} - {"", *records}:
        records[holder] = tracking.record_of(holder, files).alone()  # of a launch that is at work, or was stopped
    return list(records.values())


def _newest(records: Sequence[RunRecord]) -> list[RunRecord]:
    """Of several records of one run the last, each as one of the last launch of its question.

    Those that show the training of another run are kept in any case, below no launch.
    """
    by_key = {_key(record): record for record in records if record.is_parent or record.parent_id}
    parents = {record.tags["ablation"]: record.run_id for record in by_key.values() if record.is_parent}
    kept = [
        record.below(parents[record.tags["ablation"]]) if record.parent_id else record for record in by_key.values()
    ]
    held = {record.training_id for record in kept} - {record.run_id for record in kept}
    return [*kept, *{record.run_id: record.alone() for record in records if record.run_id in held}.values()]


def _key(record: RunRecord) -> _Key:
    return record.tags["ablation"], record.tags.get("variant", ""), record.tags.get("seed", "")


def named(records: Records, rows: Sequence[Row]) -> Records:
    """The records as pages show them: what was launched on a folder of images names its data set."""
    names = {row.experiment: row.data for row in rows if row.dataset == "folder"}

    def of_set(record: RunRecord, name: str) -> RunRecord:
        return replace(record, tags=record.tags | {"dataset": name}) if "dataset" in record.tags else record

    return {
        experiment: [of_set(record, names[experiment]) for record in found] if experiment in names else found
        for experiment, found in records.items()
    }


def merged(before: Records, found: Records) -> Records:
    """Records of before with those that were found now, which count where both are of one run."""
    return {name: _newest([*before.get(name, []), *found.get(name, [])]) for name in {**before, **found}}


def write_records(records: Mapping[int, Sequence[RunRecord]], file: Path) -> None:
    """Write records by times of the budget, but for their scores, which lie beside; the same bytes each time."""
    kept = {times: [_as_data(record) for record in sorted(found, key=_key)] for times, found in records.items()}
    text = json.dumps(kept, sort_keys=True, indent=0)
    file.write_bytes(gzip.compress(text.encode(), mtime=0))


def _as_data(record: RunRecord) -> dict:
    data = asdict(replace(record, files=None, scores=record.scores.iloc[:0]))
    del data["files"]
    return data | {"scores": list(record.scores)}


def read_records(folder: Path) -> dict[int, list[RunRecord]]:
    """The records of a data set in the folder of the study, by times of the budget; none without the files."""
    if not (folder / RUNS).is_file():
        return {}
    tables = tables_by_run(folder / SCORES)
    kept = json.loads(gzip.decompress((folder / RUNS).read_bytes()))
    return {int(times): [_from_data(data, int(times), tables) for data in found] for times, found in kept.items()}


def _from_data(data: dict, times: int, tables: Mapping[tuple, pd.DataFrame]) -> RunRecord:
    columns = data.pop("scores")
    record = RunRecord(**data, scores=pd.DataFrame())
    if not columns:
        return record
    question, variant, seed = _key(record)
    return replace(record, scores=tables[times, question, variant, int(seed)].loc[:, columns])
