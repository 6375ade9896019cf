"""All settings of a run, put together from those of its components.

A setting is addressed by its dotted name (``network.embedding_dim``, ``loss.inter_weight``). ``network.name``,
``loss.name`` and ``clustering.method`` choose a component; the defaults of each are what its paper says.
`study.profiles` holds what systems and smaller budgets change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from study.clustering import CLUSTERERS, Clustering
from study.clustering.angular import Angular
from study.components import GROUPS, RENAMED, unknown_setting
from study.config import Component, checked, fields_of, setting
from study.data.sets.opening import VOLUMES
from study.data.settings import Data
from study.errors import StudyError, unknown_name
from study.losses import LOSSES, Loss
from study.losses.cosine import CosineLoss
from study.networks import NETWORKS, Network
from study.networks.wnet import WNet


@dataclass(frozen=True)
class Training:
    """Optimiser, schedule and budget."""

    steps: int = setting(0, low=0)  # 0: as many as `epochs` make
    epochs: int = setting(500, low=1)
    batch_size: int = setting(4, low=1, high=4096)
    learning_rate: float = setting(1e-4, low=1e-8, high=10)
    schedule: str = setting("staircase", choices=("staircase", "one-cycle"))
    epsilon: float = setting(1e-8, low=1e-12, high=1)  # of Adam
    weight_decay: float = setting(0.0, low=0, high=1)
    amsgrad: bool = False
    decay: float = setting(0.9, low=0.01, high=1)  # staircase: factor ...
    decay_steps: int = setting(5000, low=1)  # ... applied every so many steps
    gradient_clip: float = setting(0.0, low=0)  # largest gradient norm; 0 = off
    precision: str = setting("auto", choices=("auto", "float32", "bfloat16"))  # auto: bfloat16 where it is fast
    compile: bool = False  # torch.compile of the network
    checkpoint: str = setting("last", choices=("last", "best"))  # weights kept: final, or best on validation images
    validations: int = setting(10, low=1, high=1000)  # how often over a training validation images are scored
    validation_images: int = setting(16, low=1)  # at most this many of them, for the curve
    device: str = setting("auto", choices=("auto", "cpu", "cuda"))  # not part of the digest
    threads: int = setting(0, low=0, high=1024)  # CPU threads of a run; 0 = all; not part of the digest


@dataclass(frozen=True)
class Tuning:
    """Search of the clustering's thresholds on validation images (`study.tuning`)."""

    trials: int = setting(100, low=0)  # at most; 0 = no search, the clustering's settings are taken as they are
    patience: int = setting(40, low=1)  # the search stops after so many trials that brought nothing better
    images: int = setting(0, low=0)  # at most this many validation images; 0 = all


@dataclass(frozen=True)
class Settings:
    """All settings of one run."""

    # where the settings come from, keys of SYSTEMS, PRESETS and PROFILES; not part of the digest
    system: str = "wnet"
    preset: str = "paper"
    profile: str = "full"
    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=WNet)
    loss: Loss = field(default_factory=CosineLoss)
    training: Training = field(default_factory=Training)
    clustering: Clustering = field(default_factory=Angular)
    tuning: Tuning = field(default_factory=Tuning)
    seed: int = setting(0, low=0, high=2**31 - 1)

    @property
    def kind(self) -> str:
        """What the data set holds: `images` or `volumes`, a key of `study.metrics.registry.KINDS`."""
        return "volumes" if self.data.name in VOLUMES else "images"

    @property
    def dims(self) -> int:
        """Dimensions of an image (2) or a volume (3)."""
        return 3 if self.kind == "volumes" else 2

    @property
    def heads(self) -> tuple[str, ...]:
        """Heads of the network on this kind of data."""
        return self.network.heads_of(self.dims)

    @property
    def embedding_metric(self) -> str:
        """By what two pixels are compared: `angle`, `euclidean`, `affinity`, or `none` (`ImageMaps.metric`).

        A volume is predicted in tiles, whose embeddings need not agree, so that its maps are affinities.
        """
        if "affinities" in self.heads or self.dims == 3:
            return "affinity"
        return self.loss.metric if "embedding" in self.heads else "none"

    @property
    def map_channels(self) -> int:
        """Channels of all maps of an image together, see `study.maps.ImageMaps`."""
        if self.embedding_metric == "affinity":
            return 1 + self.loss.affinity_channels(self.dims)
        return 1 + getattr(self.network, "embedding_dim", 0)

    def names_of(self, group: str) -> list[str]:
        """Settings of a group that the run has, without the group's name; of a component, first the one that chose it.

        What a component needs and the run does not have is left out, such as the scale of distance maps where the
        network has no distance head.
        """
        chosen = [GROUPS[group].chooser] if group in GROUPS else []
        specs = fields_of(type(getattr(self, group)))
        return chosen + [name for name, spec in specs.items() if self._has(spec.metadata.get("needs", ""))]

    def _has(self, need: str) -> bool:
        return not need or need in (self.kind, *self.heads)

    def flat(self) -> dict[str, Any]:
        """Dotted name -> value, in the order of definition."""
        found: dict[str, Any] = {name: getattr(self, name) for name in ORIGIN}
        for group in _ALL_GROUPS:
            found |= {f"{group}.{name}": getattr(getattr(self, group), name) for name in self.names_of(group)}
        return found | {"seed": self.seed}

    def with_(self, changes: Mapping[str, Any]) -> Settings:
        """A copy with `changes` (dotted name -> value, or its text), checked for name, type and range.

        Where a change chooses another component, its settings are those of the same name that differ from the defaults
        in the one before, else its own defaults.

        Raises
        ------
        StudyError
            If a name is unknown or not one of the chosen component's, a value has the wrong type, is out of range or
            contradicts another setting.
        """
        result = self.with_components(changes)
        for name, value in changes.items():
            result = result.with_value(name, value)
        result.check()
        return result

    def with_components(self, changes: Mapping[str, Any]) -> Settings:
        """A copy with the components that `changes` choose, and none of the other changes."""
        result = self
        for group, (registry, chooser) in GROUPS.items():
            name = f"{group}.{chooser}"
            if name in changes:
                if (key := str(changes[name])) not in registry:
                    raise unknown_name(f"value of {name}", key, registry)
                result = replace(result, **{group: _carried_over(getattr(result, group), registry[key])})
        return result

    def with_value(self, name: str, value: Any) -> Settings:
        """A copy with one setting changed; whether it goes with the others is not checked."""
        group, _, leaf = name.rpartition(".")
        if not group:
            if name not in (*ORIGIN, "seed"):
                raise unknown_setting(name, self)
            return replace(self, **{name: checked(name, value, fields_of(Settings)[name])})
        if group not in _ALL_GROUPS or leaf not in self.names_of(group):
            raise unknown_setting(name, self)
        if group in GROUPS and leaf == GROUPS[group].chooser:
            return self
        component = getattr(self, group)
        value = checked(name, value, fields_of(type(component))[leaf])
        return replace(self, **{group: replace(component, **{leaf: value})})

    def check(self) -> None:
        """Raise a StudyError where settings contradict each other."""
        for component in (self.loss, self.network, self.clustering):
            component.check(self)
        if self.dims not in self.network.dims:
            raise StudyError(
                f"network.name={self.network.key} does not take the {self.kind} of data.name={self.data.name}: set "
                f"network.name={' or '.join(self.networks_that_fit())}"
            )
        untrained = "foreground" in self.heads and not getattr(self.loss, "mask_weight", 1)
        if untrained and self.clustering.foreground == "predicted":
            raise StudyError(
                "clustering.foreground=predicted needs a network that was trained with a loss of its foreground, and "
                "here loss.mask_weight is 0: train with loss.mask_weight=1, or set clustering.foreground=none"
            )
        divisor = 2**self.network.depth
        if self.dims == 3 and self.data.crop_size < 2 * divisor:  # tiles overlap by half, in steps of the divisor
            raise StudyError(f"setting data.crop_size must be at least {2 * divisor} (2 to the network.depth, twice)")
        for name in ("image_size", "crop_size")[self.dims - 2 :]:
            if (size := getattr(self.data, name)) % divisor:
                raise StudyError(
                    f"setting data.{name} must be a multiple of {divisor} (2 to the network.depth), not {size}"
                )
        if self.dims == 2 and 0 < self.data.image_size < self.data.crop_size:
            raise StudyError("setting data.crop_size must not exceed data.image_size")

    def methods_that_fit(self) -> list[str]:
        """Keys of the clustering methods that can tell pixels apart by what network and loss give."""
        fitting = (key for key, method in CLUSTERERS.items() if self.embedding_metric in method.metrics)
        return [key for key in fitting if self.dims in CLUSTERERS[key].dims]

    def networks_that_fit(self) -> list[str]:
        """Keys of the networks that have a head which the loss trains, on this kind of data."""
        fitting = (key for key, network in NETWORKS.items() if set(self.loss.trains) & set(network.heads))
        return [key for key in fitting if self.dims in NETWORKS[key].dims]

    def losses_that_fit(self) -> list[str]:
        """Keys of the losses that take this kind of data."""
        return [key for key, loss in LOSSES.items() if self.dims in loss.dims]

    def digest(
        self, *more: str, groups: tuple[str, ...] = ("data", "network", "loss", "training", "clustering", "tuning")
    ) -> str:
        """12 hexadecimal digits that identify the settings in `groups`, the seed and the strings in `more`."""
        kept = {k: v for k, v in self.flat().items() if k.split(".")[0] in (*groups, "seed") and k not in NOT_IN_DIGEST}
        text = json.dumps([kept, *more], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @classmethod
    def from_stored(cls, flat: Mapping[str, Any]) -> Settings:
        """Settings as a run or a model has kept them, also those of versions in which every run had every setting."""
        current = dict(flat)
        if current.get("network.name") == "three-class":  # whose loss was not named
            current |= {"loss.name": "classes", "loss.balance": current.get("loss.balance", "none") != "none"}
        settings = cls(data=Data(name=str(current.get("data.name", Data.name)))).with_components(current)
        keys = [getattr(settings, group).key for group in GROUPS]
        current.setdefault("profile", "unknown")
        current |= {new: flat[old] for old, (key, new) in RENAMED.items() if old in flat and key in keys}
        return cls().with_({name: value for name, value in current.items() if name in settings.flat()})


_ALL_GROUPS = ("data", "network", "loss", "training", "clustering", "tuning")
ORIGIN = ("system", "preset", "profile")  # settings that only name where the others come from
NOT_IN_DIGEST = (*ORIGIN, "data.root", "training.device", "training.threads", "training.compile")


def _carried_over(before: Component, wanted: type[Component]) -> Component:
    """A component with the settings of another one that differ from its defaults, as far as they fit."""
    if type(before) is wanted:
        return before
    default, specs = type(before)(), fields_of(wanted)
    kept: dict[str, Any] = {}
    for name in fields_of(type(before)):
        value = getattr(before, name)
        if name in specs and value != getattr(default, name):
            try:
                kept[name] = checked(name, value, specs[name])
            except StudyError:
                continue  # a word that the other component does not know
    return wanted(**kept)


def all_names() -> list[str]:
    """Dotted names of the settings of all components and kinds of data."""
    found = dict.fromkeys(Settings().flat()) | dict.fromkeys(f"data.{name}" for name in fields_of(Data))
    for group, (registry, chooser) in GROUPS.items():
        for component in registry.values():
            found |= dict.fromkeys(f"{group}.{name}" for name in (chooser, *fields_of(component)))
    return list(found)


def spec_of(name: str) -> Any:
    """The field of a setting by its dotted name, from the first component that has it; None where none has."""
    group, _, leaf = name.rpartition(".")
    if group in GROUPS:
        candidates = [*GROUPS[group].registry.values()]
    else:
        candidates = [{"data": Data, "training": Training, "tuning": Tuning}.get(group, Settings)]
    found = (fields_of(component).get(leaf or name) for component in candidates)
    return next((spec for spec in found if spec is not None), None)
