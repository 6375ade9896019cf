"""The settings of a run as a table for the terminal: each with its value, its source, and what the paper has."""

from __future__ import annotations

from collections.abc import Iterable

from study.choices import is_ours, mark
from study.config import in_words
from study.errors import StudyError
from study.paper import departures
from study.profiles import Layer, Resolved, parse_overrides, resolve


def table_of_settings(layers: list[Layer]) -> str:
    """A line for each setting of a run with these layers, and how many of them are departures (`study.paper`).

    What the paper has is told where the run departs from it, and where it is our choice, as the text does not say it.
    """
    resolved = resolve(layers)
    differing = departures(resolved.settings)
    rows = [("setting", "value", "source", "in the paper")]
    for name, value in resolved.settings.flat().items():
        ours = mark(name, resolved.settings)
        paper = in_words(differing[name].paper) if name in differing else ""
        if ours:
            paper = f"{paper} ({ours})" if paper else ours * is_ours(name, resolved.settings)
        rows.append((name, in_words(value), resolved.sources.get(name, "default"), paper))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, f"{len(differing)} of {len(rows) - 1} settings differ from the paper's."])


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
