"""Executes the notebooks and makes pages of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

import papermill
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat import read as read_notebook
from papermill.exceptions import PapermillExecutionError

from reports.build.kernel import NAME, Kernel
from study.errors import StudyError, unknown_name

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


class NotebookError(StudyError):
    """A cell has failed; what came before it is kept."""


def checked_parameters(template: Path, given: Mapping[str, str]) -> dict[str, object]:
    """Parameters as the notebook takes them: of the type of their defaults.

    Raises StudyError if one is unknown, or not of that type. papermill itself would only warn.
    """
    parameters = papermill.inspect_notebook(str(template))
    known = {name: ast.literal_eval(parameter["default"]) for name, parameter in parameters.items()}
    checked: dict[str, object] = {}
    for name, value in given.items():
        if name not in known:
            raise unknown_name(f"parameter of the notebook {template.stem}", name, known)
        kind = type(known[name])
        try:
            checked[name] = kind(value)
        except ValueError:
            words = {int: "a whole number", float: "a number"}[kind]
            raise StudyError(
                f"parameter {name} of the notebook {template.stem} must be {words}, not {value!r}"
            ) from None
    return checked


def render(
    template: Path, parameters: Mapping[str, str], folder: Path, kernel: Kernel, subject: str = "", foot: str = ""
) -> Path:
    """Execute a notebook in a kernel, see `own_kernel`, and make a page of it that opens offline; gives the page.

    Both are written to `folder`, under the template's name. Parameters that are numbers are converted from texts.
    `subject`, the names of the runs that the page is about, follows its title; `foot` is HTML for its end.

    Raises
    ------
    StudyError
        If a parameter is unknown.
    NotebookError
        If a cell fails, or the kernel; notebook and page then hold what came before it.
    """
    notebook, page = folder / template.name, folder / f"{template.stem}.html"
    values = checked_parameters(template, parameters)
    fault = None
    try:
        papermill.execute_notebook(
            str(template),
            str(notebook),
            values,
            engine_name=NAME,
            kernel=kernel,
            kernel_name=NAME,
            language="python",
            progress_bar=False,
        )
    except PapermillExecutionError as error:
        words = _ANSI.sub("", error.evalue).strip().split("\n")[0]
        fault = words if error.ename == "StudyError" else f"{error.ename}: {words}"
    except Exception as error:  # a kernel that dies or does not start; each library raises its own
        fault = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"
    if notebook.exists():
        page.write_text(_page(read_notebook(notebook, as_version=4), fault, subject, foot), encoding="utf-8")
    if fault:
        raise NotebookError(f"the notebook {template.stem} has failed ({fault}); what came before is in {notebook}")
    return page


def _page(notebook: NotebookNode, fault: str | None, subject: str, foot: str) -> str:
    """A whole HTML page without code, scripts and anything from outside."""
    for cell in list(notebook.cells):
        if any(tag.startswith("papermill-error") for tag in cell.metadata.get("tags", [])):
            notebook.cells.remove(cell)  # papermill's own words, with links into the code
        elif cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.output_type not in ("stream", "error")]
    first = next(cell for cell in notebook.cells if cell.cell_type == "markdown")
    title, *rest = first.source.lstrip("# ").splitlines()
    title = f"{title}: {subject}" if subject else title
    first.source = "\n".join([f"# {escape(title)}", *rest])
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_anchor_links=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    body, _ = exporter.from_notebook_node(notebook)
    end = f"<footer>{foot}</footer>" if foot else ""
    note = f'<p class="fault">This page is incomplete: {escape(fault)}</p>' if fault else ""
    style = (Path(__file__).parents[1] / "page.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head>\n<body><main>{note}{body}{end}</main></body></html>\n"
    )
