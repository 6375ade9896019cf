from types import SimpleNamespace

import pytest
import torch

from study.runs import trained
from study.runs.trained import TrainedNetwork
from study.training.checkpoint import History

HISTORY = History(1.5, [], [{"step": 2, "seconds": 1.5}])
SETTINGS = SimpleNamespace(data=None)


@pytest.fixture
def loaded(monkeypatch):
    """What has been read from the store; networks are rebuilt as their weights."""
    read = []
    store = SimpleNamespace(load_run=lambda run_id: read.append(run_id) or SimpleNamespace(weights={"of": "store"}))
    monkeypatch.setattr(trained, "tracking", store)
    monkeypatch.setattr(trained, "channels_of", lambda _: 3)
    monkeypatch.setattr(trained, "rebuilt_network", lambda weights, channels, settings: weights)
    return read


def cache_of(saved):
    return SimpleNamespace(load=lambda: saved)


def test_nothing_is_found_where_nothing_was_trained(loaded):
    assert TrainedNetwork.find(SETTINGS, cache_of(None), None) is None
    assert loaded == []


def test_a_network_that_is_on_disk_alone_has_its_history(loaded):
    found = TrainedNetwork.find(SETTINGS, cache_of(({"of": "disk"}, HISTORY)), None)
    assert (found.network, found.history, found.holder, found.shown_by) == ({"of": "disk"}, HISTORY, "", "")


@pytest.mark.parametrize(("saved", "source"), [(None, "store"), (({"of": "disk"}, HISTORY), "disk")])
def test_a_network_in_the_store_is_read_when_it_is_needed_and_once(loaded, saved, source):
    found = TrainedNetwork.find(SETTINGS, cache_of(saved), "abc")
    assert (found.holder, found.history) == ("abc", History())  # whose run shows the curves
    assert loaded == []
    assert found.network is found.network
    assert found.network == {"of": source}
    assert loaded == (["abc"] if source == "store" else [])


def test_a_network_that_was_just_trained():
    network = torch.nn.Linear(1, 1)
    found = TrainedNetwork(lambda: network, HISTORY, shown_by="run")
    assert (found.network, found.holder, found.shown_by) == (network, "", "run")
