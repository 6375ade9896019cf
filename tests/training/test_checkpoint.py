import pytest
import torch

from study.errors import StudyError
from study.training.checkpoint import BEST_BY, LOGGED, History, TrainingState, checkpoint_schedule


def test_points_of_a_history():
    history = History(
        2.5,
        [{"step": 1, "train/loss": 0.5, "perf/images_per_second": 9.0}, {"step": 2, "train/loss": 0.25}],
        [{"step": 2, "seconds": 1.5, "val/sbd": 0.75}],
    )
    assert history.points() == [
        (1, {"train/loss": 0.5, "perf/images_per_second": 9.0}),
        (2, {"train/loss": 0.25}),
        (2, {"val/sbd": 0.75}),
    ]
    assert History().points() == []
    assert History(untrained={"val/sbd": 0.1}).points() == [(0, {"val/sbd": 0.1})]


@pytest.mark.parametrize(("steps", "checkpoints"), [(1, 10), (7, 3), (50, 10), (1000, 7), (200_000, 10)])
def test_checkpoint_schedule(steps, checkpoints):
    found = checkpoint_schedule(steps, checkpoints)
    assert len([step for step, kept in found.items() if kept]) == min(steps, checkpoints)
    assert min(steps, LOGGED) <= len(found) <= min(steps, LOGGED + checkpoints)
    assert found[steps]
    assert min(found) >= 1
    assert max(found) == steps


def test_each_fifth_reading_may_come_with_a_checkpoint():
    assert all(len(checkpoint_schedule(steps, 10)) == LOGGED for steps in (50, 99, 120, 200_000))


def state(path, width=2):
    torch.manual_seed(0)
    network = torch.nn.Linear(width, 1)
    return TrainingState(network, torch.optim.Adam(network.parameters()), path)


def test_a_state_comes_back(tmp_path):
    one = state(tmp_path / "new" / "x.pt")
    assert not one.resume(torch.device("cpu"))
    with torch.no_grad():
        one.network.weight.fill_(3)
    one.history.curve.append({"step": 4, "train/loss": 1 / 3})
    torch.rand(5)
    one.save(4)
    wanted = torch.rand(3)
    other = state(one.path)
    assert other.resume(torch.device("cpu"))
    assert torch.equal(torch.rand(3), wanted)
    assert (other.step, other.history) == (4, one.history)
    assert other.network.weight.tolist() == [[3, 3]]
    with pytest.raises(StudyError, match=r"cannot read the checkpoint .*x\.pt: delete it to start afresh"):
        state(one.path, 3).resume(torch.device("cpu"))


def test_without_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = state(None)
    one.save(4)
    assert one.step == 4
    assert not one.resume(torch.device("cpu"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [False, True])
def test_what_is_not_finite_is_named(tmp_path, kept):
    one = state(tmp_path / "x.pt")
    one.check_finite({"loss": 1.0}, 3)
    if kept:
        one.save(2)
    with torch.no_grad():
        one.network.bias.fill_(torch.inf)
    with pytest.raises(StudyError) as error:
        one.check_finite({"loss": float("nan"), "loss_self": 1.0}, 3)
    fix = "lower training.learning_rate or set training.gradient_clip"
    last = f"; the last good checkpoint is {one.path}" if kept else ""
    assert str(error.value) == f"loss, a weight is not finite after 3 steps: {fix}{last}"


LESS = ("val/arand", -1)


@pytest.mark.parametrize(
    ("by", "scores", "best"),
    [
        (LESS, [{"val/arand": 0.3, "val/voi": 1.0}, {"val/arand": 0.2, "val/voi": 3.0}, {"val/arand": 0.25}], 1),
        (LESS, [{"val/arand": 0.2}, {"val/arand": 0.2}, {"val/arand": 0.3}], 1),  # the later of equals
        (BEST_BY, [{"val/sbd": 0.2}, {"val/sbd": 0.9}, {"val/sbd": 0.1}], 1),
        (BEST_BY, [{}, {}, {}], 2),
    ],
)
def test_the_best_weights_are_those_of_the_best_score(tmp_path, by, scores, best):
    one = state(tmp_path / "x.pt")
    one.keep_best, one.best_by = True, by
    for step, values in enumerate(scores):
        with torch.no_grad():
            one.network.bias.fill_(step)
        one.validated(step, values)
        if step == 0:  # what was best is known to a training that goes on
            other = state(one.path)
            other.keep_best, other.best_by = True, by
            assert other.resume(torch.device("cpu"))
            one = other
    assert one.best["bias"].item() == best
