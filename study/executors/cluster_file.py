"""The file that describes a cluster: what the engine is told to ask the batch system for."""

from __future__ import annotations

from typing import Any

import yaml

from study.errors import StudyError, first_line
from study.files import given_path


def read_cluster(file: str) -> dict[str, Any]:
    """The entries of the YAML file that `--cluster` names; none without one.

    Raises
    ------
    StudyError
        If it cannot be read, or is no table of names and values.
    """
    if not file:
        return {}
    path = given_path(file)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise StudyError(f"--cluster: cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"--cluster: {path} is not YAML ({first_line(error)})") from error
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise StudyError(f"--cluster: {path} must hold lines such as `queue: gpu`")
    return content
