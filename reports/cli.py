"""The command `python -m reports [NAME ...]`: pages from what MLflow keeps."""

from __future__ import annotations

import click

from reports.build.names import NAMES, about_launches
from study.errors import StudyError
from study.files import given_path
from study.options import exits, set_option
from study.profiles import parse_overrides

_LAUNCHES = about_launches()
_RUNS = [name for name in NAMES if name not in _LAUNCHES]
STUDY = "study"  # in the place of a report: the published study
_OUTPUT, _STUDY = "outputs/reports", "docs/study"


@click.command(epilog=f"Pages of launches: {', '.join(_LAUNCHES)}. Pages of runs: {', '.join(_RUNS)}. And {STUDY}.")
@click.argument("name", nargs=-1)
@click.option("--run_ids", default="", help="Ids of runs, joined by commas; else the newest launch of each ablation.")
@click.option("--dataset", default="", help="Take the newest launches on this data set.")
@set_option("Further parameters of the notebook: shown=5.")
@click.option("--output", default=_OUTPUT, show_default=True, help="Folder for pages, figures and tables.")
@click.option(
    "--stores",
    default="",
    help=f"Of the report {STUDY}, which {_STUDY} holds by default: its stores, joined by commas; else the one in use.",
)
@exits
def main(name: tuple[str, ...], run_ids: str, dataset: str, overrides: str, output: str, stores: str) -> int:
    """Make the reports NAME; without one, all that show the launches given or present."""
    if STUDY in name:
        return _make_study(name, stores, run_ids or dataset or overrides, _STUDY if output == _OUTPUT else output)
    if stores:
        raise StudyError(f"--stores is for the report {STUDY}; the others take MLFLOW_TRACKING_URI")
    from reports.build.making import make_reports  # here, since it takes seconds, which `--help` need not wait for

    names = tuple(dict.fromkeys(part for names in name for part in names.split(",") if part))
    return make_reports(names, run_ids, dataset, parse_overrides(overrides), given_path(output))


def _make_study(names: tuple[str, ...], stores: str, others: str, output: str) -> int:
    from reports.publish.making import make_study

    if names != (STUDY,) or others:
        raise StudyError(f"the report {STUDY} is made alone: it takes --stores and --output only")
    make_study([store for store in stores.split(",") if store], given_path(output))
    return 0
