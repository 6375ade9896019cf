"""The file MLproject, written from the commands and the questions, so that they cannot disagree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

import click

from ablations import ALL, WORDS_OF_ALL, find_questions
from study.errors import StudyError

MAIN = "lambda"  # the question of the entry point `main`


def mlproject(ablate: click.Command, commands: Mapping[str, click.Command], report: click.Command) -> str:
    """The text of MLproject, from the commands of a question, of `python -m study` (by name), and `python -m reports`.

    Raises StudyError if two entry points have the same name.
    """
    questions = find_questions()
    points = [("main", f"the same as {questions[MAIN].ABLATION.entry_point}", f"ablations {MAIN}", ablate)]
    points += [
        (name, _first_sentence(command), f"study {name}", command)
        for name, command in commands.items()
        if not isinstance(command, click.Group)
    ]
    for name, module in questions.items():
        words = (module.__doc__ or module.ABLATION.question).partition("\n")[0]
        points.append((module.ABLATION.entry_point, words, f"ablations {name}", ablate))
    points.append((f"ablate_{ALL}", WORDS_OF_ALL, f"ablations {ALL}", ablate))
    points.append(("report", _first_sentence(report), "reports {name}", report))
    for name, count in Counter(name for name, *_ in points).items():
        if count > 1:
            raise StudyError(f"{count} entry points are called {name!r}: give the question another entry_point")
    head = "# Written by: python -m ablations --mlproject\nname: pixel-embedding-study\npython_env: python_env.yaml\n"
    return f"{head}\nentry_points:\n" + "\n".join(_entry_point(*point) for point in points)


def _first_sentence(command: click.Command) -> str:
    return (command.help or "").partition("\n")[0]


def _entry_point(name: str, words: str, program: str, command: click.Command) -> str:
    """The lines of an entry point: each option of its command is a parameter of the same name."""
    lines = [f"  {name}: # {words}", "    parameters:"]
    if "{name}" in program:  # the argument of the command
        lines.append('      name: {type: string, default: ""}')
    options = [option for option in command.params if isinstance(option, click.Option) and not option.is_flag]
    for option in options:
        typed = str(int(option.default) if isinstance(option.default, bool) else option.default)  # 1 and 0: yes and no
        default = "" if option.required else f", default: {json.dumps(typed)}"
        lines.append(f"      {_name(option)}: {{type: string{default}}}")
    given = "".join(f" --{_name(option)} {{{_name(option)}}}" for option in options)
    return "\n".join([*lines, f'    command: "python -m {program}{given}"\n'])


def _name(option: click.Option) -> str:
    return option.opts[0].removeprefix("--")
