"""Values of settings: numbers, and distances of pairs of pixels as they are written."""

from __future__ import annotations

from numbers import Real
from typing import Any

from study.errors import StudyError


def is_number(value: Any) -> bool:
    """Whether a value has a size; true and false have none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def parse_ranges(text: str) -> tuple[int, ...]:
    """``1+3+5`` as numbers.

    Raises
    ------
    StudyError
        If it is anything else than different whole numbers above 0, in ascending order and from 1 on.
    """
    try:
        ranges = tuple(int(part) for part in text.split("+"))
    except ValueError:
        ranges = ()
    if not ranges or ranges[0] != 1 or list(ranges) != sorted(set(ranges)):
        raise StudyError(f"ranges are ascending whole numbers from 1 on, joined by +, such as 1+3+5+9, not {text!r}")
    return ranges
