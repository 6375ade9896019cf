"""The packages that the code of the study needs, in the versions of this environment."""

from __future__ import annotations

import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

import study
from study.errors import StudyError

CODE = Path(study.__file__).parent
_NAME = "pixel-embedding-study"


def requirements() -> list[str]:
    """Such as ``numpy==2.1.0``, for each dependency of the study but those of its extras.

    Without what a version says of its build, such as ``+cpu``: packages of that name are not where pip looks.

    Raises
    ------
    StudyError
        If one is not installed.
    """
    needed = [Requirement(line) for line in _declared()]
    names = [need.name for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})]
    try:
        return [f"{name}=={Version(metadata.version(name)).public}" for name in names]
    except metadata.PackageNotFoundError as error:
        raise StudyError(
            f"the package {error.name} is not installed, which a model needs: install what the study needs by pip "
            "install -c requirements.lock -e ."
        ) from error


def _declared() -> list[str]:
    """As pyproject.toml has them, or, where the study is installed without it, as the installation has."""
    project = CODE.parent / "pyproject.toml"
    if project.is_file():
        content = tomllib.loads(project.read_text(encoding="utf-8")).get("project", {})
        if content.get("name") == _NAME:
            return content["dependencies"]
    return metadata.requires(_NAME) or []
