"""Every setting of a run: frozen dataclasses, dotted names, validation, digest.

A setting is addressed by its dotted name (``network.embedding_dim``, ``loss.inter_weight``). The defaults are what
the W-Net paper says; `study.profiles` holds what other systems and smaller budgets change.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from typing import Any

from study.errors import StudyError, unknown_name
from study.ranges import parse_ranges

CLUSTERING_METHODS = (
    "angular",
    "growing",
    "mutex-watershed",
    "mean-shift",
    "hdbscan",
    "affinity-watershed",
    "components",
)
METRIC_OF_LOSS = {"cosine": "angle", "discriminative": "euclidean", "affinity": "angle"}
METHODS_OF_METRIC = {
    "angle": CLUSTERING_METHODS,
    "euclidean": ("mutex-watershed", "mean-shift", "components"),
    "affinity": ("affinity-watershed", "components"),
}
CONCAT_LAYERS = ("none", "coordinate", "distmap", "dfeat.8", "dfeat.32", "efeat.32", "dfeat.16+efeat.16")


def setting(default: Any, *, low: float | None = None, high: float | None = None, choices: tuple = (), also=()):
    """A field with its range [low, high], its `choices`, or words allowed beside numbers (`also`)."""
    return field(default=default, metadata={"low": low, "high": high, "choices": choices, "also": also})


@dataclass(frozen=True)
class Data:
    """Which images, at which size. Sizes in pixels."""

    name: str = "synthetic-leaves"  # a key of DATASETS
    root: str = ""  # folder of the data set; not part of the digest, the data's own digest is
    subsets: str = "A1"  # of CVPPP2017: joined by '+' such as A1+A2, or all that are there
    test_subsets: str = ""  # of CVPPP2017: whole subsets to test on, such as A2; else the test split of `subsets`
    image_size: int = setting(512, low=0, high=8192)  # every image is resized to this square; 0 keeps sizes
    crop_size: int = setting(0, low=0, high=8192)  # side of training crops; 0 trains on whole images
    augmentation: str = setting("none", choices=("none", "flips"))  # flips: mirror images and quarter turns
    all_test: bool = False  # take all images for test images, to score a network of other images on them
    images: int = setting(0, low=0)  # at most this many images of each split; 0 = all
    split_seed: int = setting(2020, low=0)  # of the splits that the data set does not publish itself


@dataclass(frozen=True)
class Network:
    """U-Net with two heads, W-Net: two U-Nets in a row (Wu et al. 2020, Fig. 3), three-class U-Net, or residual U-Net
    with embeddings at all scales or with affinities (Huang et al. 2022).
    """

    name: str = setting("wnet", choices=("unet", "wnet", "three-class", "residual", "affinity"))
    concat_layer: str = setting("dfeat.32", choices=CONCAT_LAYERS)  # what W-Net forwards (Table 1)
    embedding_dim: int = setting(8, low=1, high=1024)
    base_width: int = setting(32, low=1, high=512)  # channels of the first level, doubled at each pooling
    depth: int = setting(4, low=1, high=7)  # number of poolings
    norm: str = setting("none", choices=("none", "batch", "group"))
    dropout: float = setting(0.5, low=0, high=0.95)  # at the two deepest levels and before each head
    head_layers: int = setting(1, low=1, high=4)  # convolutions of a head
    decoders: str = setting("shared", choices=("shared", "separate"))  # of the U-Net with two heads
    stop_gradient: bool = False  # W-Net: no gradient through the forwarded features
    centre_embedding: bool = False  # start the embedding head at zero mean over the first batch
    leaky_distance_gradient: bool = False  # let the gradient pass where the distance head gives zero


@dataclass(frozen=True)
class Loss:
    """Distance loss plus embedding loss; the three-class U-Net has a loss of its own, which `balance` applies to."""

    name: str = setting("cosine", choices=tuple(METRIC_OF_LOSS))  # of the embedding
    inter_weight: float | str = setting(1.0, low=0, high=1e6, also=("only",))  # lambda; only: no within-instance term
    constraints: str = setting("local", choices=("local", "global"))
    neighbour_distance: int = setting(10, low=1, high=4096)  # px at the network's scale; closer objects are neighbours
    similarity: str = setting("absolute", choices=("absolute", "signed", "squared"))
    intra_reduction: str = setting("object", choices=("object", "pixel"))
    inter_reduction: str = setting("object", choices=("object", "pair"))
    background_as_object: bool = True
    embedding_weight: float = setting(1.0, low=0, high=1e6)  # of the embedding loss, beside the distance loss
    # give foreground and background equal weight, pixel by pixel: in the distance loss, in the embedding loss too
    # (where it has a mean over pixels), or nowhere
    balance: str = setting("none", choices=("none", "distance", "both"))
    distance_scale: float = setting(10.0, low=1e-3, high=1e3)  # the network learns the target times this
    # discriminative: an object's pixels may be this far from its mean, the means of two objects must be twice ...
    pull_margin: float = setting(0.5, low=0, high=100)
    push_margin: float = setting(1.5, low=1e-3, high=100)  # ... this far apart
    # affinity: pairs of pixels these distances apart, at the coarser scales without the largest ones ...
    ranges: str = "1+3+5+9+27"
    neighbourhood: int = setting(4, choices=(4, 8))  # ... along rows and columns, or along diagonals too
    cross_weight: float = setting(1.0, low=0, high=1e6)  # of the correlation with a second view
    cross_detach: bool = False  # the second view gets no gradient, and costs less
    pyramid_weight: float = setting(1.0, low=0, high=1e6)  # of the coarser scales
    pair_balance: bool = False  # pairs in one object and pairs of two weigh the same, for each offset
    affinity_scale: str = setting("paper", choices=("paper", "code"))  # mean, or mean times the image's side
    view_turns: bool = True  # how the second view differs: mirrored and turned by quarters ...
    view_intensity: bool = True  # ... in other light ...
    view_cutout: bool = True  # ... with holes
    regulariser_weight: float = setting(1e-3, low=0, high=1e3)  # of the length of the means
    aux_embedding_loss: bool = False  # an embedding head and loss on W-Net's first net too


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
class Clustering:
    """From maps to labels. Pixel sizes are at the network's scale."""

    method: str = setting("angular", choices=CLUSTERING_METHODS)
    seeds: str = setting("peaks", choices=("peaks", "regions"))
    seed_threshold: float = setting(0.7, low=0, high=1)  # relative to the image's largest distance
    seed_smoothing: float = setting(1.0, low=0, high=50)  # sigma of a Gaussian on the distance map, px
    seed_min_distance: int = setting(3, low=1, high=500)  # between two peaks, px
    angle: float = setting(45.0, low=0.1, high=180)  # degrees around the seed's or seed region's embedding
    growing_overwrite: bool = False  # growing: a later object takes pixels from an earlier one
    mutex_range: int = setting(4, low=2, high=500)  # between pixels that repel each other, px along rows and columns
    mutex_bias: float = setting(0.2, low=0, high=3.14)  # radians that a repulsive angle is reduced by
    mutex_stride: int = setting(1, low=1, high=500)  # repulsive pairs start on every so many rows and columns
    mean_shift_bandwidth: float = setting(0.5, low=0.01, high=2)  # between unit embeddings
    hdbscan_min_cluster: int = setting(100, low=1)  # px of a 512 x 512 image, scaled to the area of others
    affinity_ranges: str = "1+3+5+9+27"  # affinity-watershed: distances of the pairs; the first ones attract
    affinity_neighbourhood: int = setting(4, choices=(4, 8))
    affinity_stride: int = setting(5, low=1, high=500)  # repulsive pairs start on every so many rows and columns
    affinity_bias: float = setting(0.0, low=-2, high=2)  # added to the weight of repulsive pairs: above 0 objects part
    fragment_size: int = setting(20, low=0)  # affinity-watershed: smaller objects join a neighbour, px
    component_threshold: float = setting(0.5, low=0, high=1)  # components: of the map whose pieces are the objects
    component_expansion: int = setting(0, low=0, high=100)  # components: px that objects are widened by
    metric: str = setting("angle", choices=tuple(METHODS_OF_METRIC))  # follows from loss and network
    min_size: int = setting(10, low=0)  # smaller objects are dropped, px
    min_distance: float = setting(0.1, low=0, high=1)  # objects of smaller mean distance, relative to the maximum
    foreground: str = setting("auto", choices=("auto", "truth", "predicted", "none"))
    foreground_threshold: float = setting(0.08, low=0, high=1)  # of predicted: relative to the image's largest distance


@dataclass(frozen=True)
class Tuning:
    """Search of the clustering's thresholds on validation images (`study.tuning`)."""

    trials: int = setting(100, low=0)  # at most; 0 = no search, the clustering's settings are taken as they are
    patience: int = setting(40, low=1)  # the search stops after so many trials that brought nothing better
    images: int = setting(0, low=0)  # at most this many validation images; 0 = all


@dataclass(frozen=True)
class Settings:
    """All settings of one run."""

    system: str = "wnet"  # where the settings come from (a key of SYSTEMS); not part of the digest
    data: Data = field(default_factory=Data)
    network: Network = field(default_factory=Network)
    loss: Loss = field(default_factory=Loss)
    training: Training = field(default_factory=Training)
    clustering: Clustering = field(default_factory=Clustering)
    tuning: Tuning = field(default_factory=Tuning)
    seed: int = setting(0, low=0, high=2**31 - 1)

    def flat(self) -> dict[str, Any]:
        """Dotted name -> value, in the order of definition."""
        return {name: _get(self, name) for name in _SETTING_FIELDS}

    def with_(self, changes: dict[str, Any]) -> Settings:
        """A copy with `changes` (dotted name -> value, or its text), checked for name, type and range.

        Raises
        ------
        StudyError
            If a name is unknown, a value has the wrong type, is out of range or contradicts another setting.
        """
        result = changed(self, changes, _SETTING_FIELDS)
        if "network.name" in changes and "network.concat_layer" not in changes:
            layer = "dfeat.32" if result.network.name == "wnet" else "none"
            result = replace(result, network=replace(result.network, concat_layer=layer))
        if {"loss.name", "network.name"} & changes.keys() and "clustering.metric" not in changes:
            result = replace(result, clustering=replace(result.clustering, metric=_metric(result)))
        _check_together(result)
        return result

    def digest(
        self, *more: str, groups: tuple[str, ...] = ("data", "network", "loss", "training", "clustering", "tuning")
    ) -> str:
        """12 hexadecimal digits that identify the settings in `groups`, the seed and the strings in `more`."""
        kept = {k: v for k, v in self.flat().items() if k.split(".")[0] in (*groups, "seed") and k not in NOT_IN_DIGEST}
        text = json.dumps([kept, *more], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


NOT_IN_DIGEST = ("system", "data.root", "training.device", "training.threads", "training.compile")

_SETTING_FIELDS: dict[str, dataclasses.Field] = {
    (f"{top.name}.{leaf.name}" if nested else top.name): leaf
    for top in fields(Settings)
    for nested in [top.default_factory is not dataclasses.MISSING]
    for leaf in (fields(top.default_factory) if nested else [top])  # type: ignore[arg-type]
}


def _get(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def changed(settings: Any, changes: dict[str, Any], known: dict[str, dataclasses.Field]) -> Any:
    """A copy of nested dataclasses with `changes` (dotted name -> value, or its text), each one `checked`.

    Parameters
    ----------
    settings : dataclass
        Its fields are values, or dataclasses of values.
    changes : dict
    known : dict
        Dotted name -> field.

    Raises
    ------
    StudyError
        If a name is unknown, or a value has the wrong type or is out of range.
    """
    for name, value in changes.items():
        if name not in known:
            raise unknown_name("setting", name, known)
        value = checked(name, value, known[name])
        group, _, leaf = name.rpartition(".")
        if group:
            value = replace(getattr(settings, group), **{leaf: value})
        settings = replace(settings, **{group or leaf: value})
    return settings


def checked(name: str, value: Any, spec: dataclasses.Field) -> Any:
    """`value` converted to the type of the field's default and checked against its metadata."""
    meta = spec.metadata
    if value in meta.get("also", ()):
        return value
    kind = type(spec.default)
    try:
        if kind is bool:
            value = {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
        elif kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        else:
            value = kind(value)
    except (KeyError, ValueError, TypeError):
        words = {"bool": "true or false", "int": "a whole number", "float": "a number"}[kind.__name__]
        words += "".join(f" or {word}" for word in meta.get("also", ()))
        raise StudyError(f"setting {name} must be {words}, not {value!r}") from None
    if meta.get("choices") and value not in meta["choices"]:
        raise unknown_name(f"value of {name}", value, meta["choices"])
    low, high = meta.get("low"), meta.get("high")
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        upper = "" if high is None else f" and at most {high:g}"
        raise StudyError(f"setting {name} must be at least {low:g}{upper}, not {value:g}")
    return value


def _metric(settings: Settings) -> str:
    """What the embedding goes by: a network that predicts affinities has them in its place."""
    return "affinity" if settings.network.name == "affinity" else METRIC_OF_LOSS[settings.loss.name]


def _check_affinities(settings: Settings) -> None:
    """Refuse what does not fit the affinity loss or its clustering."""
    loss, clustering, by_affinity = settings.loss, settings.clustering, settings.network.name == "affinity"
    for text in (loss.ranges, clustering.affinity_ranges):
        parse_ranges(text)
    if loss.name == "affinity" and settings.network.name not in ("residual", "affinity"):
        raise StudyError(
            f"loss.name=affinity needs embeddings at all scales, which network.name={settings.network.name} does not "
            "have: set network.name=residual"
        )
    if by_affinity and loss.name != "affinity":
        raise StudyError("network.name=affinity predicts affinities: set loss.name=affinity")
    wanted = (loss.ranges, loss.neighbourhood)
    if by_affinity and (clustering.affinity_ranges, clustering.affinity_neighbourhood) != wanted:
        raise StudyError(
            "network.name=affinity knows only the affinities it was trained on: set clustering.affinity_ranges="
            f"{loss.ranges} and clustering.affinity_neighbourhood={loss.neighbourhood}"
        )
    if loss.name == "affinity" and loss.affinity_scale == "paper" and settings.training.epsilon > 1e-4:
        raise StudyError(
            f"training.epsilon={settings.training.epsilon:g} swallows the gradients of the mean affinity loss, which "
            "stops learning: set loss.affinity_scale=code, or a smaller training.epsilon"
        )


def _check_together(settings: Settings) -> None:
    """Refuse settings that contradict each other."""
    network, clustering = settings.network, settings.clustering
    if (network.name == "wnet") == (network.concat_layer in ("none", "coordinate")):
        raise StudyError(
            f"network.concat_layer={network.concat_layer} does not fit network.name={network.name}: "
            "a U-Net takes none or coordinate, a W-Net one of the others"
        )
    if clustering.metric != _metric(settings):
        raise StudyError(
            f"clustering.metric={clustering.metric} does not fit loss.name={settings.loss.name} and network.name="
            f"{network.name}: set it to {_metric(settings)}, or leave it out"
        )
    if clustering.method not in METHODS_OF_METRIC[clustering.metric]:
        raise StudyError(
            f"clustering.method={clustering.method} goes by angles, which loss.name={settings.loss.name} with "
            f"network.name={network.name} does not train: choose {', '.join(METHODS_OF_METRIC[clustering.metric])}"
        )
    _check_affinities(settings)
    if network.name == "three-class" and clustering.method != "components":
        raise StudyError("network.name=three-class has no embedding: set clustering.method=components")
    divisor = 2**network.depth
    for name in ("data.image_size", "data.crop_size"):
        size = _get(settings, name)
        if size % divisor:
            raise StudyError(f"setting {name} must be a multiple of {divisor} (2 to the network.depth), not {size}")
    if settings.data.image_size and settings.data.crop_size > settings.data.image_size:
        raise StudyError("setting data.crop_size must not exceed data.image_size")
