"""The command `pixel-embedding`: those of `python -m study`, `ablations` and `reports` under one name."""

import click

from ablations.__main__ import main as ablate
from reports.cli import main as report
from study.cli import main as study
from study.options import Commands
from study.version import __version__


@click.group(cls=Commands)
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """Instance segmentation by pixel embeddings: ask a question, train a network, use it."""


main.add_command(ablate, "ablate")
for _name, _command in study.commands.items():
    if _name != "check_data":  # it is `data check` here; an entry point of MLproject has one word
        main.add_command(_command, _name)
main.add_command(report, "report")

if __name__ == "__main__":
    main()
