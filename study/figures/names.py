"""How settings and their values are written and coloured in a figure."""

from __future__ import annotations

from typing import Any

from study.config import is_number
from study.settings import spec_of

NETWORK_COLOURS = {"unet": "#D55E00", "wnet": "#0072B2"}  # vermilion and blue of Okabe and Ito, for colour-blind eyes

_VALUES = {
    ("system", "wnet"): "W-Net",
    ("system", "unet"): "U-Net",
    ("system", "elc"): "E-LC",
    ("system", "discriminative"): "discriminative loss",
    ("system", "three-class"): "three-class U-Net",
    ("system", "pea"): "PEA",
    ("system", "affinity-learning"): "affinity learning",
    ("system", "ml-de"): "ML-De",
    ("loss.name", "cosine"): "cosine loss",
    ("loss.name", "discriminative"): "discriminative loss",
    ("network.name", "unet"): "U-Net",
    ("network.name", "wnet"): "W-Net",
}


def setting_label(name: str) -> str:
    """Title of an axis: in words, or the dotted name."""
    spec = spec_of(name)
    return spec.metadata.get("label") or name if spec else name


def value_label(name: str, value: Any) -> str:
    """A value of the setting `name`, such as `U-Net`, `λ = 1`, `8 dimensions`, `depth 4`."""
    text = f"{value:g}" if is_number(value) else str(value)
    if (name, value) in _VALUES:
        return _VALUES[name, value]
    meta = spec.metadata if (spec := spec_of(name)) else {}
    if value in meta.get("values", ()):
        return meta["values"][value]
    if meta.get("form"):
        return meta["form"].format(text)
    return text if isinstance(value, str) else f"{name.rpartition('.')[2]} {text}"


def variant_label(variant: dict[str, Any]) -> str:
    """All values of a variant, such as `W-Net, λ = 1`."""
    return ", ".join(value_label(name, value) for name, value in variant.items())
