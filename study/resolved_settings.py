"""The settings of a run as a table for the terminal: each with its value, its source, and what the paper has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from study.errors import StudyError
from study.profiles import Layer, Resolved, layers_of, parse_overrides, resolve
from study.settings import NOT_IN_DIGEST

Layers = Callable[[str, Mapping[str, Any]], list[Layer]]  # (system, what a question varies) -> layers of settings


def table_of_settings(options: Mapping[str, str], system: str, layers: list[Layer]) -> str:
    """A line for each setting, and how many differ from those of the paper.

    The paper's settings are those of the system and the data set in the profile `full` and the preset `paper`, as far
    as the same components are chosen.

    Parameters
    ----------
    options : dict
        `dataset` and `root` of the command.
    system : str
    layers : list of Layer
        Of the run.
    """
    resolved = resolve(layers)
    paper = resolve(layers_of(options["dataset"], options["root"], "full", "paper", "", system, {})).settings.flat()
    rows, differing = [("setting", "value", "source", "in the paper")], 0
    for name, value in resolved.settings.flat().items():
        differs = value != paper.get(name, value) and name not in NOT_IN_DIGEST
        differing += differs
        rows.append((name, _in_words(value), resolved.sources.get(name, "default"), _in_words(paper[name]) * differs))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, f"{differing} of {len(rows) - 1} settings differ from the paper's."])


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "-"


def check_options(overrides: str, variants: Iterable[Resolved], name: str) -> None:
    """Raise a StudyError where a single setting of the command line reaches none of the variants of a question.

    Parameters
    ----------
    overrides : str
        What the option `--set` has.
    variants : iterable of Resolved
    name : str
        Of the question, for the sentence.
    """
    reached = {setting for variant in variants for setting, source in variant.sources.items() if source == "option"}
    for setting in parse_overrides(overrides):
        parts = setting.split(".")
        if setting not in reached and f"{parts[0]}.{parts[-1]}" not in reached:
            raise StudyError(
                f"--set {setting} has no effect in {name}: each variant sets it itself or lacks it; leave it out"
            )
