import pytest
import torch

from study.errors import StudyError
from study.training.checkpoint import READS, History, TrainingState, pauses, written


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


@pytest.mark.parametrize(("steps", "keeps"), [(1, 10), (7, 3), (50, 10), (1000, 7), (200_000, 10)])
def test_pauses(steps, keeps):
    found = pauses(steps, keeps)
    assert len([step for step, kept in found.items() if kept]) == min(steps, keeps)
    assert min(steps, READS) <= len(found) <= min(steps, READS + keeps)
    assert found[steps]
    assert min(found) >= 1
    assert max(found) == steps


def test_each_fifth_read_may_be_one_that_keeps():
    assert all(len(pauses(steps, 10)) == READS for steps in (50, 99, 120, 200_000))


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
    one.keep(4)
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
    one.keep(4)
    assert one.step == 4
    assert not one.resume(torch.device("cpu"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kept", [False, True])
def test_what_is_not_finite_is_named(tmp_path, kept):
    one = state(tmp_path / "x.pt")
    one.refuse_non_finite({"loss": 1.0}, 3, "mend this")
    if kept:
        one.keep(2)
    with torch.no_grad():
        one.network.bias.fill_(torch.inf)
    with pytest.raises(StudyError) as error:
        one.refuse_non_finite({"loss": float("nan"), "loss_self": 1.0}, 3, "mend this")
    last = f"; the last good checkpoint is {one.path}" if kept else ""
    assert str(error.value) == f"loss, a weight is not finite after 3 steps: mend this{last}"


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    file = tmp_path / "x.pt"
    for content in ("old", "new"):
        with written(file, "it") as partial:
            partial.write_text(content)
            assert file.exists() == (content == "new")
    assert file.read_text() == "new"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("full")])
def test_a_file_that_is_not_whole_leaves_the_old_one(tmp_path, error):
    file = tmp_path / "x.pt"
    file.write_text("old")

    def write():
        with written(file, "it") as partial:
            partial.write_text("ne")
            raise error

    with pytest.raises((KeyboardInterrupt, StudyError)) as told:
        write()
    assert file.read_text() == "old"
    if isinstance(error, RuntimeError):
        assert str(told.value) == "cannot write it: full; free disk space or rights"
