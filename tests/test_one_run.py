import io
import json
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from study import one_run
from study.ablation import PlannedRun, Result
from study.config import Settings, load_settings
from study.data import open_dataset
from study.data.batches import refuse_other_channels
from study.errors import StudyError
from study.evaluation import means
from study.networks import Maps
from study.one_run import (
    CHECKPOINTS,
    Failure,
    Job,
    choose_device,
    network_images,
    refuse_unfit_sizes,
    resolve,
    training_images,
    work,
)
from study.tracking import connect, current_store

TINY = "network.name=unet,network.base_width=2,network.depth=1,training.steps=2,training.threads=1,data.images=2"


def smoke(overrides="", dataset="synthetic-leaves", root=""):
    return load_settings(dataset, str(root), profile="smoke", overrides=f"{TINY},{overrides}")


def job(settings):
    dataset = open_dataset(settings.data)
    planned = PlannedRun({"network.name": settings.network.name}, resolve(settings, dataset))
    return Job(planned, current_store(), connect(), None, "a note", {"variant": "v"}, dataset.digest(), 1)


def history(client, run, name):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def test_the_foreground_is_the_truth_where_the_challenge_gives_it():
    for name, rule in (("synthetic-leaves", "truth"), ("synthetic-cells", "predicted")):
        settings = load_settings(name, profile="smoke")
        assert resolve(settings, open_dataset(settings.data)).clustering.foreground == rule
        chosen = settings.with_({"clustering.foreground": "none"})
        assert resolve(chosen, open_dataset(settings.data)) == chosen


def test_choose_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("cpu") == choose_device("auto") == torch.device("cpu")
    with pytest.raises(StudyError, match=r"training\.device=cuda, but torch finds no GPU"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cuda") == choose_device("auto") == torch.device("cuda")


def test_images_of_other_channels_are_named(tmp_path, write_folder):
    settings = smoke(dataset="folder", root=write_folder(tmp_path / "grey", channels=1))
    image = network_images(settings.data, "test")[0]
    refuse_other_channels(image, 1)
    with pytest.raises(StudyError, match=r"cell\d has 1 channel\(s\), but the network takes 3: make all"):
        refuse_other_channels(image, 3)


def check_sizes(settings):
    refuse_unfit_sizes(settings, training_images(settings.data, 3, torch.device("cpu")))


def test_whole_images_must_halve_as_often_as_the_network_pools(tmp_path, write_folder):
    odd = write_folder(tmp_path / "odd", shape=(18, 16))
    check_sizes(smoke("data.image_size=0", "folder", odd))
    check_sizes(smoke("data.image_size=16,network.depth=2", "folder", odd))
    check_sizes(smoke("data.image_size=0,data.crop_size=8,network.depth=2", "folder", odd))
    with pytest.raises(StudyError, match=r"of one size, a multiple of 4 px .*: set data\.image_size or data\.crop"):
        check_sizes(smoke("data.image_size=0,network.depth=2", "folder", odd))


def test_whole_images_must_be_of_one_size(tmp_path, write_folder):
    write_folder(tmp_path / "a", count=8)
    write_folder(tmp_path / "b", count=8, shape=(32, 16))
    for kind in ("images", "labels"):
        for i in range(4):
            (tmp_path / f"b/{kind}/cell{i}.png").replace(tmp_path / f"a/{kind}/cell{i}.png")
    with pytest.raises(StudyError, match="must be of one size"):
        check_sizes(smoke("data.images=0,data.image_size=0", "folder", tmp_path / "a"))
    check_sizes(smoke("data.images=0,data.image_size=16", "folder", tmp_path / "a"))


def test_the_curves_of_a_run(asked):
    for child in asked.children.values():
        steps = asked.settings.training.steps
        for name in ("train/loss", "train/loss_distance", "train/loss_inter", "train/loss_intra"):
            assert [step for step, _ in history(asked.client, child, name)] == list(range(1, steps + 1))
        assert [step for step, _ in history(asked.client, child, "val/sbd")] == [0, steps // 2, steps, steps]
        # bars, one per run, rather than curves of a single point
        for name in ("test/sbd", "perf/training_seconds", "perf/test_maps_seconds_per_image"):
            assert [step for step, _ in history(asked.client, child, name)] == [0]
        assert child.data.metrics["perf/images_per_second"] > 0


@pytest.mark.parametrize("split", ["val", "test"])
def test_logged_scores_are_the_means_of_the_table_per_image(asked, split):
    for child in asked.children.values():
        run_id = child.info.run_id
        table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_{split}.csv")))
        images = network_images(asked.settings.data, split)
        assert list(table["image"]) == [image.name for image in images]
        for name, mean in means(table).items():
            assert child.data.metrics[f"{split}/{name}"] == pytest.approx(mean, abs=1e-12), name
        assert list(table["n_true"]) == [len(np.unique(image.original)) - 1 for image in images]
        shown = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_{split}.json"))
        assert shown["columns"] == list(table.columns)
        np.testing.assert_allclose([row[1:] for row in shown["data"]], table.drop(columns="image"))


def test_pictures_of_the_same_images_at_each_validation(asked):
    for child in asked.children.values():
        files = [item.path for item in asked.client.list_artifacts(child.info.run_id, "images")]
        shown = sorted(file.split("/")[1].split("+")[0:3:2] for file in files if file.endswith(".png"))
        names = [image.name for image in network_images(asked.settings.data, "val")]
        count = asked.settings.training.validation_images
        assert shown == [[f"images~val {name}", step] for name in names[:count] for step in ("0", "3", "6")]


def test_what_a_run_is_made_of_is_logged(asked):
    for name, child in asked.children.items():
        settings = asked.settings.with_({"network.name": name, "clustering.foreground": "truth"})
        assert child.info.status == "FINISHED"
        assert child.data.params == {"network.name": name, "loss.inter_weight": "1.0", "seed": "0"}
        (model,) = mlflow.search_logged_models(
            [asked.experiment.experiment_id], f"source_run_id = '{child.info.run_id}'", output_format="list"
        )
        flat = {k: str(v) for k, v in settings.flat().items() if k != "data.root"}
        assert model.params == flat
        paper = Settings().flat()
        assert {k: v for k, v in child.data.tags.items() if k in flat and k not in child.data.params} == {
            k: v for k, v in flat.items() if v != str(paper[k]) and k not in child.data.params
        }
        dataset = open_dataset(settings.data)
        (given,) = child.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == (dataset.name, dataset.digest())
        assert json.loads(given.dataset.profile) == {split: len(r) for split, r in dataset.splits.items()}
        tags = child.data.tags
        assert tags["digest"] == settings.digest(dataset.digest(), tags["study_version"])
        assert (tags["seed"], tags["dataset"], tags["ablation"]) == ("0", "synthetic-leaves", "two")
        assert (tags["variant"], tags["network.name"], tags["loss.inter_weight"]) == (
            f"{name}, inter_weight 1",
            name,
            "1.0",
        )
        assert tags["variant"] in tags["mlflow.note.content"]
        assert tags["mlflow.parentRunId"] == asked.parent.info.run_id
        if "git_uncommitted_changes" in tags:  # in a checkout
            assert len(tags["mlflow.source.git.commit"]) == 40


def failed_run(client, failure):
    """The run that `work` has left, and what it says."""
    assert isinstance(failure, Failure)
    (run,) = client.search_runs([connect()])
    assert run.info.status == "FAILED"
    return run


def test_a_fault_of_the_user_ends_the_run_with_its_sentence(store):
    settings = smoke()
    settings = replace(settings, training=replace(settings.training, learning_rate=1e30, gradient_clip=0.0))
    failure = work(job(settings))
    run = failed_run(store, failure)
    assert "not finite" in failure.reason
    assert run.data.tags["failure"] == failure.reason
    assert not store.list_artifacts(run.info.run_id, "failure.txt")


def test_any_other_fault_leaves_its_traceback(store, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("an error of ours")

    monkeypatch.setattr(one_run, "train", broken)
    failure = work(job(smoke()))
    run = failed_run(store, failure)
    assert failure.reason == "ZeroDivisionError: an error of ours; its artifact failure.txt tells where"
    assert run.data.tags["failure"] == "ZeroDivisionError: an error of ours"
    text = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/failure.txt")
    assert text.startswith("Traceback")
    assert "in broken" in text


def test_training_goes_on_from_the_checkpoint_of_a_killed_run(store, monkeypatch):
    monkeypatch.setattr(one_run.TrackedRun, "log_network", lambda *_: None)
    settings = smoke("training.steps=4")

    def killed(_, step, __):
        if step:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(one_run._Monitor, "validated", killed)
        with pytest.raises(KeyboardInterrupt):
            work(job(settings))
    assert [file.name for file in CHECKPOINTS.iterdir()] == [f"{job(settings).digest}.pt"]
    assert isinstance(work(job(settings)), Result)
    resumed, _ = store.search_runs([connect()])
    assert [step for step, _ in history(store, resumed, "train/loss")] == [3, 4]
    assert not list(CHECKPOINTS.iterdir())


@pytest.mark.parametrize("step", [0, 1])
def test_a_dead_distance_head_is_told_once_it_is_trained(step, store, monkeypatch, capsys):
    class Dead(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, images):
            batch, _, height, width = images.shape
            return Maps(self.weight * torch.zeros(batch, 1, height, width), torch.ones(batch, 8, height, width))

    def train(images, settings, monitor, validate, checkpoint):
        monitor.validated(step, validate(Dead()))
        raise StudyError("that was all")

    monkeypatch.setattr(one_run, "train", train)
    run = failed_run(store, work(job(smoke())))
    assert run.data.metrics["val/sbd"] == 0
    warning = run.data.tags.get("warning")
    if not step:
        assert warning is None
        return
    assert warning.startswith("the distance head is dead")
    assert "network.leaky_distance_gradient=true" in warning
    assert f"warning: {warning}" in capsys.readouterr().out


def test_a_live_distance_head_is_not(asked):
    assert all("warning" not in child.data.tags for child in asked.children.values())


def test_without_validation_and_test_images(store, tmp_path, write_folder, monkeypatch):
    monkeypatch.setattr(one_run.TrackedRun, "log_network", lambda *_: None)
    settings = smoke(dataset="folder", root=write_folder(tmp_path / "x", count=1))
    result = work(job(settings))
    assert isinstance(result, Result)
    assert result.table.empty
    (run,) = store.search_runs([connect()])
    assert run.info.status == "FINISHED"
    assert not [name for name in run.data.metrics if name.endswith("sbd")]
