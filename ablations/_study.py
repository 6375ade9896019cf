"""The launches of the published study, `study.csv`, and the command that makes them one after the other.

`python -m ablations._study --data_root DATA` begins with what is worth most. Each launch is the normal command, in an
experiment of its own data set and budget, so that what is finished is known and not done again: the command can be
stopped and started at any time. docs/study/protocol.md says what is asked and why.
"""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from study.errors import StudyError
from study.options import exits

ROWS = Path(__file__).parent / "study.csv"
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

    @property
    def experiment(self) -> str:
        """The MLflow experiment of its launches."""
        return f"study-{self.key}" + (f"-x{self.times}" if self.times > 1 else "")

    def command(self, seeds: Sequence[str], data_root: Path) -> list[str]:
        """The arguments of `python -m ablations` for some of its seeds."""
        root = ["--data_root", str(data_root / self.root)] if self.root else []
        options = ["--dataset", self.dataset, *root, "--set", self.set, "--seeds", ",".join(seeds), "--report", "0"]
        return [self.question, *options]


def read_rows(file: Path = ROWS) -> list[Row]:
    """The rows of the study in the order in which they are launched."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [_row(row) for row in csv.DictReader(lines)]


def _row(row: dict[str, str]) -> Row:
    told = {name: row[name] == "yes" for name in ("real", "pictures")}
    return Row(**row | told | {"times": int(row["times"]), "seeds": tuple(row["seeds"].split(","))})  # type: ignore[arg-type]


def launches(rows: Sequence[Row]) -> Iterator[tuple[Row, tuple[str, ...]]]:
    """Each row with its first seed, then with two of them, and so on: a first answer is there early."""
    for row in rows:
        yield from ((row, row.seeds[:count]) for count in range(1, len(row.seeds) + 1))


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
    for row, seeds in [(row, row.seeds) for row in chosen] if plan_only else launches(chosen):
        options = [*row.command(seeds, data_root.resolve()), *(["--plan_only", "1"] if plan_only else [])]
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
