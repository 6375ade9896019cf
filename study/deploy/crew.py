"""The workers of a call of `predict`: what they must see, what each task begins with, and how many work at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from study import process
from study.code_digest import CodeDigest
from study.deploy.package import load_package
from study.deploy.segmenter import Segmenter
from study.errors import StudyError
from study.executors import LaunchExecutor, Machine, WorkerDiedError, execute_groups
from study.executors.machine import check_code, describe

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Surroundings:
    """What a worker must have: the images of a folder, the folder `shared` of the call, and the device."""

    images: Path
    names: frozenset[str]
    shared: Path
    device: str


def look(needed: Surroundings) -> Machine:
    """The machine of a worker; raises a StudyError if it lacks what is needed."""
    try:
        missing = needed.names - set(os.listdir(needed.images))
    except OSError:
        missing = needed.names
    if missing:
        raise _not_seen(needed.images, f"{len(missing)} of {len(needed.names)} images")
    _check_shared(needed.shared)
    return describe(needed.device)


def _check_shared(shared: Path) -> None:
    if not shared.is_dir():
        raise _not_seen(shared.parent, "what this call has put there")


def _not_seen(folder: Path, what: str) -> StudyError:
    return StudyError(
        f"the worker on {socket.gethostname()} does not find {what} in {folder}: the folders of the images and of the "
        "labels must be there under the same path on all workers"
    )


@dataclass(frozen=True)
class Setup:
    """What each task of a call begins with.

    Attributes
    ----------
    shared : Path
        Folder of the call, below that of the labels; it holds the model.
    device : str
    threads : int
        CPU threads to use; 0: as many as the process has been told.
    code : CodeDigest
        Of the call.
    """

    shared: Path
    device: str
    threads: int
    code: CodeDigest

    def begin(self) -> Segmenter:
        """The model, once this worker is known to fit; a StudyError if it does not."""
        check_code(self.code, socket.gethostname())
        _check_shared(self.shared)
        if self.threads:
            process.use_threads(self.threads)
        return _loaded(self.shared, self.device)


@lru_cache(maxsize=1)
def _loaded(folder: Path, device: str) -> Segmenter:
    """The model of a call, read once per process."""
    return load_package(folder, device)


@dataclass(frozen=True)
class Crew:
    """Workers, so many at a time."""

    executor: LaunchExecutor
    slots: int
    setup: Setup

    def outcomes(
        self, work: Callable[[Any], Any], task_of: Callable[[Sequence[_Item]], Any], groups: Sequence[Sequence[_Item]]
    ) -> Iterator[tuple[Sequence[_Item], Any | WorkerDiedError]]:
        """What `execute_groups` gives."""
        return execute_groups(work, task_of, groups, self.slots, self.executor)
