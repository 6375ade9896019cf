"""What the command lines of `study` and `ablations` share: common options, and how a fault ends."""

from __future__ import annotations

import functools
from collections.abc import Callable

import click

from study.errors import StudyError
from study.profiles import PRESETS, PROFILES


def settings_options(command: Callable) -> Callable:
    """The options that choose the settings: data set, its folder, profile, preset and single settings."""
    for option in (
        click.option("--set", "overrides", default="", help="Settings: a.b=1,c.d=x."),
        click.option("--preset", default="paper", show_default=True, help=" or ".join(PRESETS)),
        click.option("--profile", default="quick", show_default=True, help=", ".join(PROFILES)),
        click.option("--data_root", "root", default="", help="Folder of the data set."),
        click.option("--dataset", default="synthetic-leaves", show_default=True, help="A key of DATASETS."),
    ):
        command = option(command)
    return command


reuse_option = click.option(
    "--reuse", default=True, type=bool, help="0: take nothing over from earlier runs, and train anew."
)


def exits(command: Callable[..., int]) -> Callable[..., None]:
    """Let a command end with its number of faults as status (at most 1), and a StudyError with its sentence alone."""

    @functools.wraps(command)
    def run(*args, **kwargs) -> None:
        try:
            failed = command(*args, **kwargs)
        except StudyError as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            raise SystemExit(130) from None
        raise SystemExit(min(failed, 1))

    return run
