"""What the command lines of `study`, `ablations` and `reports` share: common options, and how a command ends."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

from study.data.sets.opening import DATASETS
from study.errors import StudyError, unknown_name
from study.files import full_disk_in_words
from study.process import take_any_text
from study.profiles import PROFILES
from study.systems import PRESETS


class Commands(click.Group):
    """A group of commands that tells the similar names where a command is unknown."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            names = self.list_commands(ctx)
            groups = {name: found for name in names if isinstance(found := self.get_command(ctx, name), click.Group)}
            below = [f"{name} {command}" for name, group in groups.items() for command in group.list_commands(ctx)]
            raise click.UsageError(str(unknown_name("command", args[0], names, below)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, each with its whole first sentence, which click would cut."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, found.get_short_help_str(limit=1000)) for name, found in commands if found is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _profile(_: click.Context, __: click.Parameter, value: str) -> str:
    if value == "paper":
        raise click.ClickException("the profile paper is called full, since paper is a preset: give --profile full")
    return value


def among(names: Iterable[str]) -> Callable:
    """What a shell offers for the value of an option: those names that begin as it does."""
    return lambda _context, _option, begun: [name for name in names if name.startswith(begun)]


def dataset_option(words: str = "Data set", **more: Any) -> Callable:
    """The option `--dataset`, whose values are the keys of `DATASETS`; `more` goes to `click.option`."""
    return click.option("--dataset", help=f"{words}: {', '.join(DATASETS)}.", shell_complete=among(DATASETS), **more)


def data_root_option(parameter: str = "data_root", words: str = "Folder of the data set.") -> Callable:
    """The option `--data_root`, which `parameter` of the command takes."""
    return click.option("--data_root", parameter, default="", help=words)


def set_option(words: str) -> Callable:
    """The option `--set`, single settings, which the parameter `overrides` of the command takes."""
    return click.option("--set", "overrides", default="", help=words)


def settings_options(dataset: str) -> Callable:
    """The options that choose the settings: data set (`dataset` by default), its folder, profile, preset, settings."""
    preset_words = f"Where a paper's text and program differ, take: {' or '.join(PRESETS)}."
    profile_words = f"Budget of the training: {', '.join(PROFILES)}."

    def with_options(command: Callable) -> Callable:
        for option in (
            set_option("Single settings, joined by commas: loss.inter_weight=10,network.embedding_dim=16."),
            click.option(
                "--preset", default="paper", show_default=True, help=preset_words, shell_complete=among(PRESETS)
            ),
            click.option(
                "--profile",
                default="quick",
                show_default=True,
                callback=_profile,
                help=profile_words,
                shell_complete=among(PROFILES),
            ),
            data_root_option("root"),
            dataset_option(default=dataset, show_default=True if dataset else "that of the question"),
        ):
            command = option(command)
        return command

    return with_options


reuse_option = click.option(
    "--reuse", default=True, show_default=True, type=bool, help="0: take nothing over from earlier runs, train anew."
)


def executor_options(default: str, words: str) -> Callable:
    """The options `--executor`, `--slots`, `--scheduler` and `--cluster`; `words` are what is done, such as tasks."""
    kinds = "inline: this process; pool: spawned processes; dask; slurm."

    def with_options(command: Callable) -> Callable:
        for option in (
            click.option("--cluster", default="", help="YAML file on the cluster to start, or on the jobs of slurm."),
            click.option(
                "--scheduler", default="", help="Of dask: tcp://HOST:8786, or a cluster to start: local, slurm, pbs, …."
            ),
            click.option(
                "--slots", default=0, show_default=True, type=click.IntRange(0), help=f"{words} at a time; 0 chooses."
            ),
            click.option("--executor", default=default, show_default=True, help=kinds),
        ):
            command = option(command)
        return command

    return with_options


def _tell_given_run(fault: str) -> None:
    """Let the run that `mlflow run` has made for this program say why it fails, where nothing else has taken it."""
    if "MLFLOW_RUN_ID" in os.environ:
        from study.tracking import tell_given_run  # which takes seconds to import

        tell_given_run(fault)


def fault_in_words(error: Exception) -> str:
    """What a user can fix: a StudyError, a store that has gone away, a full disk; empty for errors of ours."""
    if isinstance(error, StudyError):
        return str(error)
    if "mlflow" in sys.modules:
        from study.tracking import gone_in_words

        return gone_in_words(error) or full_disk_in_words(error)
    return full_disk_in_words(error)


def exits(command: Callable[..., int | None]) -> Callable[..., None]:
    """Let a command end with status 1 where it gives a number of failures, or with the sentence of `fault_in_words`."""

    @functools.wraps(command)
    def run(*args, **kwargs) -> None:
        take_any_text()
        try:
            failed = command(*args, **kwargs)
        except Exception as error:
            if not (words := fault_in_words(error)):
                raise
            _tell_given_run(words)
            raise click.ClickException(words) from None
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            raise SystemExit(130) from None
        raise SystemExit(min(failed or 0, 1))

    return run
