"""The pages of launches as folders of a repository: the notebooks in Markdown, figures and tables as files."""

from __future__ import annotations

import ast
import base64
import io
import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.Image import Resampling

from reports.blocks.page import without_pictures
from reports.blocks.verdicts import FILE as CLAIMS
from reports.build.choosing import chosen_reports
from reports.build.names import TEMPLATES
from reports.publish.chosen import Chosen
from reports.publish.markdown import as_markdown
from study import tracking

README = "README.md"
_WIDTH = 1200  # px
_NO_PICTURES = "The terms of this data set do not allow to show its images here; the page of a launch has the figure."
_CLAIMS = re.compile(r"(?<=<h2>Claims and verdicts</h2>\n)<div>.*?</div>", flags=re.DOTALL)


def write_pages(chosen: Chosen, folder: Path) -> dict[str, str]:
    """Write the pages that show the launches of a data set, a folder each; gives their titles by name."""
    ids = ",".join(launch.parent.run_id for launch in chosen.launches.values())
    titles: dict[str, str] = {}
    claims: dict[str, str] = {}  # tables of claims, and where they are shown
    for name, of_page in chosen_reports((), ids, "").items():
        (folder / name).mkdir(parents=True)
        with nullcontext() if chosen.row.pictures else without_pictures(_NO_PICTURES):
            title, *parts = _shown(name, tracking.current_store(), of_page, folder / name)
        titles[name] = title.lstrip("# ")
        where = f"Written by `python -m reports study`. The launches call this data set `{chosen.row.dataset}`."
        where += f" {chosen.note}" if chosen.note else ""
        text = "\n\n".join([f"# {titles[name]}: {chosen.row.data}", where, *parts])
        text = _once(text, claims, folder / name, titles[name])
        (folder / name / README).write_text(_with_files(text, folder / name) + "\n", encoding="utf-8")
    return titles


def _once(text: str, claims: dict[str, str], folder: Path, title: str) -> str:
    """The text of a page, with a link in place of a table of claims that an earlier page of the data set has."""
    if not (found := _CLAIMS.search(text)):
        return text
    if found[0] not in claims:
        claims[found[0]] = f"[{title}](../{folder.name}/{README})"
        return text
    (folder / CLAIMS).unlink()
    return _CLAIMS.sub(lambda _: f"\nThey are on the page {claims[found[0]]}.\n", text)


def titles_of(folder: Path) -> dict[str, str]:
    """The titles of pages that were written before, by name."""
    pages = sorted(folder.glob(f"*/{README}"))
    return {
        page.parent.name: page.read_text("utf-8").partition("\n")[0].lstrip("# ").rpartition(": ")[0] for page in pages
    }


def _shown(name: str, store: str, run_ids: list[str], folder: Path) -> Iterator[str]:
    """What the cells of a notebook show, one after the other, in Markdown and HTML; its title first.

    Its cells are executed here: there are no streams or errors to be kept, and a process of its own takes seconds.
    """
    cells = json.loads((TEMPLATES / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    given = {"store": store, "run_ids": ",".join(run_ids), "folder": str(folder)}
    namespace: dict[str, Any] = {}
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield source
        elif (value := _value_of(source, namespace)) is not None:
            yield as_markdown(value)
        if "parameters" in cell["metadata"].get("tags", []):
            namespace |= given


def _value_of(source: str, namespace: dict[str, Any]) -> Any:
    """Execute a cell; the value of its last line, where that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), namespace)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), namespace) if last else None  # type: ignore[union-attr]


def _with_files(text: str, folder: Path) -> str:
    """The text with figures as files in place of their bytes; PDF, whose bytes tell when it was made, is left out."""
    for file in folder.glob("*.pdf"):
        file.unlink()
    for file in sorted(folder.glob("*.png")):
        data = base64.b64encode(file.read_bytes()).decode()
        text = text.replace(f"data:image/png;base64,{data}", file.name)
        _shrink(file)
    return text


def _shrink(file: Path) -> None:
    """Let a figure be no wider than a page shows, where that saves bytes: a repository keeps all it ever had."""
    with Image.open(file) as figure:
        size = _WIDTH, round(figure.height * _WIDTH / figure.width)
        made = io.BytesIO()
        figure.convert("RGB").resize(size, Resampling.LANCZOS).save(made, format="png", optimize=True)
    if figure.width > _WIDTH and len(made.getvalue()) < file.stat().st_size:
        file.write_bytes(made.getvalue())
