"""Blocks of a page, as a notebook shows them: tables and figures with captions, and the files that go along."""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from study import figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_withheld: ContextVar[str] = ContextVar("withheld", default="")


@dataclass(frozen=True)
class Block:
    """Some HTML."""

    html: str

    def _repr_html_(self) -> str:
        return self.html

    def __add__(self, other: Block) -> Block:
        return Block(f"{self.html}\n{other.html}")


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes
    ----------
    title : str
    cells : sequence of str
        HTML.
    group : str
        Title above this and the neighbouring columns of the same group.
    numeric : bool
        Set flush right.
    soft : bool
        Set in grey: what is not to be compared with the rest.
    """

    title: str
    cells: Sequence[str]
    group: str = ""
    numeric: bool = True
    soft: bool = False


def text_column(title: str, values: Iterable[Any], form: str = "{}", *, numeric: bool = False) -> Column:
    """A column of words; a cell without a value is empty. `form` is HTML around each, such as ``<code>{}</code>``."""
    return Column(title, [form.format(escape(str(v))) if pd.notna(v) else "" for v in values], numeric=numeric)


def missing_columns(frame: pd.DataFrame) -> list[Column]:
    """The column `missing` of a frame as the last one of a table; none where nothing is missing."""
    return [text_column("missing", frame["missing"])] if any(frame["missing"]) else []


def day(milliseconds: int) -> str:
    """A time in milliseconds since 1970 as date and minute, UTC."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"


def heading(text: str) -> Block:
    """A heading."""
    return Block(f"<h2>{escape(text)}</h2>")


def paragraph(text: str, kind: str = "") -> Block:
    """A paragraph of plain text."""
    return Block(f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>")


def stacked(blocks: Iterable[Block]) -> Block:
    """Blocks below one another."""
    return Block("\n".join(block.html for block in blocks))


def remarks(title: str, sentences: Sequence[str]) -> Block:
    """A list of sentences about what is missing; empty without any."""
    if not sentences:
        return Block("")
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return Block(f'<div class="missing"><p>{escape(title)}</p><ul>{items}</ul></div>')


def number(value: float, form: str = ".3f") -> str:
    """A number as HTML, with a true minus sign; a dash where there is none."""
    if pd.isna(value):
        return "–"
    text = f"{value:{form}}"
    return (text.lstrip("-") if not text.strip("+-0.") else text).replace("-", "−")


def with_interval(value: float, low: float, high: float, form: str = ".3f") -> str:
    """A number with its interval in small print."""
    if pd.isna(value):
        return "–"
    if pd.isna(low):
        return number(value, form)
    between = f"{number(low, form)} to {number(high, form)}"
    return f'{number(value, form)} <span class="interval">{between}</span>'


def table_block(columns: Sequence[Column], caption: str, marked: Collection[int] = (), *, folds: bool = False) -> Block:
    """A table with its caption above it; rows in `marked` are shaded.

    On a phone a table is dragged sideways, and one that `folds`, which has more words than numbers to compare, shows
    the cells of a row below each other.
    """
    head = _groups(columns) + "<tr>" + _cells("th", columns, [escape(column.title) for column in columns])
    body = ""
    for i, row in enumerate(zip(*(column.cells for column in columns), strict=True)):
        body += ('<tr class="marked">' if i in marked else "<tr>") + _cells("td", columns, row, titled=folds) + "</tr>"
    return Block(
        # the caption stands outside of what scrolls: on a phone it would have to be dragged along line by line
        f'<figure class="table{" folds" * folds}"><figcaption>{escape(caption)}</figcaption><div class="wide"><table>'
        f"<thead>{head}</tr></thead><tbody>{body}</tbody></table></div></figure>"
    )


def _cells(tag: str, columns: Sequence[Column], contents: Sequence[str], *, titled: bool = False) -> str:
    """A row; the first cell of each group of columns is marked, and with `titled` each names its column."""
    row, before = "", ""
    for column, content in zip(columns, contents, strict=True):
        starts = column.group and column.group != before
        styles = (("number", column.numeric), ("starts", starts), ("soft", column.soft))
        kinds = " ".join(kind for kind, whether in styles if whether)
        title = f' data-title="{escape(column.title)}"' if titled else ""
        row += f'<{tag} class="{kinds}"{title}>{content}</{tag}>' if kinds else f"<{tag}{title}>{content}</{tag}>"
        before = column.group
    return row


def _groups(columns: Sequence[Column]) -> str:
    """The row of titles over groups of columns; nothing where there is no group."""
    if not any(column.group for column in columns):
        return ""
    spans = [(title, len(list(of_group))) for title, of_group in groupby(column.group for column in columns)]
    cells = [
        f'<th class="group starts" colspan="{n}">{escape(title)}</th>' if title else f'<th colspan="{n}"></th>'
        for title, n in spans
    ]
    return f'<tr class="groups">{"".join(cells)}</tr>'


@contextmanager
def without_pictures(reason: str) -> Iterator[None]:
    """Leave figures out that show images of a data set, and tell a reason in their place."""
    token = _withheld.set(reason)
    try:
        yield
    finally:
        _withheld.reset(token)


def figure_block(folder: Path, name: str, figure: Figure, caption: str, data: pd.DataFrame) -> Block:
    """A figure with its caption below it; written as `name`.pdf and `name`.png, the data behind it as `name`.csv.

    Within `without_pictures`, one that shows images is not made.
    """
    if (reason := _withheld.get()) and any(axes.images for axes in figure.axes):
        return paragraph(f"Not shown: {name.replace('_', ' ')}. {reason}", "soft")
    data.to_csv(folder / f"{name}.csv", index=False)
    figures.save(figure, folder / f"{name}.pdf")
    figures.save(figure, folder / f"{name}.png")
    picture = (folder / f"{name}.png").read_bytes()
    return _shown(picture, escape(caption), f"width: {1.25 * figure.get_figwidth():.2f}in")  # a screen is far away


def picture_block(picture: np.ndarray, caption: str) -> Block:
    """A picture (M, N, 3) as it is, with a caption below it."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="png")
    return _shown(file.getvalue(), escape(caption), f"width: {picture.shape[1]}px")


def _shown(png: bytes, caption: str, style: str) -> Block:
    text = base64.b64encode(png).decode()
    image = f'<img alt="{caption}" style="{style}" src="data:image/png;base64,{text}">'
    return Block(f"<figure>{image}<figcaption>{caption}</figcaption></figure>")
