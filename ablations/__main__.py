"""`python -m ablations NAME`: run one ablation, or all."""

from __future__ import annotations

import sys

import click

from ablations.clustering import ABLATION as CLUSTERING
from ablations.concat_layer import ABLATION as CONCAT_LAYER
from ablations.constraints import ABLATION as CONSTRAINTS
from ablations.embedding_dim import ABLATION as EMBEDDING_DIM
from ablations.loss_weight import ABLATION as LAMBDA
from study.ablation import parse_seeds
from study.commands import exits, settings_options
from study.config import load_settings
from study.errors import unknown_name
from study.executors import Launch
from study.runner import ask

IN_ORDER = (CONCAT_LAYER, CONSTRAINTS, EMBEDDING_DIM, LAMBDA, CLUSTERING)  # of the paper
ABLATIONS = {ablation.name: ablation for ablation in IN_ORDER}
QUESTIONS = {**{name: (ablation,) for name, ablation in ABLATIONS.items()}, "all": IN_ORDER}  # what a user types


@click.command()
@click.argument("name")
@settings_options
@click.option("--seeds", default="0", show_default=True, help="Seeds, joined by commas: 0,1,2.")
@click.option("--executor", default="pool", show_default=True, help="pool: spawned processes; inline: this one.")
@click.option("--slots", default=0, show_default=True, type=click.IntRange(0), help="Trainings at a time; 0 chooses.")
@click.option("--plan_only", default=False, type=bool, help="1: tell what would be done, and do nothing.")
@exits
def main(name: str, seeds: str, executor: str, slots: int, plan_only: bool, **options: str) -> int:
    """Run the ablation NAME, or `all` of them, and log the answers to MLflow."""
    if name not in QUESTIONS:
        raise unknown_name("ablation", name, QUESTIONS)
    launch, settings = Launch(executor, slots), load_settings(**options)
    return ask(QUESTIONS[name], settings, parse_seeds(seeds), launch, plan_only=plan_only)


if __name__ == "__main__":
    sys.exit(main())
