"""What a process sets once for everything that it runs: threads, log levels, the given run.

The one thing that is set elsewhere is the seed of torch's generator: a training sets it, since its weights follow from
it. Torch, which takes seconds to import, is imported where it is needed: a process that starts others is up at once.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET = ("mlflow", "alembic", "optuna")  # their loggers report every step that succeeds


def use_threads(count: int) -> None:
    """Let torch, and the clustering and scoring of images, use `count` CPU threads."""
    import torch

    torch.set_num_threads(count)


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """Let torch use so many CPU threads for a while; 0: as many as before."""
    before = threads_in_use()
    use_threads(count or before)
    try:
        yield
    finally:
        use_threads(before)


def threads_in_use() -> int:
    """The number of CPU threads that this process uses."""
    import torch

    return torch.get_num_threads()


def quiet_libraries() -> None:
    """Let libraries log nothing but warnings and errors."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")  # of each run; a command ends with it
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # it prints the whole traceback of what it raises again, and a command tells in a sentence
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def quiet_dask() -> None:
    """Let dask log nothing but errors: it warns of each worker that is lost, which a launch tells by itself.

    It sets its own levels when it is imported: call this afterwards.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)


def take_any_text() -> None:
    """Let standard output take what standard error takes: names of files may be no text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def take_given_run() -> str | None:
    """The id of the run that `mlflow run` has made for this program, if there is one.

    It is taken once, and not by the processes that this one starts afterwards.
    """
    return os.environ.pop("MLFLOW_RUN_ID", None)
