import torch

from study.training import meter
from study.training.meter import LossMeter


def terms(loss, inter):
    return {"loss": torch.tensor(loss, requires_grad=True), "inter": torch.tensor(inter)}


def test_means_and_speed_since_the_last_start(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(meter.time, "perf_counter", lambda: now[0])
    losses = LossMeter(7)
    losses.add(terms(1.0, 4.0))
    losses.add(terms(2.0, 2.0))
    now[0] = 104.0
    assert losses.read(9) == ({"loss": 1.5, "inter": 3.0}, 4.0, 0.5)
    now[0] = 200.0  # a validation
    losses.restart(9)
    losses.add(terms(5.0, 6.0))
    now[0] = 200.25
    assert losses.read(10) == ({"loss": 5.0, "inter": 6.0}, 0.25, 4.0)
