import shutil
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.models import ModelSignature
from mlflow.pytorch import log_model
from mlflow.types import Schema, TensorSpec

from study.device import choose_precision
from study.errors import StudyError
from study.inference import predict_maps
from study.runs.cache import TrainingCache
from study.runs.resources import network_images
from study.settings import Settings
from study.tracking import (
    Point,
    connect,
    copy_run,
    finished_run,
    finished_runs,
    load_run,
    read_scores,
    run_with_network,
    start_run,
    stored_settings,
    working_on,
)
from tests.networks.built import build


@pytest.mark.parametrize("name", ["unet", "wnet"])
def test_the_logged_network_is_the_trained_one(asked, name):
    child = asked.children[name].info.run_id
    settings, channels, weights, training, *_ = load_run(child)
    assert training == asked.children[name].data.tags["training_digest"]
    assert settings.network.name == name
    tags = asked.children[name].data.tags
    tuned = {k.removeprefix("tuned."): v for k, v in tags.items() if k.startswith("tuned.")}
    assert len(tuned) == 5
    resolved = {"clustering.foreground": "truth", "training.precision": choose_precision("auto", torch.device("cpu"))}
    assert settings == asked.settings.with_({"network.name": name, **resolved, **tuned})
    trained, _ = TrainingCache(asked.children[name].data.tags["training_digest"]).load()
    assert weights.keys() == trained.keys()
    assert all(torch.equal(weights[key], trained[key]) for key in trained)
    network = build(channels, settings)
    network.load_state_dict(weights)
    network.eval()
    images = network_images(settings.data, "test")[:3]
    pixels = torch.from_numpy(np.stack([image.pixels for image in images])).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        maps = network(pixels)
    exact = settings.with_({"training.precision": "float32"})
    for found, wanted in zip(predict_maps(network, images, exact), maps.distance, strict=True):
        np.testing.assert_allclose(found.objectness * settings.loss.distance_scale, wanted[0], rtol=2e-3, atol=1e-3)


class Older(torch.nn.Module):
    """How older versions logged a network: as a program with a single tensor of maps."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return torch.cat(list(self.network(images).maps("angle").values()), dim=1)


@pytest.mark.usefixtures("store")
def test_the_network_of_an_older_run_is_read_from_its_program():
    settings = Settings().with_({"network.base_width": 2, "network.depth": 1})
    network = build(3, settings).eval()
    signature = ModelSignature(Schema([TensorSpec(np.dtype("float32"), (-1, 3, -1, -1))]))
    run = start_run(connect(), "run", "", {"training_digest": "t", "holds_network": True}, settings)
    with working_on(run), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch.export, on its own internals
        images = np.zeros((2, 3, 8, 8), np.float32)
        how = {"signature": signature, "input_example": (images,), "serialization_format": "pt2"}
        log_model(Older(network), name="model", pip_requirements=["torch"], **how)
    found, channels, weights, *_ = load_run(run.run_id)
    assert (found, channels) == (settings, 3)
    assert weights.keys() == network.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())


def test_only_runs_with_a_network_can_be_loaded(asked):
    with pytest.raises(StudyError, match="there is no run 'abc' in sqlite:"):
        load_run("abc")
    parent = asked.parent.info.run_id
    with pytest.raises(
        StudyError, match=f"run {parent} keeps no network that can be used: .* not the parent of an ablation"
    ):
        load_run(parent)


def ended_run(experiment, digest, status="FINISHED", **tags):
    run = start_run(experiment, "run", "", {"digest": digest, "training_digest": f"t{digest}", **tags})
    run.log_text("image\n", "scores_test.csv")
    if tags.get("holds_network"):
        run.log_text("weights", "network/weights.pt")
    if status != "RUNNING":
        run.end(status)
    return run.run_id


def test_only_finished_runs_are_known(store):
    experiment = connect()
    assert finished_run("a") is None
    for status in ("FAILED", "KILLED", "RUNNING"):
        ended_run(experiment, "a", status, holds_network=True)
    assert finished_run("a") is None
    assert run_with_network("ta") is None
    first = ended_run(experiment, "a")
    assert run_with_network("ta") is None
    second = ended_run(experiment, "a", holds_network=True)
    ended_run(experiment, "b", holds_network=True)
    assert finished_run("a") == first
    assert run_with_network("ta") == second


def test_runs_of_all_experiments_are_known_that_are_not_deleted(store):
    other = store.create_experiment("other")
    run = ended_run(other, "a")
    connect()
    assert finished_run("a") == run
    store.delete_experiment(other)
    assert finished_run("a") is None


def test_a_network_that_is_not_where_its_run_says_is_told(store):
    run = start_run(connect(), "run", "", {"holds_network": True})
    with pytest.raises(StudyError, match=rf"the settings of run {run.run_id}: .*/settings\.json is missing"):
        load_run(run.run_id)
    for damaged in ("{", "[1]"):
        run.log_text(damaged, "settings.json")
        with pytest.raises(
            StudyError, match=rf"cannot read the settings of run {run.run_id}, .*: it is damaged or lost"
        ):
            load_run(run.run_id)
        assert stored_settings(run.run_id) == {}
    run.client.log_dict(run.run_id, Settings().flat(), "settings.json")
    with pytest.raises(StudyError, match=rf"network that run {run.run_id} keeps: .*/network/weights\.pt is missing"):
        load_run(run.run_id)
    run.log_text("no weights", "network/weights.pt")
    with pytest.raises(StudyError, match=r"network/weights\.pt: it is damaged or lost"):
        load_run(run.run_id)


def folder_of(client, run_id):
    return Path(client.get_run(run_id).info.artifact_uri)


def test_what_the_store_knows_but_the_disk_has_lost_is_not_known(store):
    experiment = connect()
    first, second = (ended_run(experiment, "a", holds_network=True, settings_digest="s") for _ in range(2))
    (folder_of(store, first) / "scores_test.csv").unlink()
    (folder_of(store, first) / "network" / "weights.pt").write_bytes(b"")
    assert finished_run("a") == run_with_network("ta") == second
    assert [run.run_id for run in finished_runs("s")] == [second]
    shutil.rmtree(folder_of(store, second))
    assert finished_run("a") is None
    assert run_with_network("ta") is None
    (lost,) = finished_runs("s")
    assert lost.missing == str(folder_of(store, first) / "scores_test.csv")
    assert not folder_of(store, second).exists()


def test_a_copy_outlives_the_run_that_it_has_its_network_from(store):
    experiment, settings = connect(), Settings().with_({"network.base_width": 2, "network.depth": 1})
    first, other = (start_run(experiment, "r", "", {"training_digest": "t"}, settings) for _ in range(2))
    copy = start_run(experiment, "copy", "", {"training_digest": "t", "network_from": first.run_id}, settings)
    network = build(3, settings)
    for run in (first, other):
        run.log_network(network, 3)
        run.end("FINISHED")
    assert load_run(copy.run_id).holder == first.run_id
    shutil.rmtree(folder_of(store, first.run_id))
    assert load_run(copy.run_id).holder == other.run_id
    shutil.rmtree(folder_of(store, other.run_id))
    store.set_tag(copy.run_id, "network_from", "gone")
    with pytest.raises(StudyError, match="has its network from run gone, which has been deleted for good: train again"):
        load_run(copy.run_id)


def test_scores_are_read_as_they_were_logged(store):
    table = pd.DataFrame({"image": ["007", "NA"], "sbd": [0.1 + 0.2, np.nan], "n_true": [3, 4]})
    pictures = [np.full((4, 5, 3), i, np.uint8) for i in range(2)]
    run = start_run(connect(), "run", "", {})
    run.log_scores("test", table, pictures)
    found, shown = read_scores(run.run_id, "test")
    pd.testing.assert_frame_equal(found, table, check_exact=True, check_dtype=False)
    np.testing.assert_array_equal(shown, pictures)


def everything(client, run_id):
    """Metrics with steps and times, and the artifacts of a run."""
    found = client.get_run(run_id)
    own = [name for name in found.data.metrics if not name.startswith("system/")]  # a slow run has those of its machine
    histories = {name: client.get_metric_history(run_id, name) for name in own}
    points = {name: [(p.step, p.timestamp, p.value) for p in history] for name, history in histories.items()}
    folders, files = [""], set()
    while folders:
        for item in client.list_artifacts(run_id, folders.pop()):
            (folders.append if item.is_dir else files.add)(item.path)
    return points, files


def test_a_copy_holds_what_its_source_holds(asked):
    source = asked.children["unet"].info.run_id
    copy, second = (start_run(asked.experiment.experiment_id, "copy", "", {"training_digest": "t"}) for _ in range(2))
    for original, target in ((source, copy), (copy.run_id, second)):
        with working_on(target):
            copy_run(original, target)
        (points, files), wanted = everything(asked.client, target.run_id), everything(asked.client, source)
        assert points.keys() == wanted[0].keys()
        assert [k for k in points if points[k] != wanted[0][k]] == []
        assert files == wanted[1] - {"network/weights.pt"}
        tags = asked.client.get_run(target.run_id).data.tags
        assert (tags["reused_from"], tags["network_from"]) == (source, source)
        assert "holds_network" not in tags
        assert "warning" not in tags
        found, wanted = load_run(target.run_id), load_run(source)
        assert (found.settings, found.channels) == (wanted.settings, wanted.channels)
        assert all(torch.equal(found.weights[key], wanted.weights[key]) for key in wanted.weights)


def test_a_copy_has_warning_thresholds_and_every_point_but_those_of_the_machine(store):
    source, copy = (start_run(connect(), "run", "", {}) for _ in range(2))
    source.set_tags({"warning": "it is dead", "failure": "no", "network_from": "x", "tuned.clustering.angle": 30.0})
    steps = range(1500)  # MLflow takes no more than 1000 at once
    for start in (0, 750):
        source.log_metrics(*(Point(step, {"a": step / 2}) for step in steps[start : start + 750]))
    source.log_metrics(Point(0, {"system/cpu": 3.0}))
    copy_run(source.run_id, copy)
    points, _ = everything(store, copy.run_id)
    assert points.keys() == {"a"}
    assert [(step, value) for step, _, value in points["a"]] == [(step, step / 2) for step in steps]
    tags = store.get_run(copy.run_id).data.tags
    assert (tags["warning"], tags["network_from"], tags["tuned.clustering.angle"]) == ("it is dead", "x", "30.0")
    assert "failure" not in tags
