"""Connected components of masks and label images."""

import numpy as np
from skimage.measure import label


def connected_components(labels: np.ndarray, *, corners: bool = False) -> np.ndarray:
    """Number the connected components of equal label from 1, in row-major order of their first pixels; 0 stays 0.

    With `corners`, pixels that share only a corner are connected, too. Objects are connected over edges: over corners
    one would leak through a boundary that is one pixel wide and runs diagonally.
    """
    return np.asarray(label(labels, background=0, connectivity=2 if corners else 1))
