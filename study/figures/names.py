"""How settings and their values are written and coloured in a figure."""

from __future__ import annotations

from typing import Any

from study.config import is_number
from study.settings import spec_of

NETWORK_COLOURS = {"unet": "#D55E00", "wnet": "#0072B2"}  # vermilion and blue of Okabe and Ito, for colour-blind eyes

_NAMED = ("system", "network.name", "loss.name")  # settings whose values are names of things
_NAMES = {
    "wnet": "W-Net",
    "unet": "U-Net",
    "residual": "residual U-Net",
    "resnet-50": "ResNet-50",
    "resnet-101": "ResNet-101",
    "elc": "E-LC",
    "three-class": "three-class U-Net",
    "pea": "PEA",
    "affinity-learning": "affinity learning",
    "ml-de": "ML-De",
    "cosine": "cosine loss",
    "discriminative": "discriminative loss",
}


def setting_label(name: str) -> str:
    """Title of an axis: in words, or the dotted name."""
    spec = spec_of(name)
    return spec.metadata.get("label") or name if spec else name


def value_label(name: str, value: Any) -> str:
    """A value of the setting `name`, such as `U-Net`, `λ = 1`, `8 dimensions`, `depth 4`."""
    text = f"{value:g}" if is_number(value) else str(value)
    if name in _NAMED and value in _NAMES:
        return _NAMES[value]
    meta = spec.metadata if (spec := spec_of(name)) else {}
    if value in meta.get("values", ()):
        return meta["values"][value]
    if meta.get("form"):
        return meta["form"].format(text)
    return text if isinstance(value, str) else f"{name.rpartition('.')[2]} {text}"


def variant_label(variant: dict[str, Any]) -> str:
    """All values of a variant, such as `W-Net, λ = 1`."""
    return ", ".join(value_label(name, value) for name, value in variant.items())
