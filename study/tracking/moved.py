"""A SQLite store whose folder has been moved: MLflow keeps whole paths of files, which then lead nowhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri

# where paths are, by table
_PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
_FOLDER = "mlruns"  # where MLflow puts files by default, beside the store


def follow(file: Path) -> str:
    """Correct the paths in a store whose files lie beside it now, and no longer where it looks for them.

    Where the files are gone altogether, and the folder that held them and the store too, new files are kept beside the
    store: nothing is made at an old place.

    Returns
    -------
    str
        A sentence on what was corrected; empty where there was nothing to do.
    """
    here = file.resolve().parent / _FOLDER
    sentences = []
    with closing(sqlite3.connect(file, timeout=60)) as base, base:
        tables = {name for (name,) in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"experiments", "runs"} <= tables:
            return ""
        known = base.execute("SELECT experiment_id, artifact_location FROM experiments").fetchall()
        roots = {location[: -len(f"/{number}")] for number, location in known if _is_default(number, location)}
        for before in sorted(roots):
            there, runs = Path(local_file_uri_to_path(before)), _runs_in(base, before)
            if there == here or any((there / run).is_dir() for run in runs):
                continue
            if any((here / run).is_dir() for run in runs):
                for table in _PLACES.keys() & tables:
                    _replace(base, table, before, here)
                words = f"the files of the store {file} were in {there} and are in {here}: its paths are corrected"
                sentences.append(words)
            elif not there.parent.is_dir():
                _replace(base, "experiments", before, here)
                words = f"the files of the store {file} were in {there}, which is gone: new ones are in {here}"
                sentences += [words] if runs else []
    return "; ".join(sentences)


def _is_default(number: int, location: str | None) -> bool:
    return location is not None and is_local_uri(location) and location.endswith(f"/{_FOLDER}/{number}")


def _runs_in(base: sqlite3.Connection, root: str) -> list[str]:
    """Folders of runs below a folder of files: experiment and id."""
    words = "SELECT experiment_id, run_uuid FROM runs WHERE substr(artifact_uri, 1, ?) = ?"
    return [f"{number}/{run}" for number, run in base.execute(words, (len(root) + 1, f"{root}/"))]


def _replace(base: sqlite3.Connection, table: str, before: str, here: Path) -> None:
    """Let the paths of a table begin with another folder."""
    columns = {row[1] for row in base.execute(f"PRAGMA table_info({table})")}
    after = here.as_uri() if before.startswith("file:") else str(here)
    for column in columns.intersection(_PLACES[table]):
        words = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
        base.execute(words, (after, len(before) + 1, len(before) + 1, f"{before}/"))
