"""Ablation studies of instance segmentation by pixel embeddings."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from study.version import __version__

if TYPE_CHECKING:
    from study.model.promote import load_model

__all__ = ["__version__", "load_model"]


def __getattr__(name: str) -> Any:
    """`study.load_model`, imported when it is first asked for: the package's other parts do not need it."""
    if name == "load_model":
        return importlib.import_module("study.model.promote").load_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
