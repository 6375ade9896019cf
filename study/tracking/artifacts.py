"""Files of runs.

MLflow's own functions ask the store for the run again and again, three times for each file; where a run keeps its files
never changes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.file_utils import local_file_uri_to_path
from mlflow.utils.uri import is_local_uri
from PIL import Image

from study.tracking.store import current_store


def list_files(run_id: str, folder: str = "") -> list[FileInfo]:
    """Files and folders directly in a folder of a run, or at the top."""
    return _repository(run_id, current_store()).list_artifacts(folder or None)


def place_of(run_id: str, file: str) -> str:
    """Where a file of a run is, or should be: a path, or an address where the store is not on this machine."""
    place = MlflowClient(current_store()).get_run(run_id).info.artifact_uri or ""
    return f"{local_file_uri_to_path(place) if is_local_uri(place) else place}/{file}"


def has_file(run_id: str, file: str) -> bool:
    """Whether a run keeps a file that is not empty; not where its place is gone."""
    folder, _, _ = file.rpartition("/")
    try:
        return any(item.path == file and item.file_size != 0 for item in list_files(run_id, folder))
    except (MlflowException, OSError):
        return False


def fetch(run_id: str, file: str, folder: str | Path) -> Path:
    """Copy a file of a run, or a folder with all that is in it, into a folder of this machine; gives where it is."""
    return Path(_repository(run_id, current_store()).download_artifacts(file, dst_path=str(folder)))


def delete(run_id: str, file: str) -> None:
    """Delete a file of a run."""
    _repository(run_id, current_store()).delete_artifacts(file)


def read_text(run_id: str, file: str) -> str:
    """The text of a file of a run; raises OSError or MlflowException where there is none."""
    with _fetched(run_id, file) as path:
        return path.read_text()


def read_json(run_id: str, file: str) -> dict[str, Any]:
    """The content of a JSON file of a run; raises as `read_text`, and ValueError."""
    return json.loads(read_text(run_id, file))


def read_picture(run_id: str, file: str) -> np.ndarray:
    """A picture of a run: (M, N, 3) uint8 array; raises as `read_text`."""
    with _fetched(run_id, file) as path, Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


@contextmanager
def _fetched(run_id: str, file: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield fetch(run_id, file, folder)


@lru_cache(maxsize=4096)
def _repository(run_id: str, store: str) -> ArtifactRepository:
    """What keeps the files of a run; a store that is named is asked once."""
    place = MlflowClient(store).get_run(run_id).info.artifact_uri
    assert place is not None
    return get_artifact_repository(place, tracking_uri=store)
