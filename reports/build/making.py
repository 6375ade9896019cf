"""Makes reports: chooses their runs, executes the notebooks, and leaves the files with the runs and on disk."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from pathlib import Path

import click

import ablations
from reports.build.choosing import chosen_reports
from reports.build.kernel import Kernel, own_kernel
from reports.build.names import NAMES, TEMPLATES
from reports.build.render import NotebookError, checked_parameters, render
from study import tracking
from study.code_digest import digest_of
from study.errors import StudyError, unknown_name
from study.version import __version__

_OURS = (".ipynb", ".html", ".csv", ".pdf", ".png")  # files of a report
MADE_FROM = "made_from.txt"  # in the folder of a report
_SOURCES = (".py", ".css", ".ipynb", ".csv")
_NAMED = 3  # runs in the title of a page
_HERE = Path(__file__).parents[1]


def make_reports(names: Sequence[str], run_ids: str, dataset: str, further: Mapping[str, str], output: Path) -> int:
    """Make reports one after another, and tell where each of them is; gives the number of failed ones.

    For `names`, `run_ids` and `dataset` see `chosen_reports`; `further` are parameters of the notebooks. Each report
    has a folder of its name in `output`, and is not made again where it would come out as it lies there. Raises
    StudyError if a name, a run or a parameter is unknown, or does not fit; before anything is made.
    """
    for name in names:
        if name not in NAMES:
            raise unknown_name("report", name, NAMES)
    tracking.connect()
    tasks = chosen_reports(names, run_ids, dataset)
    for name in tasks:
        checked_parameters(TEMPLATES / f"{name}.ipynb", further)
    about = sorted({run_id for ids in tasks.values() for run_id in ids})
    if not run_ids:
        for run in map(tracking.stored_run, about):
            click.echo(f"{run.name}: launch {run.run_id} in the experiment {tracking.experiment_of(run)}")
    tracking.name_given_run(f"report: {', '.join(tasks)}", f"Pages that are artifacts of the runs {', '.join(about)}.")
    marks = {name: made_from(name, ids, further) for name, ids in tasks.items()}
    new = {name: ids for name, ids in tasks.items() if not is_fresh(output / name, marks[name])}
    for name in tasks.keys() - new.keys():
        click.echo(f"{name}: {output / name / name}.html is unchanged")
    return _make_all(new, marks, further, output) if new else 0


def _make_all(
    tasks: Mapping[str, list[str]], marks: Mapping[str, str], further: Mapping[str, str], output: Path
) -> int:
    """Make the reports of tasks (name -> runs), and tell where they are; the number of failed ones."""
    failed = 0
    with own_kernel() as kernel:
        for name, ids in tasks.items():
            try:
                page = _make(name, ids, further, output / name, kernel, marks[name])
            except StudyError as error:
                click.echo(f"Error: {error}", err=True)
                failed += 1
            except Exception as error:  # the other pages are made all the same
                click.echo(f"Error: the report {name} has failed:", err=True)
                click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
                failed += 1
            else:
                where = "its run" if len(ids) == 1 else f"{len(ids)} runs"
                click.echo(f"{name}: {page} (also an artifact of {where}, in reports/{name})")
    return failed


def _make(name: str, run_ids: list[str], further: Mapping[str, str], folder: Path, kernel: Kernel, mark: str) -> Path:
    """Make one report in `folder`, log all its files to the runs it is about, and give its page.

    A page that is whole has its `mark` next to it.
    """
    given = {"store": tracking.current_store(), "run_ids": ",".join(run_ids), **further}
    with tempfile.TemporaryDirectory() as place:
        try:
            render(TEMPLATES / f"{name}.ipynb", {**given, "folder": place}, Path(place), kernel, *_about(run_ids))
            (Path(place) / MADE_FROM).write_text(mark)
        except NotebookError as error:
            raise NotebookError(str(error).replace(place, str(folder))) from None
        finally:
            for run_id in run_ids:
                tracking.TrackedRun(run_id).log_folder(Path(place), f"reports/{name}")
            _replace(Path(place), folder)
    return folder / f"{name}.html"


def _about(run_ids: Sequence[str]) -> tuple[str, str]:
    """The subject and the foot of a page: the names of its runs, when and with what it was made, links to the runs."""
    runs = [tracking.stored_run(run_id) for run_id in run_ids]
    more = [f"and {len(runs) - _NAMED} more"] if len(runs) > _NAMED else []
    subject = "; ".join([*(run.name for run in runs[:_NAMED]), *more])
    commit = tracking.commit_in_words()
    program = f"version {__version__}" + ("" if commit.startswith("version") else f", commit {commit}")
    made = f"Made on {datetime.now(UTC):%Y-%m-%d at %H:%M} (UTC) by pixel-embedding-study, {program}."
    links = [
        f'<a href="{escape(tracking.page_of_run(run.experiment_id, run.run_id))}">{escape(run.name)}</a>'
        for run in runs
    ]
    here = "" if tracking.current_store().startswith("http") else " (while <code>mlflow ui</code> runs on the store)"
    return subject, f"<p>{escape(made)}</p><p>On the MLflow page{here}: {'; '.join(links)}.</p>"


def _replace(made: Path, folder: Path) -> None:
    """Put the files of a report where those of an earlier one are."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.iterdir():
            if file.suffix in _OURS or file.name == MADE_FROM:
                file.unlink()
        for file in made.iterdir():
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise StudyError(f"--output: {folder} cannot be written ({error.strerror}); name another folder") from error


def made_from(name: str, run_ids: Sequence[str], further: Mapping[str, str]) -> str:
    """Identifies the content of a page: its runs as they are now, what it may set next to them, and the code."""
    shown = []
    for run_id in run_ids:
        run = tracking.stored_run(run_id)
        children = [(child.run_id, child.state, child.failure) for child in tracking.children_of(run)]
        imported = [other.run_id for other in tracking.imported_runs(run.tags.get("data_digest", ""))]
        shown.append([run.run_id, run.state, run.failure, run.note, children, imported])
    content = [name, tracking.current_store(), shown, dict(further), _code()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def is_fresh(folder: Path, wanted: str) -> bool:
    """Whether the page in a folder was made from just that."""
    note = folder / MADE_FROM
    return note.is_file() and note.read_text().strip() == wanted and any(folder.glob("*.html"))


@lru_cache(maxsize=1)
def _code() -> str:
    """Digest of all that pages are made with."""
    digest = hashlib.sha256(digest_of(("study.ablation.answer", "study.tracking")).encode())
    for package in (_HERE, Path(ablations.__file__).parent):
        for file in sorted(file for file in package.rglob("*") if file.suffix in _SOURCES):
            digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()
