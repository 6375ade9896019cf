"""HTML of a page's blocks as a repository shows it: without styles, and no wider than its column."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from html import unescape
from itertools import pairwise
from typing import NamedTuple

from reports.blocks.page import Block

_WIDTH = 946  # px of a page
_PADDING, _TITLE, _LETTER, _SMALL = 26, 9.5, 8.6, 7.6  # px of a cell; of a letter in bold, plain and small print
_INTERVAL = re.compile(r' ?<span class="interval">(.*?)</span>')
_BETWEEN = re.compile(r"\S+ to \S+")
_CLASSES = re.compile(r' (?:class|style)="[^"]*"')
_FIGURE = re.compile(r'<figure><img [^>]*src="([^"]*)"[^>]*><figcaption>(.*?)</figcaption></figure>', flags=re.DOTALL)
_TABLE = re.compile(
    r'<figure class="table[^"]*"><figcaption>(.*?)</figcaption><div class="wide"><table>(.*?)</table></div></figure>',
    flags=re.DOTALL,
)
_ROW = re.compile(r"<tr([^>]*)>(.*?)</tr>", flags=re.DOTALL)
_CELL = re.compile(r"<t([hd])\b([^>]*)>(.*?)</t\1>", flags=re.DOTALL)
_SPAN = re.compile(r'colspan="(\d+)"')
_RUN = re.compile(r"<code>([0-9a-f]{32})</code>")
_P = "adjusted p"  # it stays beside its difference
_EMPTY = ("", "–", "<em>–</em>", "<em></em>")  # a cell without a value
_MARKS = (("Shaded: ", "Bold: "), ("In grey", "In italics"), ("in grey", "in italics"))  # what captions say of styles


class _Group(NamedTuple):
    title: str  # above its columns, HTML
    first: int
    last: int  # exclusive
    breaks: Sequence[int] = ()  # the columns before which it may be parted

    def width(self, columns: Sequence[float]) -> float:
        return sum(columns[self.first : self.last])


def as_markdown(block: Block) -> str:
    """HTML that a repository's page shows: it drops styles, and takes an empty line for the end of HTML."""
    html = _TABLE.sub(_table, block.html)
    html = _INTERVAL.sub(lambda found: f"<br><sub>{_unbroken(found[1])}</sub>", html)
    html = _CLASSES.sub("", _RUN.sub(lambda found: f"<code>{shortened(found[1])}</code>", html))
    html = re.sub(r"\n\s*\n", "\n", re.sub(r"<h2>(.*?)</h2>", r"\n<h2>\1</h2>", html))
    return _FIGURE.sub(_figure, html).strip()


def shortened(run_id: str) -> str:
    """The id of a run as pages show it."""
    return f"{run_id[:8]}…"


def _figure(found: re.Match[str]) -> str:
    """A figure in Markdown, whose picture a site copies, which it does not do for one in HTML."""
    source, caption = found.groups()
    title = textwrap.shorten(re.sub(r"<.*?>|[\[\]]", "", caption), 80, placeholder=" …")
    return f"\n\n![{title}]({source})\n\n<em>{caption}</em>\n\n"


def _table(found: re.Match[str]) -> str:
    """A table of `table_block`; several, each with the names of the rows, where its columns are too many."""
    caption, html = found.groups()
    for style, mark in _MARKS:
        caption = caption.replace(style, mark)
    rows = [(kinds, _CELL.findall(cells)) for kinds, cells in _ROW.findall(html)]
    above = rows.pop(0)[1] if 'class="groups"' in rows[0][0] else []
    titles, *body = [
        [_content(cell, marked="marked" in kinds and not i) for i, cell in enumerate(cells)] for kinds, cells in rows
    ]
    widths = [_least_width(title, [row[i] for row in body]) for i, title in enumerate(titles)]
    parts = _parts(list(_groups(above, titles)), widths)
    shown = [body] if len(parts) == 1 else [[row for row in body if _has_values(part, row)] for part in parts]
    tables = "\n".join(_part(part, titles, rows) for part, rows in zip(parts, shown, strict=True))
    return f"<div><p>{caption}</p>\n{tables}</div>"


def _groups(cells: Sequence[tuple[str, str, str]], titles: Sequence[str]) -> Iterator[_Group]:
    first = 0
    for _, attributes, title in cells:
        span = _SPAN.search(attributes)
        last = first + (int(span[1]) if span else 1)
        yield _Group(title, first, last, [i for i in range(first + 1, last) if not titles[i].startswith(_P)])
        first = last


def _content(cell: tuple[str, str, str], *, marked: bool) -> str:
    """What a cell holds, with tags where the page has styles."""
    _, attributes, content = cell
    if "soft" in attributes:
        return f"<em>{content}</em>"
    return f"<b>{content}</b>" if marked else content


def _least_width(title: str, cells: Sequence[str]) -> float:
    """Of a column whose words, but no interval, may stand below each other."""
    words = [len(word) * _TITLE for word in _words(title)]
    words += [len(word) * _LETTER for cell in cells for word in _words(_INTERVAL.sub("", cell))]
    intervals = [
        len(small) * _SMALL for cell in cells for small in _INTERVAL.findall(cell) if _BETWEEN.fullmatch(small)
    ]
    return _PADDING + max([*words, *intervals], default=0)


def _words(html: str) -> list[str]:
    return re.split(r"[\s-]+", unescape(re.sub(r"<.*?>", " ", html)))


def _parts(groups: Sequence[_Group], widths: Sequence[float]) -> list[list[_Group]]:
    """The groups of columns that stand beside each other; those that name the rows are the first of each part."""
    if sum(widths) <= _WIDTH or len(groups) < 2:
        return [list(groups) or [_Group("", 0, len(widths))]]
    names, *others = groups
    return [[names, *part] for part in _evenly(others, widths, _WIDTH - names.width(widths))]


def _evenly(groups: Sequence[_Group], widths: Sequence[float], room: float) -> list[list[_Group]]:
    """As few parts as the room allows, with the widest made narrower for as long as that needs no further part."""
    parts = _filled(groups, widths, room)
    while True:
        widest = max(_width(part, widths) for part in parts)
        others = _filled(groups, widths, widest - 1)
        if len(others) > len(parts) or max(_width(part, widths) for part in others) >= widest:
            return parts
        parts = others


def _filled(groups: Sequence[_Group], widths: Sequence[float], room: float) -> list[list[_Group]]:
    parts: list[list[_Group]] = [[]]
    for group in groups:
        for piece in _pieces(group, widths, room):
            if parts[-1] and _width([*parts[-1], piece], widths) > room:
                parts.append([])
            parts[-1].append(piece)
    return parts


def _width(groups: Sequence[_Group], widths: Sequence[float]) -> float:
    return sum(group.width(widths) for group in groups)


def _pieces(group: _Group, widths: Sequence[float], room: float) -> Iterator[_Group]:
    """A group as a whole where it fits, else as many columns at a time as do."""
    first = group.first
    for here, there in pairwise([*group.breaks, group.last]):
        if sum(widths[first:there]) > room:
            yield _Group(group.title, first, here)
            first = here
    yield _Group(group.title, first, group.last)


def _has_values(groups: Sequence[_Group], row: Sequence[str]) -> bool:
    """Whether a row has more than its name, which is in the first group."""
    return any(cell not in _EMPTY for group in groups[1:] for cell in row[group.first : group.last])


def _part(groups: Sequence[_Group], titles: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    def row(tag: str, cells: Sequence[str]) -> str:
        chosen = [cell for group in groups for cell in cells[group.first : group.last]]
        return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in chosen) + "</tr>"

    above = "".join(f'<th colspan="{group.last - group.first}">{group.title}</th>' for group in groups)
    head = f"<tr>{above}</tr>" if any(group.title for group in groups) else ""
    rows = "".join(row("td", cells) for cells in body)
    return f"<table><thead>{head}{row('th', titles)}</thead><tbody>{rows}</tbody></table>"


def _unbroken(text: str) -> str:
    """An interval on one line; other small print stays as it is."""
    return text.replace(" ", "&nbsp;") if _BETWEEN.fullmatch(text) else text
