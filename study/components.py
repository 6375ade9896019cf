"""The things that a run can have in one place, and whose each of their settings is."""

from __future__ import annotations

from typing import Any, NamedTuple

from study.clustering import CLUSTERERS
from study.config import fields_of
from study.errors import StudyError, unknown_name
from study.losses import LOSSES
from study.networks import NETWORKS


class Group(NamedTuple):
    """A place in the settings that one of several components takes, and the setting that chooses it."""

    registry: dict[str, type[Any]]
    chooser: str


GROUPS = {
    "network": Group(NETWORKS, "name"),
    "loss": Group(LOSSES, "name"),
    "clustering": Group(CLUSTERERS, "method"),
}
_ONCE_PREFIXED = {  # settings of clustering methods whose names once began with that of the method
    "growing": ("growing", ("overwrite",)),
    "mutex": ("mutex-watershed", ("range", "bias", "stride")),
    "mean_shift": ("mean-shift", ("bandwidth",)),
    "hdbscan": ("hdbscan", ("min_cluster",)),
    "affinity": ("affinity-watershed", ("ranges", "neighbourhood", "stride", "bias")),
    "component": ("components", ("threshold", "expansion")),
}
RENAMED = {  # names of earlier versions -> component that has the setting, its name; an empty one follows from others
    "loss.aux_embedding_loss": ("wnet", "network.aux_embedding"),
    "loss.affinity_scale": ("affinity", "loss.scale"),
    "clustering.metric": ("", ""),
    **{
        f"clustering.{prefix}_{name}": (key, f"clustering.{'min_cluster_size' if name == 'min_cluster' else name}")
        for prefix, (key, names) in _ONCE_PREFIXED.items()
        for name in names
    },
}


def owners_of(name: str) -> list[str]:
    """The components that have a setting of that dotted name, such as `network.name=unet`."""
    group, _, leaf = name.rpartition(".")
    if group not in GROUPS:
        return []
    registry, chooser = GROUPS[group]
    return [f"{group}.{chooser}={key}" for key, component in registry.items() if leaf in fields_of(component)]


def unknown_setting(name: str, settings: Any) -> StudyError:
    """A StudyError for a setting that a run does not have: it says whose it is, or how it is spelled now."""
    if name in RENAMED:
        _, current = RENAMED[name]
        if not current:
            return StudyError(f"setting {name} follows from loss.name and network.name now: leave it out")
        return StudyError(f"setting {name} is called {current} now")
    if not (owners := owners_of(name)):
        return unknown_name("setting", name, settings.flat())
    group = name.rpartition(".")[0]
    component, chooser = getattr(settings, group), GROUPS[group].chooser
    own = ", ".join(settings.names_of(group)[1:])
    return StudyError(
        f"setting {name} has no effect with {group}.{chooser}={component.key}, network.name={settings.network.key}: it "
        f"is one of {', '.join(owners)}; {component.key} has {own}"
    )
