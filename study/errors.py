"""The one exception that stands for a fault the user can fix."""


class StudyError(Exception):
    """A fault in the input, the options or the surroundings, told in one sentence.

    The sentence names the file or option and the fix. The command line prints it without a traceback and exits
    with status 1; library callers catch it like any exception.
    """


def unknown_name(kind: str, name: str, known) -> StudyError:
    """A StudyError for a name that is not a key of `known`, which it lists."""
    return StudyError(f"unknown {kind} {name!r}: choose one of {', '.join(sorted(map(str, known)))}")


def first_line(error: BaseException, most: int = 200) -> str:
    """The first line of what an error says, cut to `most` characters; its type's name where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:most] if lines else type(error).__name__
