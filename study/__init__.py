"""Ablation studies of instance segmentation by pixel embeddings."""

__version__ = "0.1.0"
