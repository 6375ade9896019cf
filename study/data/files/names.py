"""Names of files: what two of them are compared by, and what a folder holds, in words."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

NOTHING = "nothing"
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")  # that Windows puts into folders
_NAMED = 4  # kinds of files that a sentence names


def composed(name: str) -> str:
    """A name in one Unicode form: a file system may take letter and accent apart, and another not (ü)."""
    return unicodedata.normalize("NFC", name)


def printable(name: str) -> str:
    """A name as text: what a file system keeps that is no UTF-8 becomes a replacement character."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def in_cell(name: str) -> str:
    """A name for a cell of a table: what begins as a formula would, spreadsheets read as one; `./` is no other file."""
    return f"./{name}" if name.startswith(("=", "+", "-", "@")) else name


def stem_of(path: Path) -> str:
    """The name of a file without its ending, in one Unicode form: ``cell`` of cell.png and of cell.ome.tif."""
    return composed(path.stem).removesuffix(".ome")


def path_from(name: str) -> Path:
    """The path that a table or a program gives, which may have been written on Windows."""
    return Path(name.strip().replace("\\", "/"))


def in_words(folder: Path, known: Callable[[Path], bool] = lambda path: False) -> str:
    """What a folder holds, but for hidden files and those that are `known`: ``12 files .bmp, 2 folders``."""
    kinds: Counter[str] = Counter()
    for path in folder.iterdir():
        hidden = path.name.startswith(".") or path.name.lower() in _OF_SYSTEMS
        if not hidden and not known(path):
            kinds["folder" if path.is_dir() else path.suffix.lower()] += 1
    words = [_counted(kind, count) for kind, count in kinds.most_common(_NAMED)]
    return (", ".join(words) + (", …" if len(kinds) > _NAMED else "")) or NOTHING


def _counted(kind: str, count: int) -> str:
    plural = "" if count == 1 else "s"
    return f"{count} folder{plural}" if kind == "folder" else f"{count} file{plural} {kind or 'without ending'}"
