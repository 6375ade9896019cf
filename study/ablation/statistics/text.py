"""A description in Markdown as plain text, for the terminal."""

from __future__ import annotations

import textwrap
from itertools import groupby

WIDTH = 110  # letters of a line


def as_text(markdown: str) -> str:
    """Paragraphs, lists and tables of Markdown as lines of plain text.

    Columns of a table are aligned, the first to the left; those beyond the width of a line are left out.
    """
    parts = []
    for is_table, lines in groupby(markdown.splitlines(), lambda line: line.startswith("|")):
        parts += (_table if is_table else _wrapped)(list(lines))
    return "\n".join(parts)


def _wrapped(lines: list[str]) -> list[str]:
    wrapped = []
    for line in lines:
        plain = line.replace("**", "").replace("`", "")
        wrapped += textwrap.wrap(plain, WIDTH, subsequent_indent="  " if plain.startswith("- ") else "") or [""]
    return wrapped


def _table(lines: list[str]) -> list[str]:
    titles, _, *body = [line.removeprefix("| ").removesuffix(" |").replace("\\|", "¦").split(" | ") for line in lines]
    cells = [[cell.replace("¦", "|").replace("**", "") for cell in row] for row in (titles, *body)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(titles))]
    shown = next((i for i in range(len(titles), 1, -1) if sum(widths[:i]) + 2 * (i - 1) <= WIDTH), 1)
    return [
        "  ".join([row[0].ljust(widths[0]), *(row[i].rjust(widths[i]) for i in range(1, shown))]).rstrip()
        for row in cells
    ]
