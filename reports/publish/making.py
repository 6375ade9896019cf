"""Makes the folder of the published study from one or several stores."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pandas as pd

from ablations import all_claims, find_ablations
from ablations._study import Row, read_rows
from reports.publish.chosen import Chosen, choose
from reports.publish.control import control_frame
from reports.publish.costs import cost_frame
from reports.publish.pages import README, write_pages
from reports.publish.scores import FILE, read_scores, score_rows, verdicts_from, write_scores
from reports.publish.together import judged_claims
from reports.publish.words import Study, first_page
from study import tracking
from study.ablation.verdicts import CANNOT_TELL, Verdict, deciding, verdict_frame
from study.figures import claims_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REMARKS = "remarks.md"  # written by hand, as is the protocol


def make_study(stores: Sequence[str], output: Path, rows: Sequence[Row] = ()) -> None:
    """Write the study into a folder, whose files that are written by hand stay.

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
        If the stores hold no launch of the study, or those of a data set lie in several of them.
    """
    rows = rows or read_rows()
    if not stores:
        tracking.connect()
        stores = [tracking.current_store()]
    chosen = choose(rows, [store if ":" in store else f"sqlite:///{Path(store).resolve()}" for store in stores])
    remarks = output / REMARKS
    with tempfile.TemporaryDirectory() as place:
        made = Path(place)
        _write(chosen, made, remarks.read_text(encoding="utf-8").strip() if remarks.is_file() else "")
        _replace(made, output, {row.key for row in rows})
    click.echo(f"the study: {output / README}")


def _write(chosen: Sequence[Chosen], folder: Path, remarks: str) -> None:
    by_key: dict[str, list[Chosen]] = {}
    for one in chosen:
        if one.launches:
            by_key.setdefault(one.row.key, []).append(one)
    pages, results, names = {}, {}, {key: found[0].row.data for key, found in by_key.items()}
    for key, found in by_key.items():
        (folder / key).mkdir()
        _write_scores(found, folder / key / FILE)
        results[names[key]] = read_scores(folder / key / FILE)
        pages[key] = {
            name: title for one in found if one.row.times == 1 for name, title in write_pages(one, folder / key).items()
        }
    questions = find_ablations()
    verdicts = {
        data: [v for (times, name), of in found.items() if times == 1 for v in verdicts_from(of, questions[name], data)]
        for data, found in results.items()
    }
    real = {one.row.data for one in chosen if one.row.real}
    judged = judged_claims(all_claims(), verdicts, real)
    frame = pd.concat([verdict_frame(found) for found in verdicts.values()], ignore_index=True)
    frame.to_csv(folder / "claims.csv", index=False)
    control, costs = control_frame(results), cost_frame(chosen)
    control.to_csv(folder / "control.csv", index=False)
    costs.round({"hours": 3}).to_csv(folder / "costs.csv", index=False)
    save(_figure(verdicts), folder / "claims.png")
    study = Study(chosen, judged, control, costs, pages, remarks)
    (folder / README).write_text(first_page(study), encoding="utf-8")


def _write_scores(chosen: Sequence[Chosen], file: Path) -> None:
    tables = []
    for one in chosen:
        tracking.use_store(one.store)
        tables += [score_rows(launch, one.row.times) for launch in one.launches.values()]
    write_scores(tables, file)


def _figure(verdicts: Mapping[str, Sequence[Verdict]]) -> Figure:
    """The comparison of each claim that speaks most against it, where it is a difference that has a sign."""
    rows, labels = [], {}
    for data, found in verdicts.items():
        for first in _first_of_each(found):
            sign = {">": 1, "<": -1}.get(first.claim.direction, 0)
            if sign and first.found and first.score.startswith(("sbd", "map", "voi")):
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
