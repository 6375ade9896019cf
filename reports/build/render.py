"""Executes the notebooks and makes pages of them: the only module that knows papermill and nbconvert."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path

import papermill
from jupyter_core.utils import ensure_event_loop
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from nbformat import read as read_notebook
from papermill.exceptions import PapermillExecutionError

from study.errors import StudyError

TEMPLATES = Path(__file__).parents[1] / "templates"
NAMES = tuple(sorted(file.stem for file in TEMPLATES.glob("*.ipynb")))
_KERNEL = "pixel-embedding-study"
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
            raise StudyError(f"unknown parameter {name!r} of the notebook {template.stem}: it takes {', '.join(known)}")
        kind = type(known[name])
        try:
            checked[name] = kind(value)
        except ValueError:
            words = {int: "a whole number", float: "a number"}[kind]
            raise StudyError(
                f"parameter {name} of the notebook {template.stem} must be {words}, not {value!r}"
            ) from None
    return checked


def render(template: Path, parameters: Mapping[str, str], folder: Path, kernel: str) -> Path:
    """Execute a notebook by a kernel, see `own_kernel`, and make a page of it that opens offline; gives the page.

    Both are written to `folder`, under the template's name. Parameters that are numbers are converted from texts.

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
            str(template), str(notebook), values, kernel_name=kernel, language="python", progress_bar=False
        )
    except PapermillExecutionError as error:
        words = _ANSI.sub("", error.evalue).strip().split("\n")[0]
        fault = words if error.ename == "StudyError" else f"{error.ename}: {words}"
    except Exception as error:  # a kernel that dies or does not start; each library raises its own
        fault = f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}"
    finally:
        ensure_event_loop().close()  # that of this thread, which nbclient leaves open
        asyncio.set_event_loop(None)
    if notebook.exists():
        page.write_text(_page(read_notebook(notebook, as_version=4), fault), encoding="utf-8")
    if fault:
        raise NotebookError(f"the notebook {template.stem} has failed ({fault}); what came before is in {notebook}")
    return page


@contextmanager
def own_kernel() -> Iterator[str]:
    """A kernel of this very Python, whatever kernels are installed, that finds the packages of this program.

    Its configuration, history and sockets are its own too, so that nothing of the user's is read or written. The
    libraries keep their warnings, mostly of each other, to themselves. One serves all threads of the process.
    """
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = Path(place) / "kernels" / _KERNEL
        spec.mkdir(parents=True)
        paths = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        own = {
            "PYTHONPATH": os.pathsep.join(paths),
            "IPYTHONDIR": place,
            "MPLBACKEND": "agg",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONWARNINGS": "ignore",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"]
        command.append("--HistoryManager.enabled=False")
        kernel = {"argv": command, "display_name": "Python", "language": "python", "env": own}
        (spec / "kernel.json").write_text(json.dumps(kernel))
        ours = {"JUPYTER_PATH": place, "JUPYTER_RUNTIME_DIR": place, "JUPYTER_CONFIG_DIR": place, "IPYTHONDIR": place}
        ours["JUPYTER_NO_CONFIG"] = "1"
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        try:
            yield _KERNEL
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _page(notebook: NotebookNode, fault: str | None) -> str:
    """A whole HTML page without code, scripts and anything from outside."""
    for cell in list(notebook.cells):
        if any(tag.startswith("papermill-error") for tag in cell.metadata.get("tags", [])):
            notebook.cells.remove(cell)  # papermill's own words, with links into the code
        elif cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.output_type not in ("stream", "error")]
    exporter = HTMLExporter(template_name="basic", exclude_input=True, exclude_anchor_links=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    body, _ = exporter.from_notebook_node(notebook)
    title = next(cell.source.lstrip("# ").splitlines()[0] for cell in notebook.cells if cell.cell_type == "markdown")
    note = f'<p class="fault">This page is incomplete: {escape(fault)}</p>' if fault else ""
    style = (Path(__file__).parents[1] / "page.css").read_text(encoding="utf-8")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{style}</style></head>\n<body><main>{note}{body}</main></body></html>\n"
    )
