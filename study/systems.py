"""The systems of the papers, and presets: what the text of a paper says, or what its public program did."""

from __future__ import annotations

from typing import Any

_UNET = {"network.name": "unet"}
# what a system has otherwise than the W-Net
SYSTEMS: dict[str, dict[str, Any]] = {
    "wnet": {},  # Wu et al. 2020
    "unet": _UNET,  # its baseline
    # Chen et al. 2019: instance segmentation with an embedding learned with local constraints
    "elc": {
        **_UNET,
        "network.embedding_dim": 16,
        "network.depth": 3,
        "network.head_layers": 2,
        "network.dropout": 0.2,
        "loss.embedding_weight": 5.0,
        "loss.balance": "both",
        "loss.intra_reduction": "pixel",
        "loss.distance_scale": 1.0,
        "clustering.method": "growing",
        # the paper has none of this: its background is an object of the embedding loss, which no seed grows into
        "clustering.foreground": "none",
        "clustering.seed_smoothing": 0.0,
        "clustering.min_size": 0,
        "clustering.min_distance": 0.0,
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
    "three-class": {
        "network.name": "three-class",
        "network.depth": 3,
        "loss.name": "classes",
        "clustering.method": "components",
    },
}

# Implementation details of Huang et al. 2022; all that they compare in Table 2 are trained alike
_PEA = {
    "training.steps": 200_000,
    "training.batch_size": 2,
    "training.decay": 1.0,  # a constant learning rate
    "data.augmentation": "flips+scaling",
    "data.crop_size": 448,  # it crops; this size is our choice
    "loss.mask_weight": "auto",
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
        "clustering.method": "affinity-watershed",
    },
    "ml-de": {
        **SYSTEMS["discriminative"],
        **_PEA,
        "network.name": "residual",
    },
}

# the paper that has each system, or compares its own with it
PAPERS = {
    **dict.fromkeys(("wnet", "unet"), "Wu et al. 2020"),
    **dict.fromkeys(("elc", "three-class"), "Chen et al. 2019"),
    "discriminative": "De Brabandere et al. 2017",
    **dict.fromkeys(("pea", "affinity-learning", "ml-de"), "Huang et al. 2022"),
}

# what the groups' public programs did where the papers say something else or nothing
_PROGRAMS: dict[str, Any] = {
    "network.decoders": "separate",
    "loss.inter_reduction": "pair",
    "loss.intra_reduction": "pixel",
    "clustering.seed_smoothing": 3.0,
    "clustering.seed_min_distance": 10,
    "clustering.angle": 45.57,
    "clustering.overwrite": True,
}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "paper": {},
    "code": {
        "wnet": {**_PROGRAMS, "network.aux_embedding": True},
        "unet": _PROGRAMS,
        "pea": {
            "loss.cross_detach": True,
            "loss.pair_balance": True,
            "loss.scale": "code",
            "training.epsilon": 0.01,
            "training.weight_decay": 1e-6,
            "training.amsgrad": True,
        },
        "elc": {
            **_PROGRAMS,
            "network.depth": 4,
            "network.head_layers": 1,
            "loss.embedding_weight": 1.0,
            "loss.balance": "distance",
            "loss.distance_scale": 10.0,
        },
    },
}
