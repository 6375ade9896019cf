import numpy as np
import pytest
import torch

from study.data.sets.volumes import Volume, open_volumes
from study.em.settings import load_volume_settings
from study.em.training import TrainingVolume, build_network, loss_terms, train
from study.errors import StudyError
from study.training.checkpoint import LOGGED

CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def settings(overrides=""):
    return load_volume_settings(profile="smoke", overrides=overrides)


@pytest.fixture(scope="module")
def volume():
    return TrainingVolume(open_volumes("neurites", planes=6, side=24).splits["train"], CPU)


@pytest.fixture
def numbered():
    """A volume whose labels number its voxels, as do its raw values before they are standardised."""
    labels = np.arange(1, 6 * 9 * 8 + 1, dtype=np.int32).reshape(6, 9, 8)
    return TrainingVolume(Volume("numbers", labels.astype(np.float32), labels), CPU)


def test_crops_are_turned_together_with_their_labels(numbered):
    raw, labels = numbered.crops(64, (3, 4, 4), generator())
    assert (raw.shape, labels.shape) == ((64, 1, 3, 4, 4), (64, 3, 4, 4))
    np.testing.assert_allclose(raw[:, 0], numbered.raw.flatten()[labels.long() - 1])
    steps = {(crop[1, 0, 0] - crop[0, 0, 0]).item() for crop in labels}
    assert steps == {72, -72}  # planes in both orders
    in_plane = {tuple((crop[0, :2, :2] - crop[0, 0, 0]).flatten().tolist()[1:3]) for crop in labels}
    assert in_plane == {(a, b) for a in (1, -1) for b in (8, -8)} | {(b, a) for a in (1, -1) for b in (8, -8)}


def test_crops_come_from_everywhere(numbered):
    _, labels = numbered.crops(200, (5, 8, 8), generator())
    corners = {crop.min().item() for crop in labels}
    assert corners == {numbered.labels[z, y, 0].item() for z in (0, 1) for y in (0, 1)}


def test_a_crop_may_be_the_whole_volume(numbered):
    _, labels = numbered.crops(3, (6, 9, 8), generator())
    assert all(sorted(crop.flatten().tolist()) == list(range(1, 433)) for crop in labels)


def test_the_seed_decides(volume):
    told = []
    runs = [
        train(volume, settings(overrides).with_({"seed": seed}), lambda step, values: told.append((step, values)))[0]
        for overrides, seed in (("", 0), ("", 0), ("", 1), ("loss.cross_weight=1", 0), ("loss.cross_weight=1", 0))
    ]
    one, again, other, cross, cross_again = (torch.cat([w.flatten() for w in run.parameters()]) for run in runs)
    assert torch.equal(one, again)
    assert torch.equal(cross, cross_again)
    assert not torch.equal(one, other)
    assert not torch.equal(one, cross)
    losses = [values["train/loss"] for _, values in told]
    assert losses[:4] == losses[4:8]


def test_what_is_told(volume):
    told = []
    network, history = train(volume, settings("training.steps=120"), lambda step, values: told.append((step, values)))
    assert not network.training
    assert history.seconds > 0
    assert history.points() == told
    assert len(told) == LOGGED
    assert told[-1][0] == 120
    names = {"train/loss", "train/loss_self", "train/loss_pyramid", "perf/voxels_per_second"}
    assert all(set(values) == names for _, values in told)
    first, last = (np.mean([values["train/loss"] for _, values in part]) for part in (told[:5], told[-5:]))
    assert last < 0.9 * first


@pytest.mark.parametrize("schedule", ["constant", "one-cycle"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_short_trainings(volume, schedule, steps):
    told = []
    short = settings(f"training.steps={steps},training.schedule={schedule}")
    train(volume, short, lambda step, values: told.append(step))
    assert told == list(range(1, steps + 1))


def test_terms_and_their_weights(volume):
    raw, labels = volume.crops(2, (4, 16, 16), generator())

    def terms(overrides):
        torch.manual_seed(0)
        plan = settings(overrides)
        return {k: v.item() for k, v in loss_terms(build_network(plan, CPU), raw, labels, plan, generator()).items()}

    alone = terms("loss.pyramid_weight=0,loss.cross_weight=0")
    assert alone["loss"] == alone["loss_self"]
    assert set(alone) == {"loss", "loss_self"}
    both = terms("loss.pyramid_weight=2,loss.cross_weight=3")
    expected = both["loss_self"] + 2 * both["loss_pyramid"] + 3 * both["loss_cross"]
    assert both["loss"] == pytest.approx(expected, rel=1e-6)
    assert both["loss_self"] == pytest.approx(alone["loss_self"])


def test_unlabelled_voxels_do_not_count(volume):
    raw, labels = volume.crops(2, (4, 16, 16), generator())
    network, plan = build_network(settings(), CPU), settings()
    before = loss_terms(network, raw, labels, plan, generator())["loss"]
    some = labels.clone()
    some[:, :, 8:] = 0
    assert not torch.isclose(loss_terms(network, raw, some, plan, generator())["loss"], before)
    none = loss_terms(network, raw, torch.zeros_like(labels), plan, generator())["loss"]
    none.backward()
    assert none == 0


def test_a_loss_that_is_not_finite(volume):
    broken = TrainingVolume(Volume("x", np.full((4, 16, 16), np.nan, np.float32), np.ones((4, 16, 16), np.int32)), CPU)
    with pytest.raises(
        StudyError, match=r"^loss, .*a weight is not finite after 1 steps: lower training.learning_rate$"
    ):
        train(broken, settings(), lambda *_: None)


def without_time(history):
    """All that a history holds but time and speed."""
    return [{k: v for k, v in entry.items() if not k.startswith("perf/")} for entry in history.curve]


def assert_same_weights(a, b):
    for (name, x), y in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(x, y), name


def killed(volume, plan, file, at):
    """Train until step `at`, and die when its losses have been told."""

    def dying(step, values):
        if step == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(volume, plan, dying, file)


@pytest.mark.parametrize("at", [1, 9, 23])
@pytest.mark.parametrize("overrides", ["loss.cross_weight=1", "training.schedule=constant,loss.balance=false"])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(volume, tmp_path, overrides, at):
    plan, file = settings(f"training.steps=30,{overrides}"), tmp_path / "new" / "x.pt"
    undisturbed, whole = train(volume, plan, lambda *_: None)
    killed(volume, plan, file, at)
    kept = (at - 1) // 3 * 3  # at every third step, once its losses have been told
    assert file.exists() == bool(kept)
    if kept:
        assert torch.load(file, weights_only=True)["step"] == kept
    torch.rand(7)
    told = []
    network, history = train(volume, plan, lambda step, values: told.append((step, values)), file)
    assert_same_weights(network, undisturbed)
    assert without_time(history) == without_time(whole)
    assert told == history.points()
    assert not list(tmp_path.rglob("*.partial"))


def test_a_finished_training_is_not_continued(volume, tmp_path):
    plan, file = settings("training.steps=12"), tmp_path / "x.pt"
    network, history = train(volume, plan, lambda *_: None, file)
    broken = TrainingVolume(Volume("x", np.full((4, 16, 16), np.nan, np.float32), np.ones((4, 16, 16), np.int32)), CPU)
    same, again = train(broken, plan, lambda *_: None, file)
    assert_same_weights(network, same)
    assert again == history


def test_the_last_good_checkpoint_stays(volume, tmp_path):
    plan, file = settings("training.steps=30"), tmp_path / "x.pt"
    poisoned = TrainingVolume(Volume("x", np.zeros((6, 24, 24), np.float32), np.ones((6, 24, 24), np.int32)), CPU)
    poisoned.raw, poisoned.labels = volume.raw.clone(), volume.labels

    def poison(step, values):
        if step == 7:
            poisoned.raw.fill_(np.nan)

    with pytest.raises(StudyError, match=rf"not finite after 8 steps: .*; the last good checkpoint is {file}"):
        train(poisoned, plan, poison, file)
    network, _ = train(volume, plan, lambda *_: None, file)
    assert_same_weights(network, train(volume, plan, lambda *_: None)[0])


@pytest.mark.parametrize("damage", ["cut", "text", "other network", "other schedule"])
def test_a_damaged_checkpoint_is_named(volume, tmp_path, damage):
    file, more = tmp_path / "x.pt", ""
    train(volume, settings(), lambda *_: None, file)
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "text":
        file.write_text("no checkpoint")
    elif damage == "other schedule":
        content = torch.load(file, weights_only=True)
        torch.save(content | {"schedule": None}, file)
    else:
        more = "network.base_width=4"
    with pytest.raises(StudyError, match=r"cannot read the checkpoint .*x\.pt: delete it to start afresh"):
        train(volume, settings(more), lambda *_: None, file)


def test_a_checkpoint_that_cannot_be_written_is_named(volume, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match=r"cannot write .*x\.pt: .*; free disk space or rights"):
        train(volume, settings(), lambda *_: None, tmp_path / "file" / "x.pt")
