"""The launches of the published study, `study.csv`, and the command that makes them one after the other.

`python -m ablations._study --data_root DATA` begins with what is worth most. Each launch is the normal command for one
seed, in an experiment of its own data set and budget. What is finished is known and not done again, whether the store
has it or the published folder, so that the command can be stopped and started at any time, and on another machine.
docs/study/protocol.md says what is asked and why.
"""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click

from ablations import asked_by
from study.errors import StudyError
from study.options import exits

ROWS = Path(__file__).parent / "study.csv"
PUBLISHED = Path(__file__).parent.parent / "docs" / "study"
SCORES = "scores.csv.gz"  # of a data set in that folder
_RUN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID")  # of a run that is not the launch's


@dataclass(frozen=True)
class Row:
    """A question on a data set at a budget.

    Attributes
    ----------
    key : str
        Of the data set, in names of folders and experiments.
    data : str
        The data set as readers know it.
    real, pictures : bool
        Whether its images are no drawn ones; whether they may be shown.
    times : int
        The budget of the control is so many times that of the study.
    question, dataset : str
        What the command is told.
    root : str
        Folder of the data set below that of all; empty where none is needed.
    set : str
        Single settings.
    seeds : tuple of str
    note : str
        What a reader of its pages must know of the images; empty where there is nothing.
    """

    key: str
    data: str
    real: bool
    pictures: bool
    times: int
    question: str
    dataset: str
    root: str
    set: str
    seeds: tuple[str, ...]
    note: str = ""

    @property
    def experiment(self) -> str:
        """The MLflow experiment of its launches."""
        return f"study-{self.key}" + (f"-x{self.times}" if self.times > 1 else "")

    @property
    def asked(self) -> set[tuple[str, str]]:
        """The names of its ablations, each with each of its seeds."""
        return {(ablation.name, seed) for ablation in asked_by(self.question) for seed in self.seeds}

    def command(self, seed: str, data_root: Path) -> list[str]:
        """The arguments of `python -m ablations` for one of its seeds."""
        root = ["--data_root", str(data_root / self.root)] if self.root else []
        options = ["--dataset", self.dataset, *root, "--set", self.set, "--seeds", seed, "--report", "0"]
        return [self.question, *options]


def read_rows(file: Path = ROWS) -> list[Row]:
    """The rows of the study in the order in which they are launched."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [_row(row) for row in csv.DictReader(lines)]


def _row(row: dict[str, str]) -> Row:
    told = {name: row[name] == "yes" for name in ("real", "pictures")}
    return Row(**row | told | {"times": int(row["times"]), "seeds": tuple(row["seeds"].split(","))})  # type: ignore[arg-type]


def launches(rows: Sequence[Row], published: Container[tuple[Row, str]] = ()) -> Iterator[tuple[Row, str]]:
    """Rows with a seed each, but for what is published: all rows of an experiment with a seed before the next one.

    So a training that several questions share is there when they need it, and a seed is whole early.
    """
    for _, of_experiment in groupby(rows, key=lambda row: row.experiment):
        group = list(of_experiment)
        for seed in dict.fromkeys(seed for row in group for seed in row.seeds):
            yield from ((row, seed) for row in group if seed in row.seeds and (row, seed) not in published)


def published_in(folder: Path, rows: Sequence[Row]) -> set[tuple[Row, str]]:
    """Rows with the seeds that a folder of the study has all scores of, see `reports.publish.scores`."""
    import pandas as pd  # here, since it takes seconds, which `--help` need not wait for

    from study.runs.job import variant_name

    names = ["times", "question", "variant", "seed"]
    found: set[tuple[Row, str]] = set()
    for row in rows:
        if not (file := folder / row.key / SCORES).is_file():
            continue
        runs = set(pd.read_csv(file, usecols=names, dtype=str)[names].itertuples(index=False, name=None))
        wanted = [
            (ablation.name, variant_name(of)) for ablation in asked_by(row.question) for of in ablation.variants()
        ]
        found |= {(row, seed) for seed in row.seeds if all((str(row.times), *of, seed) in runs for of in wanted)}
    return found


@click.command()
@click.option("--data_root", type=click.Path(path_type=Path), required=True, help="Folder that holds all data sets.")
@click.option("--only", default="", help="Keys of data sets, joined by commas; else all.")
@click.option("--plan_only", default=False, type=bool, help="1: print what would be done, and do nothing.")
@exits
def main(data_root: Path, only: str, plan_only: bool) -> int:
    """Make the launches of the published study that are not finished yet, one after the other."""
    rows, keys = read_rows(), [key for key in only.split(",") if key]
    if unknown := set(keys) - {row.key for row in rows}:
        raise StudyError(
            f"--only: {', '.join(sorted(unknown))} is none of {', '.join(dict.fromkeys(r.key for r in rows))}"
        )
    failed = 0
    chosen = [row for row in rows if row.key in (keys or [row.key])]
    published = published_in(PUBLISHED, chosen)
    for row, seed in (launch for launch in launches(rows, published) if launch[0] in chosen):  # in the order of all
        options = [*row.command(seed, data_root.resolve()), *(["--plan_only", "1"] if plan_only else [])]
        click.echo(f"\n{row.experiment}: python -m ablations {shlex.join(options)}")
        failed += _launch(options, row.experiment)
    return failed


def _launch(options: Sequence[str], experiment: str) -> int:
    """Make a launch; 1 where some of its runs have failed. One that is stopped stops them all."""
    variables = {name: value for name, value in os.environ.items() if name not in _RUN}
    command = [sys.executable, "-m", "ablations", *options]
    status = subprocess.run(command, env=variables | {"MLFLOW_EXPERIMENT_NAME": experiment}, check=False).returncode
    if status < 0 or status > 128:
        raise KeyboardInterrupt
    return int(status != 0)


if __name__ == "__main__":
    main()
