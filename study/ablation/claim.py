"""What a paper claims, as data: a row of a table that says which contrast between variants of a question tests it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from study.errors import StudyError

_OPTIONAL = ("question", "kind", "contrast", "direction", "scores", "margin", "reference", "printed", "note")
_NEEDED = ("key", "paper", "place", "statement")


@dataclass(frozen=True)
class Claim:
    """A claim of a paper.

    Attributes
    ----------
    key : str
        Its number, unique in the table.
    paper, place : str
        Who claims it, and in which section, table or figure.
    statement : str
        The claim in a sentence.
    question : str
        Name of the ablation that can test it; empty where none does.
    kind, contrast : str
        What is computed, see `study.ablation.verdicts.steps.KINDS`; empty where runs do not log what would be needed.
    direction : str
        What the paper says of it, see `study.ablation.verdicts.judging.DIRECTIONS`.
    scores : tuple of str
        Columns of scores, or measures of trainings; there is a verdict for each that the runs have.
    margin : float, optional
        How far from the reference still counts as `about`.
    reference : float
        What a level is compared with.
    printed : str
        The values that the paper prints, in words.
    note : str
        Why it is not tested, where it is not.
    """

    key: str
    paper: str
    place: str
    statement: str
    question: str = ""
    kind: str = ""
    contrast: str = ""
    direction: str = ""
    scores: tuple[str, ...] = ()
    margin: float | None = None
    reference: float = 0.0
    printed: str = ""
    note: str = ""


@lru_cache(maxsize=4)
def read_claims(file: Path) -> tuple[Claim, ...]:
    """The claims of a CSV file with a column for each attribute of `Claim`; `scores` are joined by spaces.

    Raises StudyError if a column or a value is missing, a number is none, or two claims have the same key.
    """
    try:
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise StudyError(f"{file} cannot be read ({error}): it is the table of the papers' claims") from error
    if list(rows.columns) != [*_NEEDED, *_OPTIONAL]:
        raise StudyError(f"{file} must have the columns {', '.join((*_NEEDED, *_OPTIONAL))}, in this order")
    claims = tuple(_claim(row, file) for row in rows.to_dict("records"))
    keys = [claim.key for claim in claims]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise StudyError(f"{file} has two claims {', '.join(twice)}: give each a key of its own")
    return claims


def _claim(row: dict[Any, Any], file: Path) -> Claim:
    about = f"{file}, claim {row['key']!r}"
    if missing := [name for name in _NEEDED if not row[name]]:
        raise StudyError(f"{about}: {', '.join(missing)} must not be empty")
    tested = ("question", "kind", "direction", "scores")
    if row["contrast"] and (missing := [name for name in tested if not row[name]]):
        raise StudyError(f"{about} has a contrast, and so needs {', '.join(missing)} too")
    if not row["contrast"] and not row["note"]:
        raise StudyError(f"{about} has neither a contrast nor a note that says why it is not tested: give it one")
    if row["direction"] == "about" and not row["margin"]:
        raise StudyError(f"{about} says `about`, and so needs a margin")
    try:
        margin = float(row["margin"]) if row["margin"] else None
        reference = float(row["reference"] or 0)
    except ValueError:
        raise StudyError(f"{about}: margin and reference must be numbers, or empty") from None
    return Claim(**row | {"scores": tuple(row["scores"].split()), "margin": margin, "reference": reference})
