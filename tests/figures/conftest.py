import io

import numpy as np
import pytest
from PIL import Image

from study.figures import panel


def random_units(*shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


@pytest.fixture
def units():
    """Makes random unit vectors (..., E)."""
    return random_units


@pytest.fixture
def png():
    """Draws a figure as pixels, by way of a PNG file."""

    def draw(figure):
        file = io.BytesIO()
        figure.savefig(file, format="png")
        return np.asarray(Image.open(file).convert("RGB"))

    return draw


@pytest.fixture
def a_panel():
    """Makes a panel of a random image."""

    def make(shape=(20, 30), channels=3, seed=0):
        rng = np.random.default_rng(seed)
        labels = rng.integers(0, 4, shape)
        return panel(
            rng.normal(size=(*shape, channels)).astype(np.float16),
            labels,
            rng.random(shape).astype(np.float16),
            random_units(*shape, 8, seed=seed).astype(np.float16),
            labels[::-1],
        )

    return make
