"""`python -m ablations NAME`: run one ablation, or all. Only the command: no other module of the study imports it.

It imports what it works with when it is called: `--help` needs neither torch nor MLflow, and the processes of a pool,
which import this module too, need other things.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ablations import ALL, WORDS_OF_ALL, asked_by
from ablations._listed import listed_questions, wrapped
from study.errors import StudyError
from study.options import Commands, executor_options, exits, fault_in_words, reuse_option, settings_options
from study.profiles import Layer, Resolved, layers_of, resolve

if TYPE_CHECKING:
    from study.ablation.design import Ablation
    from study.executors import LaunchExecutor

REPORTS = Path("outputs/reports")


def _print_mlproject(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from ablations._mlproject import mlproject
        from reports.cli import main as report
        from study.cli import main as study

        try:
            click.echo(mlproject(run_question, study.commands, report), nl=False)
        except StudyError as error:
            raise click.ClickException(str(error)) from None
        ctx.exit()


class Questions(Commands):
    """A command for each question, with the options that all of them have."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the questions, and the one for several of them."""
        return [*listed_questions(), ALL]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command that asks a question; None where there is none of that name."""
        if name == ALL:
            asked = ", ".join(one.name for one in listed_questions().values() if one.order_in_all is not None)
            return _command_of(name, f"Ask {WORDS_OF_ALL}: {asked}.", f"Ask {WORDS_OF_ALL}.")
        if (listed := listed_questions().get(name)) is not None:
            return _command_of(name, listed.help(), listed.line)
        try:
            (ablation,) = asked_by(name)
        except StudyError as error:
            raise click.ClickException(str(error)) from None
        return _command_of(name, ablation.question)


class Question(click.Command):
    """The command that asks a question; its help has lines, where click knows paragraphs alone."""

    def format_help_text(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the lines of the help, none of them longer than the terminal is wide."""
        for paragraph in (self.help or "").split("\n\n"):
            formatter.write_paragraph()
            with formatter.indentation():
                for line in paragraph.split("\n"):
                    for part in wrapped(line, formatter.width - formatter.current_indent):
                        formatter.write(f"{'':{formatter.current_indent}}{part}\n")


def _command_of(name: str, words: str, line: str | None = None) -> Question:
    assert run_question.callback is not None
    asked = partial(run_question.callback, name)
    return Question(name, params=run_question.params, callback=asked, help=words, short_help=line)


@click.command(cls=Questions, options_metavar="", subcommand_metavar="NAME [OPTIONS]")
@click.option(
    "--mlproject", is_flag=True, is_eager=True, expose_value=False, callback=_print_mlproject, help="Print MLproject."
)
def main() -> None:
    """Ask a question by training all its variants, and log the answer to MLflow.

    NAME --help tells what is varied, the control, and the cost.
    """


@click.command()
@settings_options("")
@click.option("--seeds", default="0", show_default=True, help="Seeds of each variant, joined by commas: 0,1,2.")
@executor_options("pool", "Trainings")
@click.option("--plan_only", default=False, type=bool, help="1: print what would be done, and do nothing.")
@click.option("--settings", default=False, type=bool, help="1: print the settings of the control, and do nothing.")
@reuse_option
@click.option("--report", default=True, show_default=True, type=bool, help="0: make no pages of tables and figures.")
@exits
def run_question(
    name: str,
    seeds: str,
    executor: str,
    slots: int,
    scheduler: str,
    cluster: str,
    plan_only: bool,
    settings: bool,
    reuse: bool,
    report: bool,
    **options: str,
) -> int:
    """Run the ablation NAME, or all those of the W-Net paper, and log the answers to MLflow."""
    from study.executors import opened_executor

    launches = [_Launch(group, options | {"dataset": dataset}) for dataset, group in _by_dataset(name, options)]
    if settings:
        click.echo("\n\n".join(table for launch in launches for table in launch.tables_of_controls()))
        return 0
    with opened_executor(executor, "study.runs.pipeline", slots, scheduler, cluster) as opened:
        if not plan_only:
            opened.start()  # while it imports what it needs, this process does
        failed, parents = _run(name, launches, seeds, opened, plan_only=plan_only, reuse=reuse)
    return failed + (_make_pages(parents) if report and parents else 0)


def _run(
    name: str, launches: Sequence[_Launch], seeds: str, executor: LaunchExecutor, **options: bool
) -> tuple[int, list[str]]:
    """Run the launches of a command; the number of failed runs and answers, and all parent runs."""
    from study.ablation.design import parse_seeds
    from study.ablation.launch import run_ablations
    from study.resolved_settings import check_options

    check_options(launches[0].options["overrides"], (v for launch in launches for v in launch.resolved()), name)
    failed, parents = 0, []
    for launch in launches:
        result = run_ablations(
            launch.ablations,
            lambda ablation, variant, launch=launch: resolve(launch.layers(ablation, variant)).settings,
            parse_seeds(seeds),
            executor,
            **options,
        )
        failed, parents = failed + result.failed, parents + result.parent_ids
    return failed, parents


@dataclass(frozen=True)
class _Launch:
    """Questions that are asked on one data set."""

    ablations: list[Ablation]
    options: dict[str, str]

    def layers(self, ablation: Ablation, variant: dict[str, Any]) -> list[Layer]:
        system, changes = ablation.system_and_changes(variant)
        defaults = {name: value for name, value in ablation.defaults.items() if name != "data.name"}
        return layers_of(**self.options, system=system, changes=changes, defaults=defaults, fixed=ablation.fixed)

    def tables_of_controls(self) -> list[str]:
        from study.resolved_settings import table_of_settings

        return [f"{a.name}, control:\n{table_of_settings(self.layers(a, a.control))}" for a in self.ablations]

    def resolved(self) -> list[Resolved]:
        return [resolve(self.layers(a, variant)) for a in self.ablations for variant in a.variants()]


def _by_dataset(name: str, options: Mapping[str, str]) -> list[tuple[str, list[Ablation]]]:
    """The questions of that name, put together by the data set that each is asked on."""
    groups: dict[str, list[Ablation]] = {}
    for ablation in asked_by(name):
        dataset = options["dataset"] or ablation.defaults.get("data.name", "synthetic-leaves")
        groups.setdefault(dataset, []).append(ablation)
    return list(groups.items())


def _make_pages(parent_ids: Sequence[str]) -> int:
    """Make the reports of a launch; the number of those that have failed. The launch itself is over and kept."""
    from reports.build.making import make_reports

    click.echo("making the pages of tables and figures …")
    try:
        return make_reports((), ",".join(parent_ids), "", {}, REPORTS)
    except Exception as error:
        words = fault_in_words(error)
        told = f" {words}" if words else f"\n{traceback.format_exc().rstrip()}"
        click.echo(f"Error: no reports are made:{told}", err=True)
    return 1


if __name__ == "__main__":
    main()
