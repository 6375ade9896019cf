"""The choices behind the settings of the papers: what each text says, what its program did, what is taken, and why.

They stand in ``choices.csv``, a row each. ``docs/choices.md`` is written from it by ``python -m study.choices``.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import NamedTuple

from study.settings import Settings
from study.systems import PAPERS

FILE = Path(__file__).with_name("choices.csv")
_TITLES = ("choice", "the text", "the authors' program", "we take", "why", "effect where measured")
_ABOUT = """\
# Choices

What the papers say, what the programs of their authors did, and what is taken here, in the preset `paper` of the
profile `full`. *Ours* is what no text has: the text is silent or says something else, whether or not the program does
the same. `python -m study settings` and the pages mark these values. Smaller profiles depart in more, and each page
says in what.

A row that names no system is about all systems that no other row names for the same setting.

Written from `study/choices.csv` by `python -m study.choices > docs/choices.md`.
"""


class Choice(NamedTuple):
    """A choice.

    Attributes
    ----------
    setting : str
        Dotted name, also with a component's key in the middle; words where it is no setting.
    systems : str
        Systems that it is about, with blanks between; all others that have the setting where it is empty.
    data : str
        Kind of data or data set that it is about; empty for all others.
    text, program : str
        What the text says and what the authors' program did; empty where the text is silent, or where the program is
        not known or does the same.
    code, taken : str
        The value of the preset `code` where that has one, and the value that is taken.
    basis : str
        Where that is from: `text`, `program` or `ours`.
    why, effect : str
        Why it is taken, and what it changes where that was measured, with how.
    """

    setting: str
    systems: str
    data: str
    text: str
    program: str
    code: str
    taken: str
    basis: str
    why: str
    effect: str

    @property
    def is_ours(self) -> bool:
        """Whether no text has what is taken."""
        return self.basis != "text"

    @property
    def is_setting(self) -> bool:
        """Whether there is a setting for it."""
        return " " not in self.setting and "." in self.setting

    def rank(self, settings: Settings) -> tuple[int, ...] | None:
        """How closely the choice is about a run of these settings; None where it is not."""
        systems, (group, *component, _) = self.systems.split(), self.setting.split(".")
        if systems and settings.system not in systems:
            return None
        if self.data and self.data not in (settings.kind, settings.data.name):
            return None
        if component and getattr(settings, group).key != component[0]:
            return None
        return bool(self.data), bool(component), bool(systems)


@cache
def choices() -> tuple[Choice, ...]:
    """All choices in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(Choice(**row) for row in csv.DictReader(file))


def choice_of(name: str, settings: Settings) -> Choice | None:
    """The choice behind the paper's value of a setting, by its dotted name, in a run of these settings."""
    group, _, leaf = name.rpartition(".")
    about = [
        c for c in choices() if c.is_setting and (c.setting.split(".")[0], c.setting.split(".")[-1]) == (group, leaf)
    ]
    ranked = [(rank, choice) for choice in about if (rank := choice.rank(settings)) is not None]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def is_ours(name: str, settings: Settings) -> bool:
    """Whether no text has the value that stands for the paper's; in the preset `code`, the program may have it."""
    choice = choice_of(name, settings)
    return choice is not None and choice.is_ours and not (choice.code and settings.preset == "code")


def mark(name: str, settings: Settings) -> str:
    """Words beside the paper's value of a setting that no text has, such as `ours: the text is silent`; else empty.

    In the preset `code` that value is the program's where the preset has one.
    """
    choice = choice_of(name, settings)
    if choice is not None and choice.code and settings.preset == "code":
        return "of the authors' program"
    if choice is None or not is_ours(name, settings):
        return ""
    return f"ours; the text: {choice.text}" if choice.text else "ours: the text is silent"


def markdown() -> str:
    """All choices as Markdown: for each paper first what is ours, then what the text says."""
    parts = [_ABOUT]
    for title, rows in _by_paper().items():
        parts.append(f"## {title}\n")
        for heading, ours in (("Ours", True), ("As the text has it", False)):
            if chosen := [choice for choice in rows if choice.is_ours == ours]:
                titles = _TITLES if any(choice.effect for choice in chosen) else _TITLES[:-1]
                lines = [titles, ["---"] * len(titles), *(_cells(choice)[: len(titles)] for choice in chosen)]
                parts.append("\n".join([f"### {heading}\n", *(f"| {' | '.join(line)} |" for line in lines), ""]))
    return "\n".join(parts)


def _by_paper() -> dict[str, list[Choice]]:
    """The choices by the paper of the systems that they name; those that name none are with the first."""
    found: dict[str, list[Choice]] = {title: [] for title in PAPERS.values()}
    for choice in choices():
        for title in dict.fromkeys(PAPERS[system] for system in choice.systems.split()) or list(found)[:1]:
            found[title].append(choice)
    return found


def _cells(choice: Choice) -> list[str]:
    name = f"`{choice.setting}`" if choice.is_setting else choice.setting
    about = [*choice.systems.split(), choice.data]
    where = f" ({', '.join(filter(None, about))})" if any(about) else ""
    program = "; ".join(filter(None, [choice.program, f"preset `code`: `{choice.code}`" if choice.code else ""]))
    taken = f"`{choice.taken}`" if choice.is_setting and " " not in choice.taken else choice.taken
    cells = [f"{name}{where}", choice.text or "silent", program, taken, choice.why, choice.effect]
    return [cell.replace("|", "\\|") for cell in cells]


if __name__ == "__main__":
    print(markdown(), end="")
