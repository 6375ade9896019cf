"""Ablation studies of instance segmentation by pixel embeddings."""

from study.version import __version__

__all__ = ["__version__"]
