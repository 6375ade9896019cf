"""The file that keeps the trials of a search, so that an interrupted one goes on."""

from __future__ import annotations

import json
from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from tqdm import tqdm

from study.errors import first_line
from study.files import write_atomically

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)  # what Optuna raises on lines that are none of its


def open_journal(file: Path) -> JournalStorage:
    """The trials in a file; one that cannot be read is kept under another name, which is said, and begun anew.

    Parameters
    ----------
    file : Path
        Used by one process at a time.
    """
    Path(f"{file}.lock").unlink(missing_ok=True)  # a process that was killed may have left it
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    if lines and not lines[-1].endswith(b"\n"):  # a killed process leaves half a line, behind which Optuna would go on
        lines.pop()
        with write_atomically(file) as partial:
            partial.write_bytes(b"".join(lines))
    try:
        for line in lines:
            json.loads(line)  # Optuna takes a last line that is damaged for one that is being written
        return _journal(file)
    except _UNREADABLE as error:
        damaged = file.with_name(f"{file.name}.damaged")
        file.replace(damaged)
        tqdm.write(f"cannot read the trials in {file} ({first_line(error)}): they are made again; see {damaged.name}")
        return _journal(file)


def _journal(file: Path) -> JournalStorage:
    lock = JournalFileOpenLock(str(file))  # unlike the default one, it needs no symbolic links
    return JournalStorage(JournalFileBackend(str(file), lock_obj=lock))
