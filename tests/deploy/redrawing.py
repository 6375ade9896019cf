"""An oracle that draws polygons along the edges of pixels."""

import numpy as np


def inside(rings, shape):
    """Pixels whose middle is inside of an odd number of closed rings of (x, y)."""
    mask = np.zeros(shape, bool)
    for ring in rings:
        corners = np.asarray(ring).astype(int)
        for (x, y), (next_x, next_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            assert x == next_x or y == next_y
            mask[min(y, next_y) : max(y, next_y), x:] ^= True
    return mask


RING = [[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]]
ODD = {
    "one pixel": [[7]],
    "a hole and a piece beside a corner": RING,
    "an object in the hole of another": [[1, 1, 1], [1, 2, 1], [1, 1, 1]],
    "a hole that is open by a corner": [[1, 1, 1], [1, 0, 1], [1, 1, 0]],
    "holes that touch by a corner": [[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]],
    "pieces that touch by corners": [[3, 0, 3], [0, 3, 0], [3, 0, 3]],
    "pieces far apart": [[5, 0, 0, 5], [0, 2, 2, 0]],
    "a piece in the hole of its own object": np.pad(np.pad([[1]], 1), 1, constant_values=1),
    "nothing": [[0, 0], [0, 0]],
}
