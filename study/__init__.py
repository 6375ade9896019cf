"""Ablation studies of instance segmentation by pixel embeddings.

Use a model that a study has made:

>>> from study.deploy import load_model
>>> segment = load_model("models:/pixel-embedding-synthetic-leaves@best")
>>> labels = segment(image)  # (M, N) int32, 0 = background, objects 1, 2, ..., K

Train, score and compare: ``python -m study --help``, ``python -m ablations --help``, ``python -m reports --help``.
"""

from study.version import __version__

__all__ = ["__version__"]
