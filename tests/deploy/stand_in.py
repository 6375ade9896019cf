"""What the tests of `predict` share: a model without a network, and an image with the labels that it finds."""

import threading
from types import SimpleNamespace

import numpy as np
from skimage.measure import label


class Threshold:
    """A model for which objects are the bright components of an image; keeps what it is asked."""

    volumes = False

    def __init__(self):
        self.seen, self.threads = 0, set()

    def maps(self, image):
        self.seen += 1
        self.threads.add(threading.current_thread())
        return SimpleNamespace(image=image)

    def labels(self, maps, foreground=None):
        return label(maps.image[..., 0] > 100, connectivity=1).astype(np.int32)


TWO = np.zeros((8, 9), np.uint8)
TWO[1:3, 1:4], TWO[5:8, 6:9] = 200, 150
FOUND = np.where(TWO == 200, 1, np.where(TWO == 150, 2, 0))


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
