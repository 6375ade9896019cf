from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from study.data import open_dataset
from study.data.settings import Data


@pytest.fixture
def write_png():
    """Write an array as PNG, its folders too; with `palette` as indices into one."""

    def write(path: Path, array, palette: bool = False) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(np.asarray(array))
        if palette:
            image.putpalette(bytes(np.random.default_rng(0).permutation(256).repeat(3).astype(np.uint8)))
        image.save(path)
        return path

    return write


@pytest.fixture
def opened(tmp_path):
    """Open a data set whose root is tmp_path."""
    return lambda name, **settings: open_dataset(Data(name=name, root=str(tmp_path), **settings))


@pytest.fixture
def image_2x3():
    return np.arange(18, dtype=np.uint8).reshape(2, 3, 3)


@pytest.fixture
def labels_2x3():
    return np.array([[0, 1, 1], [0, 7, 0]], np.uint8)
