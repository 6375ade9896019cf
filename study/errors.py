"""The one exception that stands for a fault the user can fix."""

import difflib
import re
import textwrap
from collections.abc import Iterable

_LINE = 100  # characters; a longer list of names goes on in further lines,
_WIDTH = 78  # of so many


class StudyError(Exception):
    """A fault in the input, the options or the surroundings, told in one sentence.

    The sentence names the file or option, the cause and the fix; a long list of names follows it in lines of its own.
    The command line prints it without a traceback and exits with status 1; library callers catch it like any
    exception.
    """


def unknown_name(kind: str, name: str, known: Iterable[object], also: Iterable[str] = ()) -> StudyError:
    """A StudyError for a name that is none of `known`: up to three similar names, then all by the alphabet.

    Names of `also` are told where they are similar, and are not listed.
    """
    names = sorted(map(str, known))
    likeness = {other: _likeness(str(name), other) for other in (*names, *also)}
    similar = sorted((other for other in likeness if likeness[other] >= 0.6), key=lambda other: -likeness[other])[:3]
    guess = f", did you mean {' or '.join(similar)}? Choose" if similar else ": choose"
    return StudyError(f"unknown {kind} {name!r}{guess} one of {listed(names)}")


def listed(names: Iterable[str]) -> str:
    """Names joined by commas; what does not fit into the sentence stands below it, in lines of a readable length."""
    text = ", ".join(names)
    if len(text) <= _LINE:
        return text
    indent = "  "
    lines = textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(["these:", *lines])


def _likeness(name: str, other: str) -> float:
    """From 0 to 1; a name may also be like a part of the other, such as `angle` of `clustering.angle`."""
    name, other = name.casefold(), other.casefold()
    parts = {part for separators in (r"[. ]", r"[. _-]") for part in re.split(separators, other)} - {other}
    ratios = {part: difflib.SequenceMatcher(None, part, name).ratio() for part in (other, *parts)}
    return max(ratio if part == other else 0.95 * ratio for part, ratio in ratios.items())


def first_line(error: BaseException, most: int = 200) -> str:
    """The first line of what an error says, cut to `most` characters; its type's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:most] if lines else type(error).__name__
