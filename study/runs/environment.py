"""What a result was computed with: the kind of device, and versions of libraries."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.metadata import version

import torch

# those that training, clustering, scores and the search of thresholds are computed with
LIBRARIES = ("torch", "numpy", "scipy", "scikit-image", "scikit-learn", "bioimage-cpp", "optuna")


@lru_cache(maxsize=2)
def environment(device: torch.device) -> str:
    """Such as ``cpu AVX512; torch 2.13.0; numpy 2.3.5; …``, for the tag `environment` of a run."""
    if device.type == "cuda":
        kind = torch.cuda.get_device_name(device)
    else:
        kind = f"{device.type} {torch.backends.cpu.get_cpu_capability()}"
    return "; ".join([kind, *(f"{name} {version(name).partition('+')[0]}" for name in LIBRARIES)])


def mixed_environments(environments: Iterable[str]) -> str:
    """A sentence on what differs between environments, see `environment`; empty where nothing does.

    An empty environment is that of a run from before it was recorded.
    """
    parts = [dict.fromkeys(text.split("; ")) if text else {"not recorded": None} for text in environments]
    shared = set.intersection(*map(set, parts)) if parts else set()
    differing = list(dict.fromkeys(part for each in parts for part in each if part not in shared))
    if not differing:
        return ""
    return f"These runs were computed in different environments ({', '.join(differing)}), which may shift scores."
