"""`python -m ablations NAME`: run one ablation, or all."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from ablations.clustering import ABLATION as CLUSTERING
from ablations.concat_layer import ABLATION as CONCAT_LAYER
from ablations.constraints import ABLATION as CONSTRAINTS
from ablations.embedding_dim import ABLATION as EMBEDDING_DIM
from ablations.loss import ABLATION as LOSS
from ablations.loss_weight import ABLATION as LAMBDA
from ablations.neighbour_distance import ABLATION as NEIGHBOUR_DISTANCE
from ablations.pea import ABLATION as PEA
from ablations.pea_adaptive import ABLATION as PEA_ADAPTIVE
from ablations.pea_embedding_dim import ABLATION as PEA_EMBEDDING_DIM
from ablations.pea_modules import ABLATION as PEA_MODULES
from ablations.pea_ranges import ABLATION as PEA_RANGES
from ablations.pea_views import ABLATION as PEA_VIEWS
from ablations.subsets import ABLATION as SUBSETS
from ablations.systems import ABLATION as SYSTEMS
from study.ablation.design import parse_seeds
from study.ablation.executors import Launch
from study.ablation.launch import ask
from study.errors import unknown_name
from study.options import exits, reuse_option, settings_options
from study.profiles import load_settings
from study.tracking import current_store

IN_ORDER = (CONCAT_LAYER, CONSTRAINTS, EMBEDDING_DIM, LAMBDA, CLUSTERING)  # of the paper
OF_CHEN = (NEIGHBOUR_DISTANCE, LOSS, SYSTEMS)
OF_PEA = (PEA, PEA_MODULES, PEA_VIEWS, PEA_EMBEDDING_DIM, PEA_RANGES, PEA_ADAPTIVE)
ABLATIONS = {ablation.name: ablation for ablation in (*IN_ORDER, SUBSETS, *OF_CHEN, *OF_PEA)}
QUESTIONS = {**{name: (ablation,) for name, ablation in ABLATIONS.items()}, "all": IN_ORDER}  # what a user types


@click.command()
@click.argument("name")
@settings_options
@click.option("--seeds", default="0", show_default=True, help="Seeds, joined by commas: 0,1,2.")
@click.option("--executor", default="pool", show_default=True, help="pool: spawned processes; inline: this one.")
@click.option("--slots", default=0, show_default=True, type=click.IntRange(0), help="Trainings at a time; 0 chooses.")
@click.option("--plan_only", default=False, type=bool, help="1: tell what would be done, and do nothing.")
@click.option("--report", default=True, type=bool, help="0: make no pages of the paper's tables and figures.")
@reuse_option
@exits
def main(
    name: str, seeds: str, executor: str, slots: int, plan_only: bool, report: bool, reuse: bool, **options: str
) -> int:
    """Run the ablation NAME, or `all` of them, and log the answers to MLflow."""
    if name not in QUESTIONS:
        raise unknown_name("ablation", name, QUESTIONS)
    launch, base = Launch(executor, slots), lambda system: load_settings(**options, system=system)
    asked = ask(QUESTIONS[name], base, parse_seeds(seeds), launch, plan_only=plan_only, reuse=reuse)
    return asked.failed + (_report(asked.parents) if report and asked.parents else 0)


def _report(parents: list[str]) -> int:
    """Make the reports of a launch, in a process of its own: they stand a floor above. Gives the number of faults."""
    command = [sys.executable, "-m", "reports", "--run_ids", ",".join(parents)]
    environment = os.environ | {"MLFLOW_TRACKING_URI": current_store()}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    click.echo(ended.stdout, nl=False)
    if ended.returncode:
        click.echo((ended.stderr.strip() or "the reports have failed").splitlines()[-1], err=True)
    return int(ended.returncode != 0)


if __name__ == "__main__":
    sys.exit(main())
