"""What MLflow loads a model by: `mlflow models serve` and `mlflow.pyfunc.load_model` come here."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from study.data.files.stacks import read_stack
from study.deploy.package import load_package
from study.deploy.segmenter import Segmenter
from study.errors import StudyError

MOST_PIXELS = 178_956_970  # of a request: a small file may say that it holds a thousand million


class Served:
    """A model that takes the requests of a server."""

    def __init__(self, segmenter: Segmenter):
        self.segmenter = segmenter

    def predict(self, model_input: Any) -> list[dict[str, Any]]:
        """Labels of each image.

        Parameters
        ----------
        model_input : DataFrame, dict or sequence
            Its column `image`, or else its items: a picture file as base64 text, or rows of pixels, which may be
            grey values or colours.

        Returns
        -------
        list of dict
            `labels`: rows of ids, 0 = background; `objects`: their number.

        Raises
        ------
        MlflowException
            If an item is no image; the server answers with its sentence.
        """
        try:
            found = [self.segmenter(decoded(item)) for item in items_of(model_input)]
        except StudyError as error:
            raise MlflowException(str(error), INVALID_PARAMETER_VALUE) from error
        return [{"labels": labels.tolist(), "objects": int(labels.max(initial=0))} for labels in found]


def items_of(model_input: Any) -> list[Any]:
    """The images of a request, each still encoded."""
    if isinstance(model_input, np.ndarray | list):
        return list(model_input)
    if "image" not in model_input:
        raise StudyError(f"the request has columns {list(model_input)}: name one image")
    items = []
    for cell in np.atleast_1d(np.asarray(model_input["image"], dtype=object)):
        several = isinstance(cell, np.ndarray | list) and len(cell) and isinstance(cell[0], str)
        items += list(cell) if several else [cell]  # MLflow makes one row of a list of texts
    return items


def decoded(item: Any) -> np.ndarray:
    """An image from base64 text of a file, see `read_stack`, or from rows of pixels; a StudyError if it is neither."""
    if isinstance(item, str | bytes):
        try:
            content = base64.b64decode(item, validate=True)
        except (binascii.Error, ValueError) as error:
            raise StudyError("image is no picture file in base64: encode the bytes of a PNG") from error
        return read_stack(content, most_pixels=MOST_PIXELS).pixels
    try:
        return np.asarray(item if isinstance(item, np.ndarray) else list(item))
    except (TypeError, ValueError) as error:
        raise StudyError("image is neither base64 text nor rows of pixels of one length") from error


def _load_pyfunc(path: str) -> Served:
    """The model in a folder; MLflow calls this by its name."""
    return Served(load_package(Path(path)))
