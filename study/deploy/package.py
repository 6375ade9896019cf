"""The files of a model: `model.json` and `weights.pt`. Reading them runs no code that they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from study import __version__
from study.deploy.segmenter import Segmenter
from study.errors import StudyError
from study.files import DAMAGED
from study.runs.resources import rebuilt_network
from study.settings import Settings

ABOUT, WEIGHTS = "model.json", "weights.pt"
FORMAT = 1  # of model.json


def save_package(
    folder: Path, weights: Mapping[str, Tensor], settings: Settings, channels: int, facts: Mapping[str, str]
) -> None:
    """Write a model to a folder, which is made where it is missing; the parts are those of a `Segmenter`."""
    folder.mkdir(parents=True, exist_ok=True)
    flat = {name: value for name, value in settings.flat().items() if name != "data.root"}
    about = {
        "format": FORMAT,
        "study_version": __version__,
        "digest": settings.digest(),
        "channels": channels,
        "standardisation": "each image to mean 0 and variance 1 over all pixels and channels",  # for who reads it
        "facts": dict(facts),
        "settings": flat,
    }
    (folder / ABOUT).write_text(json.dumps(about, indent=1), encoding="utf-8")
    torch.save({name: tensor.cpu() for name, tensor in weights.items()}, folder / WEIGHTS)


def load_package(folder: Path, device: str = "auto") -> Segmenter:
    """Read a model from a folder, for a device as in `training.device`.

    Raises
    ------
    StudyError
        If files are missing, damaged or of a later format, or there is no such device.
    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        weights = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        raise StudyError(
            f"cannot read a model in {folder}: it needs {ABOUT} and {WEIGHTS}, as python -m study promote makes them"
        ) from error
    if not isinstance(about, dict) or not isinstance(weights, dict):
        raise StudyError(f"{folder / ABOUT} or {WEIGHTS} beside it is not of a model: promote the run again")
    if about.get("format") != FORMAT:
        raise StudyError(
            f"{folder / ABOUT} has format {about.get('format')}, which version {__version__} of the study does not "
            f"know: use version {about.get('study_version')}"
        )
    channels, flat, facts = about.get("channels"), about.get("settings"), about.get("facts")
    if channels not in (1, 3) or not isinstance(flat, dict) or not isinstance(facts, dict):
        raise StudyError(f"{folder / ABOUT} lacks channels, settings or facts of a model: promote the run again")
    settings = Settings.from_stored(flat).with_({"training.device": device})
    try:
        network = rebuilt_network(weights, channels, settings)
    except (RuntimeError, AttributeError) as error:
        raise StudyError(f"{WEIGHTS} and {ABOUT} in {folder} are of different models: promote the run again") from error
    return Segmenter(network, settings, channels, facts)
