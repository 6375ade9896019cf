"""The one exception that stands for a fault the user can fix."""

import difflib
from collections.abc import Iterable


class StudyError(Exception):
    """A fault in the input, the options or the surroundings, told in one sentence.

    The sentence names the file or option, the cause and the fix. The command line prints it without a traceback and
    exits with status 1; library callers catch it like any exception.
    """


def unknown_name(kind: str, name: str, known: Iterable[object]) -> StudyError:
    """A StudyError for a name that is none of `known`, which it lists: up to three similar names first."""
    names = sorted(map(str, known))
    likeness = {other: difflib.SequenceMatcher(None, other, str(name)).ratio() for other in names}
    similar = sorted((other for other in names if likeness[other] >= 0.5), key=lambda other: -likeness[other])[:3]
    listed = [*similar, *(other for other in names if other not in similar)]
    return StudyError(f"unknown {kind} {name!r}: choose one of {', '.join(listed)}")


def first_line(error: BaseException, most: int = 200) -> str:
    """The first line of what an error says, cut to `most` characters; its type's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:most] if lines else type(error).__name__
