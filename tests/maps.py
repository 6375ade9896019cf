"""Maps for tests."""

import numpy as np

from study.maps import ImageMaps


def image_maps(distance, embedding):
    """Maps of an image from a distance map and an embedding of unit vectors."""
    return ImageMaps({"distance": distance, "embedding": embedding})


def is_mapped(array):
    """Whether an array is a view of a file that is mapped into memory."""
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None
