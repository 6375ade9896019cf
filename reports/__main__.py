"""`python -m reports [NAME ...]`: pages from what MLflow keeps."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reports.build.making import make_reports
from study.options import exits
from study.profiles import parse_overrides


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--run_ids", default="", help="Runs, joined by commas; else the newest launch of each ablation.")
@click.option("--dataset", default="", help="Newest launches on this data set.")
@click.option("--set", "overrides", default="", help="Further parameters of the notebook: shown=5.")
@click.option("--output", default="outputs/reports", show_default=True, help="Folder for pages, figures and tables.")
@exits
def main(names: tuple[str, ...], run_ids: str, dataset: str, overrides: str, output: str) -> int:
    """Make the reports NAME; without one, all that the launches given or present are shown in.

    Of launches: wnet_tables, wnet_figures, chen_tables, loss_comparison, systems, pea_tables,
    em_tables.
    Of runs: run_card, compare.
    """
    names = tuple(dict.fromkeys(part for name in names for part in name.split(",") if part))
    return make_reports(names, run_ids, dataset, parse_overrides(overrides), Path(output))


if __name__ == "__main__":
    sys.exit(main())
