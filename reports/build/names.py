"""Names of the reports, found by being there: light enough for `--help`."""

from __future__ import annotations

import ast
from pathlib import Path

_REPORTS = Path(__file__).parents[1]
TEMPLATES = _REPORTS / "templates"
NAMES = tuple(sorted(file.stem for file in TEMPLATES.glob("*.ipynb")))


def about_launches() -> list[str]:
    """Names of the reports about launches, whose modules assign `SHOWS`; the others are about runs.

    The modules are read and not imported, since torch and MLflow, which come with them, take seconds.
    """
    return [name for name in NAMES if _assigns_shows((_REPORTS / "pages" / f"{name}.py").read_text(encoding="utf-8"))]


def _assigns_shows(source: str) -> bool:
    targets = (node.targets for node in ast.parse(source).body if isinstance(node, ast.Assign))
    return any(isinstance(target, ast.Name) and target.id == "SHOWS" for group in targets for target in group)
