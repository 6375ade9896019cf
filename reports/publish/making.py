"""Makes the folder of the published study, from stores and from what it has of earlier ones."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
import pandas as pd

from ablations import all_claims, find_ablations
from ablations._study import SCORES, Row, read_rows
from reports.publish.chosen import Chosen, choose
from reports.publish.control import control_frame
from reports.publish.costs import cost_frame
from reports.publish.markdown import shortened
from reports.publish.pages import README, titles_of, write_pages
from reports.publish.power import power_frame
from reports.publish.records import RUNS, Records, merged, named, read_records, records_in_stores, write_records
from reports.publish.scores import read_scores, score_rows, verdicts_from, write_scores
from reports.publish.starting import start_frame
from reports.publish.together import judged_claims
from reports.publish.words import Study, first_page
from study import tracking
from study.ablation.verdicts import CANNOT_TELL, Verdict, deciding, verdict_frame
from study.errors import StudyError
from study.figures import claims_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOT_COMPARED = ("seed", "system")  # a run that another question has made has the name of that one's system
REMARKS = "remarks.md"  # written by hand, as is the protocol
_ID, _SHORT = re.compile(r"\b[0-9a-f]{32}\b"), re.compile(r"\b[0-9a-f]{8}…")


def make_study(stores: Sequence[str], output: Path, rows: Sequence[Row] = ()) -> None:
    """Write the study into a folder, whose files that are written by hand stay.

    What the folder has of earlier stores counts where these stores have nothing: machines come and go, and what they
    have found is published as it comes. Pages are written of the data sets that the stores have runs of.

    Parameters
    ----------
    stores : sequence of str
        Addresses of MLflow stores, or SQLite files; empty: the store in use.
    output : Path
    rows : sequence of Row
        Those of `ablations/study.csv` by default.

    Raises
    ------
    StudyError
        If neither the stores nor the folder have a run of the study, or runs of one variant have several settings.
    """
    rows = rows or read_rows()
    if not stores:
        tracking.connect()
        stores = [tracking.current_store()]
    stores = [store if ":" in store else f"sqlite:///{Path(store).resolve()}" for store in stores]
    before = _published(rows, output)
    remarks = output / REMARKS
    with tempfile.TemporaryDirectory() as place:
        found = records_in_stores(rows, stores, Path(place))
        records = merged(before, found)
        _check(records, rows, stores, output)
        ids = tracking.make_store(Path(place), named(records, rows))
        made = Path(place) / "made"
        made.mkdir()
        keys = {row.key for row in rows if row.experiment in found and row.times == 1}  # pages show no control
        text = remarks.read_text(encoding="utf-8").strip() if remarks.is_file() else ""
        _write(choose(rows), records, _Folders(made, output, keys), text)
        _name_runs(made, ids)
        _replace(made, output, keys)
    click.echo(f"the study: {output / README}")


class _Folders(NamedTuple):
    made: Path
    published: Path
    keys: set[str]  # of the data sets whose pages are made anew


def _published(rows: Sequence[Row], output: Path) -> Records:
    experiments = {(row.key, row.times): row.experiment for row in rows}
    kept = {key: read_records(output / key) for key in dict.fromkeys(row.key for row in rows)}
    return {name: kept[key][times] for (key, times), name in experiments.items() if times in kept[key]}


def _check(records: Records, rows: Sequence[Row], stores: Sequence[str], output: Path) -> None:
    if not any(records.values()):
        names = ", ".join(dict.fromkeys(row.experiment for row in rows))
        raise StudyError(
            f"neither {', '.join(stores)} nor {output} has finished launches of the study (experiments {names}): start "
            "them with python -m ablations._study --data_root DATA, or name other stores by --stores"
        )
    for name, found in records.items():
        settings: dict[tuple[str, str], dict] = {}
        for record in found:
            if record.settings and record.parent_id:
                of = record.tags["ablation"], record.tags["variant"]
                own = {key: value for key, value in record.settings.items() if key not in _NOT_COMPARED}
                other = settings.setdefault(of, own)
                if differing := sorted(key for key in own.keys() | other.keys() if own.get(key) != other.get(key)):
                    raise StudyError(
                        f"{name}: the seeds of {', '.join(of)} differ in {', '.join(differing)}: launch them with the "
                        f"same settings, or remove {output} to begin anew"
                    )


def _write(chosen: Sequence[Chosen], records: Records, folders: _Folders, remarks: str) -> None:
    folder, by_key = folders.made, _by_key(chosen)
    pages, results, names = {}, {}, {key: found[0].row.data for key, found in by_key.items()}
    for key, found in by_key.items():
        (folder / key).mkdir()
        tables = [score_rows(launch, one.row.times) for one in found for launch in one.launches.values()]
        write_scores(tables, folder / key / SCORES)
        write_records({one.row.times: records[one.row.experiment] for one in found}, folder / key / RUNS)
        results[names[key]] = read_scores(folder / key / SCORES)
        if key in folders.keys:
            of_study = [one for one in found if one.row.times == 1]
            titles = {name: title for one in of_study for name, title in write_pages(one, folder / key).items()}
            pages[key] = dict(sorted(titles.items()))
        else:
            pages[key] = titles_of(folders.published / key)
    questions = find_ablations()
    verdicts = {
        data: [v for (times, name), of in found.items() if times == 1 for v in verdicts_from(of, questions[name], data)]
        for data, found in results.items()
    }
    real = {one.row.data for one in chosen if one.row.real}
    judged = judged_claims(all_claims(), verdicts, real)
    frame = pd.concat([verdict_frame(found) for found in verdicts.values()], ignore_index=True)
    frame.to_csv(folder / "claims.csv", index=False)
    start = start_frame(results, real)
    start.round(6).to_csv(folder / "start.csv", index=False)
    power, control, costs = power_frame(results), control_frame(results), cost_frame(chosen)
    power.round(4).to_csv(folder / "power.csv", index=False)
    control.to_csv(folder / "control.csv", index=False)
    costs.round({"hours": 3}).to_csv(folder / "costs.csv", index=False)
    save(_figure(verdicts), folder / "claims.png")
    study = Study(chosen, judged, start, power, control, costs, pages, remarks)
    (folder / README).write_text(first_page(study), encoding="utf-8")


def _by_key(chosen: Sequence[Chosen]) -> dict[str, list[Chosen]]:
    by_key: dict[str, list[Chosen]] = {}
    for one in chosen:
        if one.launches:
            by_key.setdefault(one.row.key, []).append(one)
    return by_key


def _name_runs(folder: Path, ids: Mapping[str, str]) -> None:
    """Let pages and tables name runs by the ids that they had where they were made."""
    short = {shortened(own): shortened(before) for own, before in ids.items()}
    for file in (file for file in folder.rglob("*") if file.suffix in (".md", ".csv")):
        text = file.read_text(encoding="utf-8")
        text = _ID.sub(lambda found: ids.get(found[0], found[0]), text)
        file.write_text(_SHORT.sub(lambda found: short.get(found[0], found[0]), text), encoding="utf-8")


def _figure(verdicts: Mapping[str, Sequence[Verdict]]) -> Figure:
    """The comparison of each claim that speaks most against it, where it is a difference that has a sign."""
    rows, labels = [], {}
    for data, found in verdicts.items():
        for first in _first_of_each(found):
            sign = {">": 1, "<": -1}.get(first.claim.direction, 0)
            several = all(one.seeds > 1 for one in first.found)  # of one training nothing is judged
            if sign and first.found and several and first.score.startswith(("sbd", "map", "voi")):
                mean = deciding(first).interval
                low, high = sorted((sign * mean.low, sign * mean.high))
                rows.append((first.claim.key, data, sign * mean.mean, low, high, first.word))
                labels[first.claim.key] = first.claim.statement
    table = pd.DataFrame(rows, columns=["key", "data", "value", "low", "high", "verdict"])
    order = [claim.key for claim in all_claims() if claim.key in labels]
    return claims_figure(table, {key: f"{labels[key]} ({key})" for key in order}, _told(table))


def _first_of_each(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return list({verdict.claim.key: verdict for verdict in reversed(verdicts)}.values())[::-1]


def _told(table: pd.DataFrame) -> list[str]:
    return [word for word in table["verdict"].unique() if word != CANNOT_TELL]


def _replace(made: Path, output: Path, keys: set[str]) -> None:
    """Put what was made in the place of what an earlier call has made."""
    output.mkdir(parents=True, exist_ok=True)
    for key in keys:
        shutil.rmtree(output / key, ignore_errors=True)
    shutil.copytree(made, output, dirs_exist_ok=True)
