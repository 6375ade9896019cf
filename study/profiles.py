"""Where settings start: the systems of the papers, and profiles of smaller budgets.

Later layers win: defaults, system, preset, profile, profile of the system, profile of the data set, overrides.
"""

from __future__ import annotations

from typing import Any

from study.config import Settings
from study.errors import StudyError, unknown_name

_UNET = {"network.name": "unet", "network.concat_layer": "none"}
# what a system has otherwise than the W-Net
SYSTEMS: dict[str, dict[str, Any]] = {
    "wnet": {},  # Wu et al. 2020
    "unet": _UNET,  # its baseline
    # Chen et al. 2019: instance segmentation with an embedding learned with local constraints
    "elc": {
        **_UNET,
        "network.embedding_dim": 16,
        "network.head_layers": 2,
        "network.dropout": 0.2,
        "loss.embedding_weight": 5.0,
        "loss.balance": "both",
        "loss.intra_reduction": "pixel",
        "loss.distance_scale": 1.0,
        "clustering.method": "growing",
    },
    # De Brabandere et al. 2017; the distance head stands for the foreground that they take from elsewhere
    "discriminative": {
        **_UNET,
        "loss.name": "discriminative",
        "loss.constraints": "global",
        "loss.inter_reduction": "pair",
        "loss.background_as_object": False,
        "clustering.method": "mean-shift",
    },
    # the U-Net that Chen et al. 2019 compare with: object, contour and background
    "three-class": {"network.name": "three-class", "network.concat_layer": "none", "clustering.method": "components"},
}

_PEA = {
    "network.concat_layer": "none",
    "network.embedding_dim": 16,
    "network.base_width": 16,
    "clustering.foreground_threshold": 0.5,  # of a probability
}
SYSTEMS |= {
    # Huang et al. 2022, and what they compare with in Table 2
    "pea": {
        **_PEA,
        "network.name": "residual",
        "loss.name": "affinity",
        "clustering.method": "affinity-watershed",
    },
    "affinity-learning": {
        **_PEA,
        "network.name": "affinity",
        "loss.name": "affinity",
        "loss.cross_weight": 0.0,
        "loss.pyramid_weight": 0.0,
        "clustering.method": "affinity-watershed",
    },
    "ml-de": {**SYSTEMS["discriminative"], **_PEA, "network.name": "residual"},
}

# what the groups' public programs did where the papers say something else or nothing
_PROGRAMS: dict[str, Any] = {
    "network.decoders": "separate",
    "loss.inter_reduction": "pair",
    "loss.intra_reduction": "pixel",
    "clustering.seed_smoothing": 3.0,
    "clustering.seed_min_distance": 10,
    "clustering.angle": 45.57,
    "clustering.growing_overwrite": True,
}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {},
    "code": {
        "wnet": {**_PROGRAMS, "loss.aux_embedding_loss": True},
        "unet": _PROGRAMS,
        "pea": {
            "loss.cross_detach": True,
            "loss.pair_balance": True,
            "loss.affinity_scale": "code",
            "training.epsilon": 0.01,
            "training.weight_decay": 1e-6,
            "training.amsgrad": True,
        },
        "elc": {
            **_PROGRAMS,
            "network.head_layers": 1,
            "loss.embedding_weight": 1.0,
            "loss.balance": "distance",
            "loss.distance_scale": 10.0,
        },
    },
}

_SMALL = {
    "network.norm": "batch",
    "network.dropout": 0.0,
    "network.centre_embedding": True,
    "network.leaky_distance_gradient": True,
    "data.augmentation": "flips",
    "training.schedule": "one-cycle",
    # |cos| is least where one pair of objects is merged and all others are orthogonal, and small budgets stay there;
    # its square is least where all pairs are nearly orthogonal
    "loss.similarity": "squared",
    "loss.cross_detach": True,  # saves half of the second view's time
}

PROFILES: dict[str, dict[str, Any]] = {
    "full": {},
    "quick": {
        **_SMALL,
        "network.base_width": 16,
        "data.image_size": 0,
        "data.crop_size": 128,
        "training.learning_rate": 3e-3,
        "training.steps": 1500,
        "training.validations": 5,
        # after so few steps the distance maps of small nuclei peak below .7 and neighbours are not yet orthogonal
        # (chosen on DSB2018's validation images)
        "clustering.seed_threshold": 0.5,
        "clustering.angle": 35.0,
        "tuning.trials": 30,
        "tuning.patience": 15,
        "tuning.images": 16,
    },
    "smoke": {
        **_SMALL,
        "network.base_width": 4,
        "network.depth": 2,
        "data.image_size": 48,
        "data.images": 4,
        "training.learning_rate": 3e-3,
        "training.steps": 6,
        "training.validations": 2,
        "training.validation_images": 2,
        "tuning.trials": 4,
    },
}

# Where a profile suits a system badly. The mean over all pairs has small gradients, and pairs of two objects, few among
# so many, are the last to be learned; affinities that are predicted directly fall apart with it (both chosen on
# validation images of synthetic leaves).
SYSTEM_PROFILES: dict[tuple[str, str], dict[str, Any]] = {
    ("quick", "pea"): {
        "training.learning_rate": 1e-2,
        "loss.pair_balance": True,
        "clustering.affinity_bias": -0.4,
    },
}

# Where a profile suits a data set badly: leaves are resized as a whole, since a rosette does not fit a crop, and are
# neighbours within about 2 % of the image's width.
_LEAVES = {
    "data.crop_size": 0,
    "loss.neighbour_distance": 3,
    "training.gradient_clip": 1.0,
    "clustering.seed_threshold": 0.7,
    "clustering.angle": 45.0,
    # steps of 5 px are half a leaf at this size (chosen on the synthetic validation images)
    "clustering.affinity_stride": 1,
}
# the ranges of Huang et al. 2022 for nuclei, which are smaller than leaves
_NUCLEI = {"loss.ranges": "1+3+5+9+11", "clustering.affinity_ranges": "1+3+5+9+11"}
DATASET_PROFILES: dict[tuple[str, str], dict[str, Any]] = {
    ("quick", "synthetic-leaves"): {
        "data.image_size": 96,
        "training.steps": 400,
        **_LEAVES,
    },
    ("quick", "cvppp2017"): {"data.image_size": 128, **_LEAVES},
    ("quick", "bbbc039"): _NUCLEI,
    ("full", "bbbc039"): _NUCLEI,
}


def load_settings(
    dataset: str = "synthetic-leaves",
    root: str = "",
    profile: str = "quick",
    preset: str = "paper",
    overrides: str = "",
    system: str = "wnet",
) -> Settings:
    """Settings of a system on a data set in a profile and preset, with overrides.

    Parameters
    ----------
    dataset, root : str
        Key of the data set and its folder.
    profile, preset : str
        Keys of `PROFILES` and `PRESETS`; a system without public program is the same in both presets.
    overrides : str
        ``a.b=1,c.d=x``; the last of equal names wins.
    system : str
        Key of `SYSTEMS`.

    Raises
    ------
    StudyError
        If a name is unknown or a value does not fit.
    """
    if system not in SYSTEMS:
        raise unknown_name("system", system, SYSTEMS)
    if profile not in PROFILES:
        raise unknown_name("profile", profile, PROFILES)
    if preset not in PRESETS:
        raise unknown_name("preset", preset, PRESETS)
    layers = {"system": system, **SYSTEMS[system], **PRESETS[preset].get(system, {})}
    layers |= {**PROFILES[profile], **SYSTEM_PROFILES.get((profile, system), {})}
    layers |= DATASET_PROFILES.get((profile, dataset), {})
    layers |= {"data.name": dataset, "data.root": root}
    changes = parse_overrides(overrides)
    if "system" in changes:
        raise StudyError("--set system only names where settings come from: choose a system by --system")
    if "network.name" in changes:
        layers.pop("network.concat_layer", None)  # that of the system's own network
    return Settings().with_(layers | changes)


def parse_overrides(text: str) -> dict[str, str]:
    """``a.b=1,c.d=x`` as a dictionary.

    Raises
    ------
    StudyError
        If an item has no equals sign or no name.
    """
    changes = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise StudyError(
                f"--set takes name=value pairs joined by commas, such as loss.inter_weight=10, not {item!r}"
            )
        changes[name.strip()] = value.strip()
    return changes
