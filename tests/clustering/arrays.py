"""Clustering of plain arrays."""

import numpy as np

from study import clustering
from study.maps import EMBEDDINGS, ImageMaps

_NAMES = {metric: name for name, metric in EMBEDDINGS.items()}


def segment(objectness, embedding, settings, foreground=None, metric="angle"):
    """`study.clustering.segment` of a distance map and an embedding of that metric."""
    maps = ImageMaps({"distance": np.asarray(objectness), _NAMES[metric]: np.asarray(embedding)})
    return clustering.segment(maps, settings, foreground)


def cluster(objectness, embedding, settings, foreground, metric="angle"):
    """What the method of `settings` finds."""
    return settings.cluster(objectness, embedding, foreground, metric)
