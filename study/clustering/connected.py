"""Connected components of masks and label images."""

import numpy as np
from skimage.measure import label


def connected_components(labels: np.ndarray, *, corners: bool = False) -> np.ndarray:
    """Number the connected components of equal label.

    Parameters
    ----------
    labels : (M, N) int or bool array
        0 = background.
    corners : bool
        Whether pixels that share only a corner are connected, too. Objects are connected over edges: over corners
        one would leak through a boundary that is one pixel wide and runs diagonally.

    Returns
    -------
    (M, N) int array
        1, 2, ... in row-major order of each component's first pixel; 0 = background.
    """
    return np.asarray(label(labels, background=0, connectivity=2 if corners else 1))
