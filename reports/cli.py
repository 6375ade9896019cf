"""The command `python -m reports [NAME ...]`: pages from what MLflow keeps."""

from __future__ import annotations

import click

from reports.build.names import NAMES, about_launches
from study.files import given_path
from study.options import exits, set_option
from study.profiles import parse_overrides

_LAUNCHES = about_launches()
_RUNS = [name for name in NAMES if name not in _LAUNCHES]


@click.command(epilog=f"Pages of launches: {', '.join(_LAUNCHES)}. Pages of runs: {', '.join(_RUNS)}.")
@click.argument("name", nargs=-1)
@click.option("--run_ids", default="", help="Ids of runs, joined by commas; else the newest launch of each ablation.")
@click.option("--dataset", default="", help="Take the newest launches on this data set.")
@set_option("Further parameters of the notebook: shown=5.")
@click.option("--output", default="outputs/reports", show_default=True, help="Folder for pages, figures and tables.")
@exits
def main(name: tuple[str, ...], run_ids: str, dataset: str, overrides: str, output: str) -> int:
    """Make the reports NAME; without one, all that show the launches given or present."""
    from reports.build.making import make_reports  # here, since it takes seconds, which `--help` need not wait for

    names = tuple(dict.fromkeys(part for names in name for part in names.split(",") if part))
    return make_reports(names, run_ids, dataset, parse_overrides(overrides), given_path(output))
