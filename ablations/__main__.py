"""`python -m ablations NAME`: run one ablation, or all. Only the command: nobody imports from it."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ablations import asked_by
from ablations._mlproject import mlproject
from study.ablation.design import Ablation, parse_seeds
from study.ablation.executors import ExecutorOptions
from study.ablation.launch import run_ablations
from study.errors import StudyError
from study.options import exits, reuse_option, settings_options
from study.profiles import Layer, layers_of, resolve
from study.resolved_settings import Layers, check_options, table_of_settings
from study.settings import Settings

REPORTS = Path("outputs/reports")


def _print_mlproject(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        # here, so that the processes of a pool, which import this module, need not load all commands
        from reports.cli import main as report
        from study.cli import main as study

        try:
            click.echo(mlproject(main, study.commands, report), nl=False)
        except StudyError as error:
            raise click.ClickException(str(error)) from None
        ctx.exit()


@click.command()
@click.argument("name")
@settings_options("")
@click.option("--seeds", default="0", show_default=True, help="Seeds of each variant, joined by commas: 0,1,2.")
@click.option("--executor", default="pool", show_default=True, help="pool: spawned processes; inline: this process.")
@click.option("--slots", default=0, show_default=True, type=click.IntRange(0), help="Trainings at a time; 0 chooses.")
@click.option("--plan_only", default=False, type=bool, help="1: print what would be done, and do nothing.")
@click.option("--settings", default=False, type=bool, help="1: print the settings of the control, and do nothing.")
@reuse_option
@click.option("--report", default=True, show_default=True, type=bool, help="0: make no pages of tables and figures.")
@click.option(
    "--mlproject", is_flag=True, is_eager=True, expose_value=False, callback=_print_mlproject, help="Print MLproject."
)
@exits
def main(
    name: str,
    seeds: str,
    executor: str,
    slots: int,
    plan_only: bool,
    settings: bool,
    reuse: bool,
    report: bool,
    **options: str,
) -> int:
    """Run the ablation NAME, or all those of the W-Net paper, and log the answers to MLflow."""
    ablations = asked_by(name)
    defaults = dict(ablations[0].defaults)
    default_dataset = defaults.pop("data.name", "synthetic-leaves")
    options["dataset"] = options["dataset"] or default_dataset

    def layers(system: str, changes: Mapping[str, Any]) -> list[Layer]:
        return layers_of(**options, system=system, changes=changes, defaults=defaults)

    if settings:
        click.echo("\n\n".join(_settings_of_control(ablation, options, layers) for ablation in ablations))
        return 0
    variants = (ablation.system_and_changes(variant) for ablation in ablations for variant in ablation.variants())
    check_options(options["overrides"], (resolve(layers(*variant)) for variant in variants), name)
    executor_options = ExecutorOptions(executor, slots)

    def base(system: str, changes: dict[str, Any]) -> Settings:
        return resolve(layers(system, changes)).settings

    result = run_ablations(
        ablations,
        base,
        parse_seeds(seeds),
        executor_options,
        plan_only=plan_only,
        reuse=reuse,
        profile=options["profile"],
    )
    return result.failed + (_make_pages(result.parent_ids) if report and result.parent_ids else 0)


def _settings_of_control(ablation: Ablation, options: dict[str, str], layers: Layers) -> str:
    system, changes = ablation.system_and_changes(ablation.control)
    return f"{ablation.name}, control:\n{table_of_settings(options, system, layers(system, changes))}"


def _make_pages(parent_ids: Sequence[str]) -> int:
    """Make the reports of a launch; the number of those that have failed. The launch itself is over and kept."""
    from reports.build.making import make_reports  # takes a second, which the processes of a pool need not spend

    try:
        return make_reports((), ",".join(parent_ids), "", {}, REPORTS)
    except StudyError as error:
        click.echo(f"Error: no reports are made: {error}", err=True)
    except Exception:
        click.echo(f"Error: no reports are made:\n{traceback.format_exc()}", err=True, nl=False)
    return 1


if __name__ == "__main__":
    main()
