import numpy as np
import pytest
import torch

from study.ablation import cost
from study.ablation.cost import Cost, cost_of
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

    step = validated = started


@pytest.fixture
def clock(monkeypatch):
    """Each look at the clock takes a second; gives the looks."""
    looks = []

    def now(_):
        looks.append(len(looks))
        return float(looks[-1])

    monkeypatch.setattr(cost, "_now", now)
    return looks


@pytest.mark.parametrize(
    ("seconds", "slots", "size", "words"),
    [
        ([], 2, 0, "no training to do"),
        (
            [1],
            1,
            2**30,
            "1 training to do, 1 at a time on cpu: about 1 min of training by a timed step of each network, 1",
        ),
        ([61, 59], 2, 2**20, "2 trainings to do, 2 at a time on cpu: about 2 min of training by a timed step"),
        ([61, 58], 1, 2**20, "2 trainings to do, 1 at a time on cpu: about 2 min of training by a timed step"),
    ],
)
def test_words(seconds, slots, size, words):
    assert words in Cost(tuple(seconds), size).in_words(slots, torch.device("cpu"))


def test_no_training_costs_nothing():
    assert cost_of([], open_dataset(smoke().data)) == Cost((), 0)


def test_a_training_needs_images_to_be_timed_on():
    with pytest.raises(StudyError, match="has no train image to train on"):
        cost_of([smoke()], open_dataset(smoke("data.all_test=true").data))


def test_steps_times_seconds_per_step(clock):
    settings = [smoke(f"training.steps={steps},loss.inter_weight={weight}") for steps, weight in ((10, 1), (30, 2))]
    dataset = open_dataset(settings[0].data)
    assert settings[0].training.batch_size == 4
    step = 4 / cost._TIMED_STEPS  # a step of one image is timed
    assert cost_of(settings, dataset).seconds == (10 * step, 30 * step)
    assert len(clock) == 2  # one network of this kind is timed for both
    other = smoke("network.name=unet,training.steps=0,training.epochs=3,training.batch_size=3")
    assert len(dataset.splits["train"]) == 4
    of_other = 4 * 3 / cost._TIMED_STEPS  # four steps of batches of 3
    assert cost_of([other, *settings], dataset).seconds == (of_other, 10 * step, 30 * step)
    assert len(clock) == 2 + 4


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
    assert (
        history.seconds / 5 < sum(estimated.seconds) < 5 * history.seconds
    )  # other processes slow one or the other down

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
