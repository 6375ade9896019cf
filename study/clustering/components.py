"""Connected components: objects are the pieces of a thresholded map."""

from __future__ import annotations

import numpy as np
from skimage.segmentation import expand_labels

from study.clustering.connected import connected_pieces
from study.config import Clustering


def components(distance: np.ndarray, embedding: np.ndarray, settings: Clustering, foreground: np.ndarray) -> np.ndarray:
    """Pieces of what is above `component_threshold`: the objects of the three-class U-Net (Chen et al. 2019).

    `component_expansion` widens the objects by that many px, to give back the contours that were drawn between them;
    a pixel that several reach goes to the nearest.

    Parameters
    ----------
    distance : (M, N) float array
        Of the three-class U-Net: above 1/2 where the object class is the likeliest.
    embedding : (M, N, E) float32 array
        Not used.
    settings : Clustering
    foreground : (M, N) bool array
        Not used: `segment` applies it to the result.

    Returns
    -------
    (M, N) int32 array
        0 = background, 1, 2, ... in row-major order of each object's first pixel.
    """
    pieces = connected_pieces(distance > settings.component_threshold).astype(np.int32)
    return expand_labels(pieces, settings.component_expansion)
