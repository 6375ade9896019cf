"""`python -m ablations NAME`: run one ablation."""

from __future__ import annotations

import sys

import click

from ablations.loss_weight import ABLATION as LAMBDA
from study.ablation import parse_seeds
from study.commands import exits, settings_options
from study.config import load_settings
from study.errors import unknown_name
from study.runner import Launch, ask

ABLATIONS = {ablation.name: ablation for ablation in (LAMBDA,)}


@click.command()
@click.argument("name")
@settings_options
@click.option("--seeds", default="0", show_default=True, help="Seeds, joined by commas: 0,1,2.")
@click.option("--executor", default="pool", show_default=True, help="pool: spawned processes; inline: this one.")
@click.option("--slots", default=0, show_default=True, type=click.IntRange(0), help="Runs at a time; 0 chooses.")
@exits
def main(name: str, seeds: str, executor: str, slots: int, **options: str) -> int:
    """Run the ablation NAME and log it to MLflow."""
    if name not in ABLATIONS:
        raise unknown_name("ablation", name, ABLATIONS)
    return ask(ABLATIONS[name], load_settings(**options), parse_seeds(seeds), Launch(executor, slots))


if __name__ == "__main__":
    sys.exit(main())
