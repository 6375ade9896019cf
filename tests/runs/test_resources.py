from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from study.data import open_dataset
from study.device import choose_device
from study.errors import StudyError
from study.profiles import load_settings
from study.runs.resources import (
    asked_for,
    contents,
    data_digest,
    images_to_train,
    network_images,
    opened,
    resolve,
    training_images,
)

CPU = torch.device("cpu")


def settings_of(root, overrides="", count=0):
    overrides = f"network.name=unet,network.depth=1,data.images={count},{overrides}"
    return load_settings("folder", str(root), profile="smoke", overrides=overrides)


def test_the_foreground_is_the_truth_where_the_challenge_gives_it():
    for name, rule in (("synthetic-leaves", "truth"), ("synthetic-cells", "predicted")):
        settings = load_settings(name, profile="smoke")
        assert resolve(settings, open_dataset(settings.data)).clustering.foreground == rule
        chosen = settings.with_({"clustering.foreground": "none", "training.precision": "bfloat16"})
        assert resolve(chosen, open_dataset(settings.data)) == chosen


def test_a_mask_is_learned_where_the_foreground_is_predicted():
    """Unless a profile or an option wants it elsewhere too; a mask that was not learned cannot be used."""
    for name, weight in (("synthetic-leaves", 0.0), ("synthetic-cells", 1.0)):
        settings = load_settings(name, profile="full", system="pea")
        dataset = open_dataset(settings.data)
        resolved = resolve(settings, dataset)
        assert (settings.loss.mask_weight, resolved.loss.mask_weight) == ("auto", weight)
        assert asked_for(settings, resolved)["loss.mask_weight"] == "auto"
        kept = load_settings(name, profile="quick", system="pea")
        assert resolve(kept, dataset).loss.mask_weight == 1
    with pytest.raises(StudyError, match=r"loss\.mask_weight is 0: train with loss\.mask_weight=1"):
        resolve(load_settings(profile="full", system="pea"), open_dataset(settings.data)).with_(
            {"loss.mask_weight": 0, "clustering.foreground": "predicted"}
        )


@pytest.mark.parametrize(("fast", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_the_precision_that_auto_becomes_belongs_to_the_identity(fast, precision, monkeypatch):
    monkeypatch.setattr("study.device._fast_bfloat16", lambda _: fast)
    settings = load_settings(profile="smoke")
    resolved = resolve(settings, open_dataset(settings.data))
    assert resolved.training.precision == precision
    assert asked_for(settings, resolved) == {"clustering.foreground": "auto", "training.precision": "auto"}
    other = {"float32": "bfloat16", "bfloat16": "float32"}[precision]
    assert resolved.digest() != resolved.with_({"training.precision": other}).digest()


def test_choose_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == CPU
    with pytest.raises(StudyError, match=r"training\.device=cuda, but torch finds no GPU"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cpu") == CPU
    assert choose_device("cuda") == choose_device("auto") == torch.device("cuda")


def test_images_are_read_once(tmp_path, write_folder, monkeypatch):
    settings = settings_of(write_folder(tmp_path / "x", count=8))
    images, training = network_images(settings.data, "test"), training_images(settings.data, 3, CPU)
    read, digest = contents(settings.data), data_digest(settings.data)
    assert [image.split for image in read] == ["train"] * 6 + ["val", "test"]
    monkeypatch.setattr(Path, "open", None)
    assert network_images(settings.data, "test") is images
    assert training_images(settings.data, 3, CPU) is training
    assert contents(settings.data) is read
    assert data_digest(settings.data) is digest


def test_images_that_have_changed_are_read_again(tmp_path, write_folder):
    settings = settings_of(write_folder(tmp_path / "x", count=8), "data.image_size=0")
    images, training = network_images(settings.data, "test"), training_images(settings.data, 3, CPU)
    read, digest = contents(settings.data), data_digest(settings.data)
    (record,) = opened(settings.data).splits["test"]
    Image.fromarray(np.full((16, 16, 3), 7, np.uint8)).save(record.files[0])
    assert not np.array_equal(network_images(settings.data, "test")[0].pixels, images[0].pixels)
    assert training_images(settings.data, 3, CPU) is not training
    assert contents(settings.data)[:-1] == read[:-1]
    assert contents(settings.data) != read
    assert data_digest(settings.data) == open_dataset(settings.data).digest() != digest
    record.files[0].unlink()
    with pytest.raises(StudyError):
        network_images(settings.data, "test")


def test_neighbours_are_those_of_the_setting(tmp_path, write_folder):
    root = write_folder(tmp_path / "x")  # the two objects are two pixels apart, of 16: 64 of 512
    for distance, near in ((64, False), (65, True)):
        settings = settings_of(root, f"data.image_size=0,loss.neighbour_distance={distance}")
        assert bool(images_to_train(settings, CPU).neighbours[0, 1, 2]) == near


def test_whole_images_must_halve_as_often_as_the_network_pools(tmp_path, write_folder):
    odd = write_folder(tmp_path / "odd", shape=(18, 16))
    for fits in (
        "data.image_size=0",
        "data.image_size=16,network.depth=2",
        "data.image_size=0,data.crop_size=8,network.depth=2",
    ):
        assert len(images_to_train(settings_of(odd, fits), CPU)) == 2
    with pytest.raises(StudyError, match=r"of one size, a multiple of 4 px .*: set data\.image_size or data\.crop"):
        images_to_train(settings_of(odd, "data.image_size=0,network.depth=2"), CPU)


def test_whole_images_must_be_of_one_size(tmp_path, write_folder):
    write_folder(tmp_path / "a", count=8)
    write_folder(tmp_path / "b", count=8, shape=(32, 16))
    for kind in ("images", "labels"):
        for i in range(4):
            (tmp_path / f"b/{kind}/cell{i}.png").replace(tmp_path / f"a/{kind}/cell{i}.png")
    with pytest.raises(StudyError, match="must be of one size"):
        images_to_train(settings_of(tmp_path / "a", "data.image_size=0"), CPU)
    assert len(images_to_train(settings_of(tmp_path / "a", "data.image_size=16"), CPU)) == 6


def test_images_of_all_splits_have_the_channels_of_the_network(tmp_path, write_folder):
    settings = settings_of(write_folder(tmp_path / "x"), "data.image_size=0")
    (record,) = open_dataset(settings.data).splits["test"]
    Image.fromarray(np.eye(16, dtype=np.uint8)).save(tmp_path / f"x/images/{record.name}.png")
    with pytest.raises(StudyError, match=rf"{record.name} has 1 channel\(s\), but the network takes 3"):
        images_to_train(settings, CPU)
