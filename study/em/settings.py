"""Every setting of a run on volumes, with the names and rules of `study.config`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import Any

from study.affinities import Offset, pyramid_offsets
from study.config import changed, setting
from study.errors import StudyError, unknown_name
from study.profiles import parse_overrides


@dataclass(frozen=True)
class Data:
    """Which volumes, and what is cut from them. Sizes in voxels."""

    name: str = "volume"  # one of VOLUMES
    root: str = ""  # folder of the files; not part of the digest, the data's own digest is
    planes: int = setting(0, low=0)  # at most the first so many of each volume; 0 = all
    side: int = setting(0, low=0)  # at most the first so many rows and columns
    # of training crops and of the tiles of inference; the paper does not say [R]
    crop_planes: int = setting(18, low=2, high=512)
    crop_side: int = setting(160, low=8, high=4096)


@dataclass(frozen=True)
class Network:
    """Residual U-Net; planes are not pooled. The widths are those of the paper's two-dimensional network."""

    base_width: int = setting(16, low=1, high=512)  # channels of the first level, doubled at each pooling
    depth: int = setting(4, low=1, high=4)  # number of poolings
    embedding_dim: int = setting(16, low=1, high=1024)


@dataclass(frozen=True)
class Loss:
    """Self correlation (weight 1), embedding pyramid and cross correlation."""

    # the paper does not say what volumes have; these are of Lee et al. 2017, whose network it takes [R]
    ranges: str = "1+3+9+27"  # in voxels along rows and columns
    axial: str = "1+2+3+4"  # in planes
    pyramid_weight: float = setting(1.0, low=0, high=1e6)  # 0: no embedding pyramid
    cross_weight: float = setting(1.0, low=0, high=1e6)  # 0: no second view
    balance: bool = False  # let pairs of one object and those of two weigh the same


@dataclass(frozen=True)
class Training:
    """Optimiser, schedule and budget."""

    steps: int = setting(200_000, low=1)
    batch_size: int = setting(2, low=1, high=4096)
    learning_rate: float = setting(1e-4, low=1e-8, high=10)
    schedule: str = setting("constant", choices=("constant", "one-cycle"))
    device: str = setting("auto", choices=("auto", "cpu", "cuda"))  # not part of the digest
    threads: int = setting(0, low=0, high=1024)  # CPU threads; 0 = all; not part of the digest


@dataclass(frozen=True)
class Clustering:
    """From affinities to neurons; threshold and least size are chosen on the validation volume."""

    stride: int = setting(4, low=1, high=500)  # repulsive pairs start on every so many rows and columns [R]


@dataclass(frozen=True)
class VolumeSettings:
    """All settings of one run on volumes."""

    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    loss: Loss = field(default_factory=Loss)
    training: Training = field(default_factory=Training)
    clustering: Clustering = field(default_factory=Clustering)
    seed: int = setting(0, low=0, high=2**31 - 1)

    @property
    def offsets(self) -> tuple[tuple[Offset, ...], ...]:
        """Offsets of the pairs at each scale, the finest first."""
        ranges, axial = (_numbers(text) for text in (self.loss.ranges, self.loss.axial))
        return pyramid_offsets(ranges, axial=axial)[: self.network.depth + 1]

    @property
    def crop(self) -> tuple[int, int, int]:
        """Planes, rows and columns of a crop."""
        return self.data.crop_planes, self.data.crop_side, self.data.crop_side

    def flat(self) -> dict[str, Any]:
        """Dotted name -> value, in the order of definition."""
        nested = {f"{group}.{name}": value for group in _GROUPS for name, value in vars(getattr(self, group)).items()}
        return nested | {"seed": self.seed}

    def with_(self, changes: dict[str, Any]) -> VolumeSettings:
        """A copy with `changes` (dotted name -> value, or its text).

        Raises
        ------
        StudyError
            If a name is unknown, a value has the wrong type, is out of range or contradicts another setting.
        """
        result = changed(self, changes, _FIELDS)
        _check_together(result)
        return result

    def digest(
        self, *more: str, groups: tuple[str, ...] = ("data", "network", "loss", "training", "clustering")
    ) -> str:
        """12 hexadecimal digits that identify the settings in `groups`, the seed and the strings in `more`.

        Settings that results do not depend on are left out.
        """
        left_out = ("data.root", "training.device", "training.threads")
        kept = {k: v for k, v in self.flat().items() if k.split(".")[0] in (*groups, "seed") and k not in left_out}
        return hashlib.sha256(json.dumps(["volumes", kept, *more], sort_keys=True).encode()).hexdigest()[:12]


_GROUPS = tuple(top.name for top in fields(VolumeSettings) if top.default_factory is not dataclasses.MISSING)
_FIELDS: dict[str, dataclasses.Field] = {
    f"{group}.{leaf.name}": leaf for group in _GROUPS for leaf in fields(getattr(VolumeSettings(), group))
} | {top.name: top for top in fields(VolumeSettings) if top.name not in _GROUPS}

_SMALL = {"training.schedule": "one-cycle", "loss.balance": True, "loss.cross_weight": 0.0}
PROFILES: dict[str, dict[str, Any]] = {
    "full": {},
    "quick": {
        **_SMALL,
        "data.crop_planes": 8,
        "data.crop_side": 64,
        "network.base_width": 8,
        "network.depth": 3,
        "training.steps": 800,
        "training.learning_rate": 5e-3,  # chosen on the synthetic validation volume
        "clustering.stride": 2,
    },
    "smoke": {
        **_SMALL,
        "data.planes": 8,
        "data.side": 32,
        "data.crop_planes": 4,
        "data.crop_side": 16,
        "network.base_width": 2,
        "network.depth": 1,
        "network.embedding_dim": 4,
        "loss.ranges": "1+3",
        "loss.axial": "1+2",
        "training.steps": 4,
        "training.learning_rate": 1e-2,
    },
}


def load_volume_settings(
    dataset: str = "neurites", root: str = "", profile: str = "quick", overrides: str = ""
) -> VolumeSettings:
    """Settings of a profile on a data set of volumes, with overrides ``a.b=1,c.d=x``.

    Raises
    ------
    StudyError
        If the profile or a name is unknown or a value does not fit.
    """
    if profile not in PROFILES:
        raise unknown_name("profile", profile, PROFILES)
    layers = PROFILES[profile] | {"data.name": dataset, "data.root": root}
    return VolumeSettings().with_(layers | parse_overrides(overrides))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split("+"))


def _check_together(settings: VolumeSettings) -> None:
    """Refuse ranges that are none, and settings that contradict each other."""
    halves = {"ranges": settings.data.crop_side // 2, "axial": settings.data.crop_planes // 2}
    for name, half in halves.items():
        text = getattr(settings.loss, name)
        try:
            numbers = _numbers(text)
        except ValueError:
            numbers = (0,)
        if min(numbers) < 1 or len(set(numbers)) < len(numbers) or 1 not in numbers:
            raise StudyError(
                f"setting loss.{name} must be different whole numbers, 1 among them, joined by +, such as 1+3+9, "
                f"not {text!r}"
            )
        if max(numbers) > half:  # pairs that no tile holds
            raise StudyError(f"setting loss.{name} reaches {max(numbers)}, but at most half a crop, {half}, is allowed")
    divisor = 2**settings.network.depth
    if settings.data.crop_side % divisor:
        raise StudyError(
            f"setting data.crop_side must be a multiple of {divisor} (2 to the network.depth), "
            f"not {settings.data.crop_side}"
        )
