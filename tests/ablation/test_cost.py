import numpy as np
import pytest
import torch

from study.ablation import cost
from study.ablation.cost import Cost, Time, cost_of
from study.data import open_dataset
from study.errors import StudyError
from study.inference import predict_maps
from study.profiles import load_settings
from study.runs.cache import TrainingCache
from study.runs.resources import images_to_train, network_images
from study.training.loop import train


def smoke(overrides="", dataset="synthetic-leaves", root=""):
    return load_settings(dataset, str(root), profile="smoke", overrides=overrides)


class Silent:
    """A monitor that keeps nothing."""

    def started(self, *_):
        return {}

    step = validated = saved = started


@pytest.fixture
def clock(monkeypatch):
    """Each look at the clock takes a second; gives the looks."""
    looks = []

    def now(_):
        looks.append(len(looks))
        return float(looks[-1])

    monkeypatch.setattr(cost, "_now", now)
    return looks


def minutes(about, least, most):
    return Time(60 * about, 60 * least, 60 * most)


STEPS = "a timed step of each network"
RUNS = "of the same network, budget and images"


@pytest.mark.parametrize(
    ("cost", "slots", "words"),
    [
        (Cost((), 0), 2, "no training to do"),
        (
            Cost((minutes(12, 9, 16),), 2**30),
            1,
            f"1 training to do, 1 at a time on cpu: about 12 min by {STEPS}, expect 9 to 16 min; 1 GiB of disk",
        ),
        # three at two a time: the third follows the first
        (Cost((minutes(10, 9, 11),) * 3, 2**29), 2, f"about 20 min by {STEPS}, expect 18 to 22 min; 0.5 GiB of disk"),
        (Cost((minutes(60, 50, 80),) * 2, 0), 1, f"about 2.0 h by {STEPS}, expect 1.7 to 2.7 h; 0 GiB"),
        (Cost((minutes(80, 50, 120),), 0), 1, f"about 80 min by {STEPS}, expect 50 min to 2.0 h; 0 GiB"),
        (Cost((minutes(0.2, 0.1, 0.3),), 0), 1, f"about 1 min by {STEPS}; 0 GiB"),  # minutes tell nothing more
        (Cost((minutes(3, 2, 4),), 0, 1, False), 1, f"about 3 min by 1 earlier run {RUNS}, expect"),
        (Cost((minutes(3, 2, 4),), 0, 7, False), 1, f"about 3 min by 7 earlier runs {RUNS}, expect"),
        (Cost((minutes(3, 2, 4),) * 2, 0, 7, True), 1, f"by 7 earlier runs {RUNS}, and timed steps of the others, ex"),
    ],
)
def test_words(cost, slots, words):
    assert words in cost.in_words(slots, "cpu")


def test_no_training_costs_nothing():
    assert cost_of([], open_dataset(smoke().data)) == Cost((), 0)


def test_a_training_needs_images_to_be_timed_on():
    with pytest.raises(StudyError, match="has no train image to train on"):
        cost_of([smoke()], open_dataset(smoke("data.all_test=true").data))


# validations at the start and twice after it on 2 images, then maps of 4 + 4, in steps of 4 images with a way back
LOOKS = (3 * 2 + 4 + 4) / (3 * 4)


def test_steps_times_seconds_per_step(clock):
    settings = [smoke(f"training.steps={steps},loss.inter_weight={weight}") for steps, weight in ((10, 1), (30, 2))]
    dataset = open_dataset(settings[0].data)
    assert settings[0].training.batch_size == 4
    step = 4  # one image is timed, since a second is long
    assert cost_of(settings, dataset).seconds == pytest.approx([(10 + LOOKS) * step, (30 + LOOKS) * step])
    assert len(clock) == 3  # one network of this kind is timed for both
    other = smoke("network.name=unet,training.steps=0,training.epochs=3,training.batch_size=3")
    assert len(dataset.splits["train"]) == 4
    of_other = (4 + LOOKS * 4 / 3) * 3  # four steps of batches of 3
    expected = [of_other, (10 + LOOKS) * step, (30 + LOOKS) * step]
    assert cost_of([other, *settings], dataset).seconds == pytest.approx(expected)
    assert len(clock) == 3 + 6


def test_quick_steps_are_timed_with_whole_batches(clock, monkeypatch):
    monkeypatch.setattr(cost, "_SLOW", 5.0)
    settings = smoke("training.steps=10")
    assert cost_of([settings], open_dataset(settings.data)).seconds == pytest.approx([10 + LOOKS])
    assert len(clock) == 3 + 3  # with one image, then with four


@pytest.mark.parametrize(
    "overrides",
    [
        "data.image_size=0",  # whole images of a size that does not halve
        "data.image_size=0,data.crop_size=8",
        "network.name=unet,network.concat_layer=coordinate",
        "loss.constraints=global,loss.inter_weight=only,network.embedding_dim=64",
        "network.aux_embedding=true",
    ],
)
def test_each_kind_of_training_can_be_timed(overrides, tmp_path, write_folder):
    settings = smoke(overrides, "folder", write_folder(tmp_path / "x", count=8, shape=(18, 33), channels=1))
    cost = cost_of([settings], open_dataset(settings.data))
    assert 0 < sum(cost.seconds) < 100
    assert 0 < cost.bytes < 2**30


def test_what_is_said_is_about_what_it_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = smoke("network.name=unet,network.base_width=16,training.steps=40,training.validations=1")
    device, threads = torch.device("cpu"), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        estimated = cost_of([settings], open_dataset(settings.data))
        images = images_to_train(settings, device)
        network, history = train(images, settings, Silent(), lambda _: {"val/sbd": 0.0})
    finally:
        torch.set_num_threads(threads)
    # other processes slow one or the other down
    assert history.seconds / 5 < sum(estimated.seconds) < 5 * history.seconds

    kept = TrainingCache("abc")
    with kept.lock():
        kept.save(network, history)
        for split in ("val", "test"):
            kept.save_maps(split, enumerate(predict_maps(network, network_images(settings.data, split), settings)))
    on_disk = sum(file.stat().st_size for file in kept.folder.iterdir())
    in_store = 4 * sum(weight.numel() for weight in network.parameters())
    assert estimated.bytes == pytest.approx(on_disk + in_store, rel=0.2)


def test_timing_leaves_the_weights_of_a_training_as_they_are():
    settings = smoke("network.name=unet,training.steps=2")
    images = images_to_train(settings, torch.device("cpu"))
    weights = []
    for timed in ([], [settings]):
        cost_of(timed, open_dataset(settings.data))
        network, _ = train(images, settings, Silent(), lambda _: {"val/sbd": 0.0})
        weights.append(np.concatenate([weight.detach().numpy().ravel() for weight in network.parameters()]))
    np.testing.assert_array_equal(*weights)


def test_trainings_on_other_machines_are_not_timed(clock):
    settings = smoke("network.name=unet")
    dataset = open_dataset(settings.data)
    found = cost_of([settings, settings], dataset, timed=False)
    assert found.seconds == (0.0, 0.0)
    assert found.bytes == cost_of([settings, settings], dataset).bytes
    told = found.in_words(2, "cuda")
    assert told.startswith("2 trainings to do, 2 at a time on cuda, ")
    assert told.endswith("; how long they take is known when the first has ended")


def test_whole_images_cost_more_looks_than_crops(clock, tmp_path, write_folder):
    root = write_folder(tmp_path / "x", count=8, shape=(32, 32), channels=1)
    crops, whole = (smoke(f"training.steps=10,data.image_size=0,data.crop_size={n}", "folder", root) for n in (16, 0))
    dataset = open_dataset(crops.data)
    counts = {split: len(records) for split, records in dataset.splits.items()}
    looks = (3 * min(2, counts["val"]) + counts["val"] + counts["test"]) / (3 * 4)
    assert cost_of([whole], dataset).seconds == pytest.approx([(10 + looks) * 4])
    assert cost_of([crops], dataset).seconds == pytest.approx([(10 + 4 * looks) * 4])


def test_what_a_checkpoint_has_behind_it_costs_nothing(clock):
    settings = [smoke(f"training.steps=10,loss.inter_weight={weight}") for weight in (1, 2)]
    dataset = open_dataset(settings[0].data)
    found = cost_of(settings, dataset, known=[[50.0], []], done=[0.4, 0.75])
    assert found.seconds == pytest.approx([30, (10 + LOOKS)])
    assert [time.done for time in found.times] == [0.4, 0.75]
    assert found.times[0].most == pytest.approx(33)


def test_earlier_runs_tell_more_than_steps(clock):
    settings = [smoke(f"training.steps=10,loss.inter_weight={weight}") for weight in (1, 2, 3)]
    dataset = open_dataset(settings[0].data)
    found = cost_of(settings, dataset, known=[[50.0, 60.0, 100.0], [50.0, 60.0, 100.0], [20.0]])
    assert not clock
    assert found.seconds == (60, 60, 20)  # the median
    assert (found.times[0].least, found.times[0].most) == pytest.approx((45, 110))
    assert (found.runs, found.by_steps) == (4, False)
    mixed = cost_of(settings[:2], dataset, known=[[60.0], []])
    assert mixed.seconds == pytest.approx([60, (10 + LOOKS) * 4])
    assert (mixed.runs, mixed.by_steps) == (1, True)
    assert mixed.times[1].least < 40 < mixed.times[1].most
