"""What the paper of a run's system has, and where the run departs from it.

Each system has a paper of its own, so that five times the embedding loss is no departure of the system of Chen et al.
2019. Departures are from the preset that was chosen: with the preset `code`, from what the authors' program did.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from study.components import GROUPS
from study.profiles import Layer, layers_of, unchecked
from study.settings import NOT_IN_DIGEST, ORIGIN, Settings

_CHOSEN_HERE = ("auto", "")  # the paper's value is whatever the data or the device make of it
_OURS = ("tuning.", "training.validation", "seed")  # beginnings of names: no paper has a search, or tells of the rest


class Departure(NamedTuple):
    """A value of a run, and what the paper has in its place."""

    value: Any
    paper: Any


def paper_settings(settings: Settings) -> Settings:
    """Settings of the same system, preset, data set and components with everything else as in the paper.

    Where the paper has another network, loss or clustering than the run, these are the defaults of the run's.
    """
    chosen = {f"{group}.{chooser}": getattr(settings, group).key for group, (_, chooser) in GROUPS.items()}
    return unchecked(_layers(settings), chosen).settings


def departures(settings: Settings) -> dict[str, Departure]:
    """Dotted name -> what a run has otherwise than the paper of its system, of what bears on its results.

    A run with another clustering than the paper's departs in that, and in its settings from their defaults.
    """
    return {name: pair for name, pair in _differing(settings).items() if pair.paper not in _CHOSEN_HERE}


def origin_tags(settings: Settings) -> dict[str, str]:
    """Tags of a run: where its settings come from, its components, and each setting that is not the paper's.

    What the paper leaves to the data, such as the foreground rule, is a tag too.
    """
    tags = {name: getattr(settings, name) for name in ORIGIN}
    tags |= {f"{group}.{chooser}": getattr(settings, group).key for group, (_, chooser) in GROUPS.items()}
    return tags | {name: str(pair.value) for name, pair in _differing(settings).items()}


def _differing(settings: Settings) -> dict[str, Departure]:
    own, paper = settings.flat(), paper_settings(settings).flat()
    of_system = unchecked(_layers(settings)).settings
    for group, (_, chooser) in GROUPS.items():
        paper[f"{group}.{chooser}"] = getattr(of_system, group).key
    compared = [name for name in own if name not in NOT_IN_DIGEST and not name.startswith(_OURS)]
    return {name: Departure(own[name], paper[name]) for name in compared if own[name] != paper[name]}


def _layers(settings: Settings) -> list[Layer]:
    """The layers of the paper's own set-up, of the run's system and preset on its data set."""
    return layers_of(settings.data.name, settings.data.root, "full", settings.preset, "", settings.system, {})
