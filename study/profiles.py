"""Where settings start: profiles of smaller budgets, and the layers of the settings of a run.

Later layers win: default, system, preset, profile (also that of the system), data set (in that profile), default of
the question, option, what the question fixes, question. A name of three parts, such as
``clustering.affinity-watershed.stride``, is a setting of that component alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from study.data.sets.opening import VOLUMES
from study.data.settings import Data
from study.errors import StudyError, unknown_name
from study.systems import PRESETS, SYSTEMS

# The components come with torch, which takes seconds to import: what puts settings together imports them when it is
# called, so that --help, which names the profiles, need not wait for them.
if TYPE_CHECKING:
    from study.settings import Settings

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
    "loss.mask_weight": 1.0,  # so that a small network of leaves can be used on images without a mask
    "training.batch_size": 4,  # the same for all systems, as steps are
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
        "data.crop_size": 0,
        "data.images": 4,
        "training.learning_rate": 3e-3,
        "training.steps": 6,
        "training.validations": 2,
        "training.validation_images": 2,
        "tuning.trials": 4,
    },
}

# Where a profile suits a system badly. The mean over all pairs has small gradients, and pairs of two objects, few among
# so many, are the last to be learned (chosen for `pea`, on validation images of synthetic leaves). What Huang et al.
# 2022 compare in one table gets the same, although affinities that are predicted directly were seen to fall apart with
# it: no fair comparison yet.
_PAIRS = {
    "training.learning_rate": 1e-2,
    "loss.pair_balance": True,
    "clustering.affinity-watershed.bias": -0.4,
}
SYSTEM_PROFILES: dict[tuple[str, str], dict[str, Any]] = {
    ("quick", system): _PAIRS for system in ("pea", "affinity-learning", "ml-de")
}

# Where a profile suits a data set badly: leaves are resized as a whole, since a rosette does not fit a crop.
_LEAVES = {
    "data.crop_size": 0,
    "training.gradient_clip": 1.0,
    "clustering.seed_threshold": 0.7,
    "clustering.angle": 45.0,
    # steps of 5 px are half a leaf at this size (chosen on the synthetic validation images)
    "clustering.affinity-watershed.stride": 1,
}
# Volumes have pairs along planes; the paper says neither which, nor how large crops are: those of Lee et al. 2017,
# whose network it takes. The learning rate was chosen on the synthetic validation volume. The second view gets no
# gradient in the authors' program, which saves half of its time.
_VOLUME_PAIRS = {"loss.ranges": "1+3+9+27", "clustering.ranges": "1+3+9+27"}
_VOLUMES: dict[str, dict[str, Any]] = {
    "full": {
        **_VOLUME_PAIRS,
        "data.crop_size": 160,
        "data.augmentation": "flips",
        "training.steps": 200_000,
        "training.batch_size": 2,
        "training.decay": 1.0,
        "loss.cross_detach": True,
        "clustering.affinity-watershed.stride": 4,
    },
    "quick": {
        **_VOLUME_PAIRS,
        "data.crop_planes": 8,
        "data.crop_size": 64,
        "network.base_width": 8,
        "network.depth": 3,
        "training.steps": 800,
        "training.batch_size": 2,
        "training.learning_rate": 5e-3,
        "training.validations": 2,
        "loss.cross_weight": 0.0,
        "loss.pair_balance": True,
        "clustering.affinity-watershed.stride": 2,
        "clustering.affinity-watershed.bias": 0.0,
    },
    "smoke": {
        "data.planes": 8,
        "data.side": 32,
        "data.crop_planes": 4,
        "data.crop_size": 16,
        "network.base_width": 2,
        "network.depth": 1,
        "network.embedding_dim": 4,
        "loss.ranges": "1+3",
        "loss.axial": "1+2",
        "loss.pair_balance": True,
        "clustering.ranges": "1+3",
        "clustering.axial": "1+2",
        "training.batch_size": 2,
    },
}
# the ranges of Huang et al. 2022 for nuclei, which are smaller than leaves
_NUCLEI = {"loss.ranges": "1+3+5+9+11", "clustering.ranges": "1+3+5+9+11"}
DATASET_PROFILES: dict[tuple[str, str], dict[str, Any]] = {
    ("quick", "synthetic-leaves"): {
        "data.image_size": 96,
        "training.steps": 400,
        **_LEAVES,
    },
    ("quick", "synthetic-cells"): {"data.crop_size": 96, "training.steps": 400},
    ("quick", "cvppp2017"): {"data.image_size": 128, **_LEAVES},
    ("quick", "bbbc039"): _NUCLEI,
    ("full", "bbbc039"): _NUCLEI,
} | {(profile, name): values for profile, values in _VOLUMES.items() for name in VOLUMES}


@dataclass(frozen=True)
class Layer:
    """Settings from one source.

    Attributes
    ----------
    source : str
        `system`, `preset`, `profile`, `data set`, `option` or `question`, or the default settings of a question.
    values : dict
        Dotted name -> value. What the components of the run lack is skipped, as one profile serves all components, but
        for options and questions.
    """

    source: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Resolved:
    """Settings, and the source of each that is not a default, by dotted name."""

    settings: Settings
    sources: dict[str, str]


def resolve(layers: list[Layer]) -> Resolved:
    """Settings from layers, of which later ones win.

    A setting that an option names and the question takes away, as it varies the component, is skipped.

    Raises
    ------
    StudyError
        If a name is unknown or a value does not fit.
    """
    resolved = unchecked(layers)
    resolved.settings.check()
    return resolved


def unchecked(layers: list[Layer], components: Mapping[str, str] | None = None) -> Resolved:
    """As `resolve`, of settings that may contradict each other; `components` replace those that the layers choose."""
    from study.components import GROUPS, owners_of, unknown_setting
    from study.settings import Settings

    layers = [*layers, Layer("question", components or {})]
    choosers = {f"{group}.{chooser}" for group, (_, chooser) in GROUPS.items()}
    choices = {name: value for layer in layers for name, value in layer.values.items() if name in choosers}
    asked = [layer for layer in layers if layer.source != "question"]
    own = {name: value for layer in asked for name, value in layer.values.items() if name in choosers}
    names = [str(layer.values["data.name"]) for layer in layers if "data.name" in layer.values]
    start = Settings(data=Data(name=(names or [Data.name])[-1]))
    settings, without_question = start.with_components(choices), start.with_components(own)
    sources: dict[str, str] = {}
    for layer in layers:
        for name, value in layer.values.items():
            name = _without_component(name, settings)
            known = name in settings.flat()
            if not known and (layer.source not in ("option", "question") or name in without_question.flat()):
                if layer.source in ("option", "question") and not owners_of(name):
                    raise unknown_setting(name, settings)
                continue
            settings = settings.with_value(name, value)
            sources[name] = layer.source
    return Resolved(settings, sources)


def _without_component(name: str, settings: Settings) -> str:
    """``clustering.angular.angle`` as ``clustering.angle`` where that component is chosen."""
    from study.components import GROUPS

    group, _, rest = name.partition(".")
    component, _, leaf = rest.partition(".")
    if leaf and group in GROUPS and getattr(settings, group).key == component:
        return f"{group}.{leaf}"
    return name


def layers_of(
    dataset: str,
    root: str,
    profile: str,
    preset: str,
    overrides: str,
    system: str,
    changes: Mapping[str, Any],
    defaults: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> list[Layer]:
    """The layers of a run, see `load_settings`.

    `defaults` and `fixed` are those of a question: options stand between them.
    """
    from study.settings import ORIGIN

    for kind, name, known in (("system", system, SYSTEMS), ("profile", profile, PROFILES), ("preset", preset, PRESETS)):
        if name not in known:
            raise unknown_name(kind, name, known)
    options = parse_overrides(overrides)
    for name in ORIGIN:
        if name in options:
            raise StudyError(f"--set {name} only names where settings come from: choose a {name} by --{name}")
    return [
        Layer("system", {"system": system, **SYSTEMS[system]}),
        Layer("preset", {"preset": preset, **PRESETS[preset].get(system, {})}),
        Layer("profile", {"profile": profile, **PROFILES[profile], **SYSTEM_PROFILES.get((profile, system), {})}),
        Layer("data set", DATASET_PROFILES.get((profile, dataset), {})),
        Layer("default of the question", defaults or {}),
        Layer("option", {"data.name": dataset, **({"data.root": root} if root else {}), **options}),
        Layer("fixed by the question", fixed or {}),
        Layer("question", {name: value for name, value in changes.items() if name != "system"}),
    ]


def load_settings(
    dataset: str = "synthetic-leaves",
    root: str = "",
    profile: str = "quick",
    preset: str = "paper",
    overrides: str = "",
    system: str = "wnet",
    changes: Mapping[str, Any] | None = None,
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
    changes : dict, optional
        What a question varies: dotted name -> value.

    Raises
    ------
    StudyError
        If a name is unknown or a value does not fit.
    """
    return resolve(layers_of(dataset, root, profile, preset, overrides, system, changes or {})).settings


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
