"""What the plugin for napari does; its manifest is `napari.yaml`.

napari makes the widget from the annotations of `segment`, which are therefore no texts but for its own types.
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from study.deploy.promote import load_model
from study.deploy.segmenter import Segmenter
from study.errors import StudyError

if TYPE_CHECKING:
    import napari.layers  # pyright: ignore[reportMissingImports]
    import napari.types  # pyright: ignore[reportMissingImports]

_MODEL = {"mode": "d", "label": "model: a folder, or models:/NAME@best"}
_DEVICE = {"choices": ["auto", "cpu", "cuda"]}


def segment(
    image: "napari.layers.Image", model: Annotated[Path, _MODEL], device: Annotated[str, _DEVICE] = "auto"
) -> "napari.types.LayerDataTuple":
    """Segment an image layer; the labels become a layer in its place.

    Where it has more dimensions than the model takes, each plane, or volume, of the first ones is segmented by itself.

    Raises
    ------
    StudyError
        If there is no such model, or the layer is no image for it.
    """
    pixels = np.asarray(image.data[0] if image.multiscale else image.data)
    found = _segmented(_loaded(model.as_posix(), device), pixels, image.rgb)
    about = {"name": f"{image.name}: objects", "scale": image.scale, "translate": image.translate}
    return found, about, "labels"


@lru_cache(maxsize=1)
def _loaded(model: str, device: str) -> Segmenter:
    return load_model(model, device)


def _segmented(model: Segmenter, pixels: np.ndarray, rgb: bool) -> np.ndarray:
    dimensions, takes = pixels.ndim - rgb, 3 if model.volumes else 2
    if dimensions < takes:
        raise StudyError(f"the model takes volumes, and the layer has {dimensions} dimensions: choose a stack")
    leading = pixels.shape[: dimensions - takes]
    each = [model(part) for part in pixels.reshape(-1, *pixels.shape[len(leading) :])]
    return np.stack(each).reshape(pixels.shape[:dimensions])
