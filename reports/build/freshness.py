"""Whether a page would come out as it lies there: then it is not made again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import ablations
from study import tracking
from study.code_digest import digest_of

MADE_FROM = "made_from.txt"  # in the folder of a report
_SOURCES = (".py", ".css", ".ipynb", ".csv")
_HERE = Path(__file__).parents[1]


def made_from(name: str, run_ids: Sequence[str], further: Mapping[str, str]) -> str:
    """Identifies the content of a page: its runs as they are now, what it may set beside them, and the code.

    Parameters
    ----------
    name : str
        Of the report.
    run_ids : sequence of str
        The runs that it is about.
    further : dict
        Parameters of its notebook.
    """
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
