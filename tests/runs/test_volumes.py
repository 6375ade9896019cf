"""The way of a run of volumes, which is that of images."""

import io
import json
import shutil
import sys

import h5py
import mlflow
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

import study.__main__
from study.data import open_dataset
from study.data.sets.neurites import neurites
from study.deploy.predict import predict
from study.deploy.promote import load_model, promote
from study.errors import StudyError
from study.evaluation import scores_of_volume
from study.metrics import kind_of
from study.profiles import load_settings
from study.runs import pipeline
from study.runs.commands import evaluate_run, search_run, train_one
from study.runs.resources import images_to_train, network_images
from study.tracking import connect, load_run, read_scores
from study.training.loop import train

TINY = "training.steps=2,training.validations=1,training.threads=1,tuning.trials=3,data.side=24,data.planes=6"
SCORES = {"voi_split", "voi_merge", "voi", "arand"}


def tiny(overrides="", dataset="neurites", root="", system="pea"):
    return load_settings(dataset, str(root), profile="smoke", system=system, overrides=f"{TINY},{overrides}")


@pytest.fixture(scope="module")
def _trained(empty_store, tmp_path_factory, work_in):
    """A run of a volume, made once for all tests that look at what it left."""
    folder = tmp_path_factory.mktemp("volumes")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as monkeypatch:
        client = work_in(folder, monkeypatch)
        monkeypatch.setattr(sys, "argv", [study.__main__.__file__])
        train_one(tiny())
        (run,) = client.search_runs([connect()])
    return folder, run


@pytest.fixture
def trained(_trained, work_in, monkeypatch):
    """The run, its store in use; no other run trains, and those that are added go again."""
    folder, run = _trained
    client = work_in(folder, monkeypatch)
    monkeypatch.setattr(pipeline, "train", None)
    yield client, run
    mlflow.end_run()
    for other in client.search_runs([connect()]):
        if other.info.run_id != run.info.run_id:
            client.delete_run(other.info.run_id)


def newest(client):
    return client.search_runs([connect()])[0]


def scores_of(run):
    return {name: value for name, value in run.data.metrics.items() if name.startswith(("train/", "val/", "test/"))}


def table_of(run, split="test"):
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/scores_{split}.csv")))


def test_what_a_run_leaves(trained):
    client, run = trained
    assert run.info.status == "FINISHED"
    assert run.data.params == {"system": "pea", "seed": "0"}
    assert run.data.tags["dataset"] == "neurites"
    components = [run.data.tags[name] for name in ("network.name", "loss.name", "clustering.method")]
    assert components == ["residual", "affinity", "affinity-watershed"]
    assert run.data.tags["clustering.foreground"] == "none"
    metrics = run.data.metrics
    assert {f"{split}/{score}" for split in ("val", "test") for score in SCORES} <= set(metrics)
    assert not [name for name in metrics if name.endswith(("/sbd", "/neighbour_angle"))]
    assert metrics["test/voi"] == pytest.approx(metrics["test/voi_split"] + metrics["test/voi_merge"], abs=2e-4)
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train/loss")] == [1, 2]
    (given,) = run.inputs.dataset_inputs
    assert json.loads(given.dataset.profile) == {"train": 1, "val": 1, "test": 1}
    pictures = {item.path for item in client.list_artifacts(run.info.run_id, "images")}
    assert any("plane 3 of 3" in path for path in pictures)


def test_scores_are_those_of_the_quarters(trained):
    _, run = trained
    table = table_of(run)
    assert kind_of(table).item == "sub-volume"
    assert set(table) >= SCORES | {"n_true", "n_pred"}
    assert "arand_paper_thresholds" in table
    (volume,) = network_images(tiny().data, "test")
    assert volume.original.shape == (6, 24, 24)
    names = [name for name, _ in scores_of_volume("test", volume.original, volume.original)]
    assert table["image"].tolist() == names
    assert table["arand"].mean() == pytest.approx(run.data.metrics["test/arand"], abs=1e-4)


def test_the_search_is_by_the_adapted_rand_error(trained):
    _, run = trained
    trials = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/search/trials.csv")))
    assert {"arand", "voi"} <= set(trials)
    best = trials[trials["front"]]
    assert best["arand"].min() == trials["arand"].min()
    found = load_run(run.info.run_id).settings.clustering
    assert found.bias == pytest.approx(best["bias"].iloc[-1])


def test_the_same_run_is_taken_from_the_store(trained):
    client, run = trained
    train_one(tiny())
    again = newest(client)
    assert again.data.tags["reused_from"] == run.info.run_id
    assert scores_of(again) == scores_of(run)


def test_another_clustering_needs_no_training(trained, capsys):
    client, run = trained
    train_one(tiny("clustering.method=components-watershed"))
    other = newest(client)
    assert other.info.status == "FINISHED"
    assert other.data.tags["network_from"] == run.info.run_id
    assert other.data.tags["clustering.method"] == "components-watershed"
    assert other.data.tags["training_digest"] == run.data.tags["training_digest"]
    assert "perf/training_seconds" not in other.data.metrics
    assert {f"test/{score}" for score in SCORES} <= set(other.data.metrics)
    assert "\n4 test sub-volumes: " in capsys.readouterr().out


def test_a_finished_run_is_scored_again(trained, capsys):
    client, run = trained
    evaluate_run(run.info.run_id, "test", {})
    again = newest(client)
    assert again.data.tags["evaluated_run"] == run.info.run_id
    assert again.data.metrics["test/arand"] == pytest.approx(run.data.metrics["test/arand"])
    told = capsys.readouterr().out
    assert "scored on 1 test volumes of neurites" in told
    assert "4 test sub-volumes: ARAND" in told
    evaluate_run(run.info.run_id, "test", {"clustering.method": "components-watershed", "data.side": "20"})
    other = newest(client)
    assert other.data.tags["clustering.method"] == "components-watershed"
    assert other.data.metrics["test/arand"] != again.data.metrics["test/arand"]


def test_volumes_that_have_been_used_are_not_scored(trained):
    _, run = trained
    with pytest.raises(StudyError, match=r"1 of the 1 train images were used to train .*--allow_training_images 1"):
        evaluate_run(run.info.run_id, "train", {})


def test_thresholds_of_a_finished_run_are_searched(trained, capsys):
    client, run = trained
    search_run(run.info.run_id, ["voi"], {"clustering.method": "components-watershed", "tuning.trials": "2"})
    found = newest(client)
    assert found.data.tags["searched_run"] == run.info.run_id
    assert "4 test sub-volumes: ARAND" in capsys.readouterr().out
    assert {"test/arand", "val/arand"} <= set(found.data.metrics)
    with pytest.raises(StudyError, match=r"unknown objective 'sbd': choose one of .*arand"):
        search_run(run.info.run_id, ["sbd"], {})


def test_a_model_of_volumes_segments_a_stack(trained, tmp_path):
    _, run = trained
    promote(run.info.run_id, "", "volumes", "best")
    model = load_model("models:/volumes@best")
    assert model.volumes
    assert float(model.facts["test/arand"]) == pytest.approx(run.data.metrics["test/arand"], abs=1e-4)
    (record,) = open_dataset(tiny().data).splits["test"]
    sample = record.load()
    labels = model(sample.image[..., 0])
    assert (labels.shape, labels.dtype) == (sample.labels.shape, np.int32)
    by_quarter = [values["arand"] for _, values in scores_of_volume("test", sample.labels, labels)]
    assert by_quarter == pytest.approx(read_scores(run.info.run_id, "test").table["arand"].tolist())
    (tmp_path / "stacks").mkdir()
    tifffile.imwrite(tmp_path / "stacks" / "neurons.tif", sample.image[..., 0], imagej=True, metadata={"axes": "ZYX"})
    assert predict(model, tmp_path / "stacks", tmp_path / "out", overlay=True, table=True) == 0
    written = tifffile.imread(tmp_path / "out" / "neurons.tif")
    np.testing.assert_array_equal(written, labels)
    assert tifffile.imread(tmp_path / "out" / "overlays" / "neurons.tif").shape == (*labels.shape, 3)
    counts = pd.read_csv(tmp_path / "out" / "counts.csv")
    assert counts["objects"].tolist() == [len(np.setdiff1d(plane, 0)) for plane in labels]


def test_a_stack_of_any_size_and_type(trained):
    _, run = trained
    promote(run.info.run_id, "", "volumes", "best")
    model = load_model("models:/volumes@best")
    for array in (np.ones((1, 5, 3), np.float32), np.zeros((7, 19, 33, 1), np.uint16)):
        assert model(array).shape == array.shape[:3]
    with pytest.raises(StudyError, match=r"takes \(planes, rows, columns\), not an array of shape \(4, 4\)"):
        model(np.zeros((4, 4), np.uint8))
    with pytest.raises(StudyError, match="nan or infinite"):
        model(np.full((2, 4, 4), np.nan))


@pytest.fixture
def root(tmp_path):
    """A data set of files, partly unlabelled, with large ids and gaps between them."""
    folder = tmp_path / "files"
    folder.mkdir()
    for seed, split in enumerate(("train", "test")):
        raw, labels = neurites(np.random.default_rng(seed), (9, 40, 36))
        labels = np.where(labels == 1, 0, 10_000_000 * labels.astype(np.int64) // 2)
        with h5py.File(folder / f"{split}.h5", "w") as file:
            file["raw"], file["labels"] = raw.astype(np.uint16) * 10, labels
    return folder


WHOLE = "data.planes=0,data.side=0,data.crop_planes=4,training.validations=1"


def test_a_run_on_files(store, root, monkeypatch):
    train_one(tiny(f"{WHOLE},tuning.trials=0", "volume", root, "affinity-learning"))
    run = newest(store)
    assert run.data.tags["dataset"] == "volume"
    assert (read_scores(run.info.run_id, "test").table["n_true"] >= 2).any()
    note = run.data.tags["mlflow.note.content"]
    assert "volume: 1 test volumes (the last 2 of the 9 planes of train.h5 are validation), 1 seed" in note


class Silent:
    """A monitor that shows nothing."""

    started = resumed = step = validated = saved = lambda *_: None


def test_the_best_weights_have_the_smallest_adapted_rand_error():
    """Those after the second of three validations, whatever the other scores are."""
    seen, scores = [], iter([{"arand": 0.4, "voi": 1.0}, {"arand": 0.2, "voi": 3.0}, {"arand": 0.3, "voi": 2.0}])

    def validate(network):
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return {f"val/{name}": value for name, value in next(scores).items()}

    settings = tiny("training.steps=3,training.validations=3,training.checkpoint=best")
    images = images_to_train(settings, torch.device("cpu"))
    network, _ = train(images, settings, Silent(), validate, best_by=("val/arand", -1))
    found = network.state_dict()
    assert all(torch.equal(value, seen[1][name]) for name, value in found.items())
    assert not all(torch.equal(value, seen[2][name]) for name, value in found.items())


@pytest.mark.parametrize("overrides", ["loss.cross_weight=1", "loss.cross_weight=0,training.schedule=staircase"])
def test_a_killed_training_goes_on_as_if_nothing_had_happened(tmp_path, overrides):
    settings = tiny(f"training.steps=6,training.validations=3,{overrides}")

    def run(validate=lambda _: {"val/arand": 0.5}, file=None):
        return train(images_to_train(settings, torch.device("cpu")), settings, Silent(), validate, file)

    calls = iter([0.5])

    def killing(_):
        return {"val/arand": next(calls)}  # a StopIteration at the second validation

    undisturbed, whole = run()
    with pytest.raises(StopIteration):
        run(killing, tmp_path / "x.pt")
    assert torch.load(tmp_path / "x.pt", weights_only=True)["step"] == 2
    torch.rand(7)
    network, history = run(file=tmp_path / "x.pt")
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
    losses = [[entry["train/loss"] for entry in curve] for curve in (history.curve, whole.curve)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 6


def test_planes_that_the_network_cannot_pool(store, root):
    with h5py.File(root / "test.h5", "a") as file:
        for name in ("raw", "labels"):
            array = file[name][:, 5:6]
            del file[name]
            file[name] = array
    settings = tiny(WHOLE, "volume", root)
    with pytest.raises(
        StudyError, match="the volume test is too small: it has 9 x 1 x 36 voxels, and the network needs"
    ):
        images_to_train(settings, torch.device("cpu"))
