"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with these cells, in which a vertical bar is no border."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """A text as it is typed."""
    return f"`{text}`"


def anchor_of_setting(name: str) -> str:
    """Where the page of settings tells of one, by its dotted name."""
    return f"setting-{name.replace('.', '-').replace('_', '-')}"
