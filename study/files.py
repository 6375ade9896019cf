"""Files that are whole at any time, and what it means that one cannot be written or read."""

from __future__ import annotations

import errno
import os
import pickle
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

import psutil

from study.errors import StudyError

# What the readers of torch, numpy and zip archives raise on a damaged file. Torch raises a RuntimeError.
DAMAGED = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)
_RUN = "MLFLOW_RUN_ID"


class WriteError(StudyError):
    """A file could not be written; there will be no room for others either."""


def cannot_write(path: Path, error: Exception) -> WriteError:
    """The error that `path` cannot be written, because of `error`."""
    return WriteError(f"cannot write {path}: {reason_in_words(error)}; free disk space or rights, then start again")


def no_temporary_file(need: str, size: int, error: OSError) -> StudyError:
    """The error that there is no room for a temporary file of `size` bytes, which `need` says who needs."""
    return StudyError(
        f"{need} a temporary file of {size / 1e9:.2f} GB, which cannot be written into {tempfile.gettempdir()}: "
        f"{error.strerror}; free space there or name another folder in TMPDIR"
    )


def reason_in_words(error: Exception) -> str:
    """What an error says, in one line; of a folder that could not be copied, what is said of the first file."""
    if isinstance(error, shutil.Error) and error.args and isinstance(error.args[0], list):
        return re.sub(r"^\[Errno \d+\] ", "", str(error.args[0][0][-1]))
    return (isinstance(error, OSError) and error.strerror) or " ".join(str(error).split())


def full_disk_in_words(error: BaseException) -> str:
    """A sentence on an error that comes from a full disk, wherever that is; empty for all other errors."""
    if not isinstance(error, OSError) or error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return ""
    place = error.filename2 or error.filename
    return f"the disk is full{f', at {place}' if place else ''} ({error.strerror}): free space on it, then start again"


def given_path(path: str | Path) -> Path:
    """The whole path of a file or folder that a user has named.

    `~` is the home folder. A relative path is from the working folder, or, below `mlflow run`, which changes that to
    the folder of the project, from where `mlflow run` was called.
    """
    return Path(os.path.abspath((_calling_folder() or Path.cwd()) / os.path.expanduser(path)))


@lru_cache(maxsize=1)
def _calling_folder() -> Path | None:
    """The working folder of the `mlflow run` that this process, or one that has started it, belongs to.

    A script or notebook that calls `mlflow.projects.run` is known by what MLflow gives to the program alone: the id of
    the run, in the folder of a project.
    """
    try:
        own = psutil.Process()
        in_project = _RUN in own.environ() and Path("MLproject").is_file()
        for process in own.parents():
            words = [Path(word).name for word in process.cmdline()]
            by_command = "mlflow" in words and "run" in words[words.index("mlflow") :]
            if by_command or (in_project and _RUN not in process.environ()):
                return Path(process.cwd())
    except (psutil.Error, OSError):  # of another user, or gone
        return None
    return None


@contextmanager
def write_atomically(file: Path, no_room: tuple[type[Exception], ...] = (OSError, RuntimeError)) -> Iterator[Path]:
    """A path to write to, which takes the name of `file` when the block has written all of it.

    A process that is killed leaves the old file or the new one, never a part of it. The folder of `file` is made where
    it is missing. The path is a new one each time, so that two processes do not write into each other's file. What
    cannot be written raises a WriteError.

    Parameters
    ----------
    file : Path
    no_room : tuple of exception types
        What the block raises where it cannot write; torch and HDF5 raise a RuntimeError on a full disk.
    """
    partial = file.with_name(f"{uuid4().hex}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(file)
    except no_room as error:
        raise cannot_write(file, error) from error
    finally:
        if file.parent.is_dir():
            partial.unlink(missing_ok=True)


def check_writable(folder: Path) -> None:
    """Make a folder where it is missing, and raise a WriteError if no file can be written into it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise WriteError(
            f"cannot write into {folder}: {reason_in_words(error)}; give another folder, or free disk space or rights"
        ) from error
