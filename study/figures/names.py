"""How settings and their values are written and coloured in a figure."""

from __future__ import annotations

from typing import Any

from study.ranges import is_number

NETWORK_COLOURS = {"unet": "#D55E00", "wnet": "#0072B2"}  # vermilion and blue of Okabe and Ito, for colour-blind eyes

_SETTINGS = {
    "loss.inter_weight": "weight λ of the between-instance term",
    "network.embedding_dim": "dimensions of the embedding",
    "loss.neighbour_distance": "distance d of neighbours, px",
    "clustering.seed_threshold": "seed threshold",
    "clustering.seed_smoothing": "smoothing of seeds, px",
    "clustering.angle": "angle, °",
    "clustering.mutex_range": "repulsive range, px",
    "clustering.mutex_bias": "repulsive bias, rad",
    "clustering.mutex_stride": "repulsive stride, px",
    "clustering.mean_shift_bandwidth": "bandwidth",
    "clustering.hdbscan_min_cluster": "least cluster, px",
    "clustering.affinity_stride": "repulsive stride, px",
    "clustering.fragment_size": "least fragment, px",
    "clustering.component_threshold": "threshold of the object map",
    "clustering.component_expansion": "expansion, px",
    "clustering.min_size": "least size, px",
    "clustering.min_distance": "least mean distance",
    "clustering.foreground_threshold": "foreground threshold",
}
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
    ("network.concat_layer", "none"): "none (U-Net)",
    ("network.concat_layer", "coordinate"): "coordinate (U-Net)",
}
_VALUES |= {
    (f"loss.view_{view}", there): f"{'with' if there else 'without'} {words}"
    for view, words in (("turns", "turns"), ("cutout", "holes"), ("intensity", "light"))
    for there in (True, False)
}
_VALUES |= {
    ("loss.cross_weight", 0.0): "no cross",
    ("loss.cross_weight", 1.0): "cross",
    ("loss.pyramid_weight", 0.0): "no pyramid",
    ("loss.pyramid_weight", 1.0): "pyramid",
}
_FORMS = {
    "loss.ranges": "ranges {}",
    "clustering.affinity_ranges": "ranges {}",
    "clustering.affinity_neighbourhood": "N = {}",
    "loss.inter_weight": "λ = {}",
    "network.embedding_dim": "{} dimensions",
    "loss.constraints": "{} constraints",
    "loss.neighbour_distance": "d = {} px",
}


def setting_label(name: str) -> str:
    """Title of an axis: in words, or the dotted name."""
    return _SETTINGS.get(name, name)


def value_label(name: str, value: Any) -> str:
    """A value of the setting `name`, such as `U-Net`, `λ = 1`, `8 dimensions`, `depth 4`."""
    text = f"{value:g}" if is_number(value) else str(value)
    if (name, value) in _VALUES:
        return _VALUES[name, value]
    if name in _FORMS:
        return _FORMS[name].format(text)
    return text if isinstance(value, str) else f"{name.rpartition('.')[2]} {text}"


def variant_label(variant: dict[str, Any]) -> str:
    """All values of a variant, such as `W-Net, λ = 1`."""
    return ", ".join(value_label(name, value) for name, value in variant.items())
