"""The network of a training, wherever it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from torch import nn

from study import tracking
from study.runs.cache import TrainingCache
from study.runs.resources import channels_of, rebuilt_network
from study.settings import Settings
from study.training.checkpoint import History


@dataclass
class TrainedNetwork:
    """A trained network and how it came about.

    Attributes
    ----------
    load : callable
        Gives the network; called when it is first needed, which it is not where all maps are kept.
    history : History
        How the training went; empty where a run in the store holds the network, and shows that.
    holder : str
        The finished run that holds the network in the store; empty where it is just trained, or kept on disk alone.
    shown_by : str
        The run that has shown the training while it went on; empty where it was not trained in this task.
    """

    load: Callable[[], nn.Module]
    history: History = field(default_factory=History)
    holder: str = ""
    shown_by: str = ""

    @cached_property
    def network(self) -> nn.Module:
        """The network, in evaluation mode on its device."""
        return self.load()

    @classmethod
    def find(cls, settings: Settings, cache: TrainingCache, holder: str | None) -> TrainedNetwork | None:
        """The network of a training that has been done before; None where it is to be trained.

        Parameters
        ----------
        settings : Settings
            Of the training.
        cache : TrainingCache
            Where its weights may be on disk.
        holder : str or None
            The run that holds it in the store, if there is one.
        """

        def rebuilt(weights: dict) -> nn.Module:
            return rebuilt_network(weights, channels_of(settings.data), settings)

        if holder is not None:

            def load() -> nn.Module:
                saved = cache.load()  # on disk it is nearer
                return rebuilt(tracking.load_run(holder).weights if saved is None else saved[0])

            return cls(load, holder=holder)
        if (saved := cache.load()) is not None:
            network = rebuilt(saved[0])
            return cls(lambda: network, saved[1])
        return None
