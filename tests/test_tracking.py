import json
import sqlite3
from contextlib import suppress

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from study import tracking
from study.config import Settings
from study.errors import StudyError
from study.inference import predict_maps
from study.networks import build_network
from study.one_run import network_images
from study.shared_view import shared_view
from study.tracking import Point, TrackedRun, connect, load_run, picture_key, share_view, start_run, working_on


def test_connect_makes_the_experiment_once(store):
    first = connect()
    assert store.get_experiment(first).name == "pixel-embeddings"
    assert connect() == first


def test_the_environment_names_the_experiment(store, monkeypatch):
    named = store.create_experiment("mine")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    assert connect() == named
    other = store.create_experiment("other")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", other)
    assert connect() == other
    monkeypatch.setenv("MLFLOW_RUN_ID", store.create_run(named).info.run_id)
    assert connect() == named


def test_without_a_named_store_it_is_a_file_in_the_working_folder(store, monkeypatch, tmp_path):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert connect() == connect()
    assert mlflow.get_tracking_uri() == "sqlite:///mlflow.db"
    assert (tmp_path / "mlruns" / connect()).is_dir()


def test_a_deleted_experiment_is_named(store):
    store.delete_experiment(connect())
    with pytest.raises(StudyError, match="experiment 'pixel-embeddings' is deleted"):
        connect()


@pytest.mark.parametrize("fault", ["no database", "folder in a file", "a folder", "scheme", "artifacts"])
def test_a_store_that_does_not_work_is_told_at_once(fault, store, monkeypatch, tmp_path):
    (tmp_path / "text").write_text("no database " * 100)
    (tmp_path / "folder").mkdir()
    address = {
        "no database": f"sqlite:///{tmp_path}/text",
        "folder in a file": f"sqlite:///{tmp_path}/text/mlflow.db",
        "a folder": f"sqlite:///{tmp_path}/folder",
        "scheme": "nonsense://x",
    }.get(fault, f"sqlite:///{tmp_path}/mlflow.db")
    if fault == "artifacts":
        (tmp_path / "mlruns").write_text("a file where the folder should be")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(StudyError, match=r"the MLflow store .* does not answer \(.+\).* MLFLOW_TRACKING_URI") as error:
        connect()
    assert address in str(error.value)
    assert "\n" not in str(error.value)


def test_a_store_that_another_process_reads_is_taken(store, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as other:
        other.execute("SELECT * FROM runs")
        assert connect()


def test_a_run_with_settings(store, monkeypatch):
    settings = Settings().with_({"loss.inter_weight": "only", "data.root": "/somewhere"})
    run = start_run(connect(), "a name", "a **note**", {"seed": 3}, settings, ["network.name", "loss.inter_weight"])
    found = store.get_run(run.run_id)
    assert found.info.run_name == "a name"
    assert found.data.params == {"network.name": "wnet", "loss.inter_weight": "only", "seed": "0"}
    told = {k: v for k, v in found.data.tags.items() if k in settings.flat() and k != "seed"}
    assert told == {"loss.inter_weight": "only"}
    assert found.data.tags["mlflow.note.content"] == "a **note**"
    assert found.data.tags["seed"] == "3"
    assert found.data.tags["study_version"]
    whole = json.loads(mlflow.artifacts.load_text(f"runs:/{run.run_id}/settings.json"))
    assert Settings().with_(whole) == settings


def test_the_run_of_the_launch_is_taken_by_the_first_run_that_has_no_parent(store, monkeypatch):
    experiment = connect()
    launch = store.create_run(experiment).info.run_id
    store.log_param(launch, "seed", "0")  # as `mlflow run` does before the command starts
    monkeypatch.setenv("MLFLOW_RUN_ID", launch)
    first = start_run(experiment, "first", "", {}, Settings())
    assert first.run_id == launch
    assert start_run(experiment, "second", "", {}).run_id != launch
    monkeypatch.setenv("MLFLOW_RUN_ID", launch)  # as a spawned worker inherits it
    child = start_run(experiment, "child", "", {}, parent_id=launch)
    assert child.run_id != launch
    assert store.get_run(child.run_id).data.tags["mlflow.parentRunId"] == launch


@pytest.fixture
def run(store):
    return start_run(connect(), "run", "", {})


def test_metrics_that_are_not_finite_are_left_out(run, store):
    run.log_metrics(Point(3, {"a": 1.5, "b": np.nan}), Point(4, {"a": 2, "b": np.inf}))
    assert store.get_run(run.run_id).data.metrics == {"a": 2}
    assert [(point.step, point.value) for point in store.get_metric_history(run.run_id, "a")] == [(3, 1.5), (4, 2)]
    run.log_metrics()
    run.log_metrics(Point(5, {}))


def test_a_table_is_logged_for_the_page_and_as_csv(run, store):
    table = pd.DataFrame({"image": ["a", "b"], "sbd": [0.25, 1.0]})
    run.log_table(table, "scores")
    pd.testing.assert_frame_equal(store.load_table(connect(), "scores.json", [run.run_id]), table)
    text = mlflow.artifacts.load_text(f"runs:/{run.run_id}/scores.csv")
    assert text.splitlines() == ["image,sbd", "a,0.25", "b,1.0"]


@pytest.mark.parametrize("name", ["A1/plant001", "cell (1) µm+ü%.tif", "x#~y"])
def test_pictures_of_images_of_any_name(name, run, store):
    picture = np.random.default_rng(0).integers(0, 255, (5, 4, 3), dtype=np.uint8)
    for step in (3, 6):
        run.log_image(picture, picture_key(name), step)
    files = [item.path for item in store.list_artifacts(run.run_id, "images") if item.path.endswith(".png")]
    assert sorted(file.split("+")[2] for file in files) == ["3", "6"]
    np.testing.assert_array_equal(mlflow.artifacts.load_image(f"runs:/{run.run_id}/{files[0]}"), picture)


@pytest.mark.parametrize("server", ["", "http://tracking.example:8080"])
def test_a_view_is_kept_and_its_address_told(server, store, monkeypatch):
    experiment = connect()
    view = shared_view("abc", ["network.name"], [], 0)
    monkeypatch.setattr(tracking, "current_store", lambda: server or "sqlite:///mlflow.db")
    told = share_view(experiment, "lambda", view).splitlines()
    assert json.loads(store.get_experiment(experiment).tags["mlflow.sharedViewState.lambda"]) == view
    assert told[:-2] == ([] if server else ["mlflow ui --backend-store-uri sqlite:///mlflow.db"])
    page = f"{server or 'http://127.0.0.1:5000'}/#/experiments/{experiment}/runs?viewStateShareKey=lambda&"
    for line, word in zip(told[-2:], ("scores", "pictures and curves"), strict=True):
        assert line.startswith(f"{word}: {page}")


def test_how_a_run_ends(store):
    ends = []
    for error in (None, StudyError("mend this"), ValueError("odd"), KeyboardInterrupt()):
        run = start_run(connect(), "run", "", {})
        with suppress(StudyError, ValueError, KeyboardInterrupt), working_on(run):
            if error:
                raise error
        found = store.get_run(run.run_id)
        ends.append((found.info.status, found.data.tags.get("failure")))
    assert ends == [
        ("FINISHED", None),
        ("FAILED", "mend this"),
        ("FAILED", "ValueError: odd"),
        ("FAILED", "KeyboardInterrupt: "),
    ]
    assert mlflow.active_run() is None


def test_a_long_reason_is_cut(run, store):
    run.end("FAILED", "x" * 10000)
    assert store.get_run(run.run_id).info.status == "FAILED"
    assert len(store.get_run(run.run_id).data.tags["failure"]) == 5000


@pytest.mark.parametrize("name", ["unet", "wnet"])
def test_the_logged_network_is_the_trained_one(asked, name):
    child = asked.children[name].info.run_id
    settings, channels, weights = load_run(child)
    assert settings.network.name == name
    assert settings.with_({"network.name": "unet"}) == asked.settings.with_(
        {"network.name": "unet", "clustering.foreground": "truth"}
    )
    network = build_network(channels, settings)
    network.load_state_dict(weights)
    network.eval()
    images = network_images(settings.data, "test")[:3]
    pixels = torch.from_numpy(np.stack([image.pixels for image in images])).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        maps = network(pixels)
        program = mlflow.pytorch.load_model(f"runs:/{child}/model")(pixels)
    torch.testing.assert_close(program, torch.cat([maps.distance, maps.embedding], dim=1))
    served = mlflow.pyfunc.load_model(f"runs:/{child}/model").predict(pixels.numpy())
    torch.testing.assert_close(torch.from_numpy(served), program)
    exact = settings.with_({"training.precision": "float32"})
    for found, wanted in zip(predict_maps(network, images, exact), maps.distance, strict=True):
        np.testing.assert_allclose(found.distance * settings.loss.distance_scale, wanted[0], rtol=2e-3, atol=1e-3)


def test_the_signature_of_the_network(asked):
    child = asked.children["wnet"].info.run_id
    signature = mlflow.models.get_model_info(f"runs:/{child}/model").signature
    assert signature.inputs.inputs[0].shape == (-1, 3, -1, -1)
    assert signature.outputs.inputs[0].shape == (-1, 1 + asked.settings.network.embedding_dim, -1, -1)


@pytest.mark.parametrize(
    "settings",
    [
        {"network.name": "unet", "network.concat_layer": "coordinate", "network.decoders": "separate"},
        {"network.concat_layer": "dfeat.16+efeat.16", "network.norm": "group", "loss.aux_embedding_loss": True},
    ],
    ids=["unet", "wnet"],
)
def test_the_logged_program_takes_images_of_any_size_and_number(store, settings):
    small = {"network.base_width": 4, "network.depth": 2, "network.embedding_dim": 3, "network.dropout": 0.5}
    settings = Settings().with_(small | settings)
    network = build_network(1, settings).eval()
    run = start_run(connect(), "run", "", {}, settings)
    with working_on(run):
        run.log_network(network, settings, 1)
    program = mlflow.pytorch.load_model(f"runs:/{run.run_id}/model")
    for shape in ((1, 1, 16, 16), (3, 1, 8, 20), (2, 1, 36, 12)):
        images = torch.randn(shape)
        with torch.no_grad():
            maps = network(images)
        torch.testing.assert_close(program(images), torch.cat([maps.distance, maps.embedding], dim=1))
    found, channels, weights = load_run(run.run_id)
    assert (found, channels) == (settings, 1)
    build_network(1, settings).load_state_dict(weights)  # all of them


def test_only_runs_with_a_network_can_be_loaded(asked):
    with pytest.raises(StudyError, match="there is no run 'abc' in sqlite:"):
        load_run("abc")
    parent = asked.parent.info.run_id
    with pytest.raises(StudyError, match=f"run {parent} keeps no network: .* not the parent of an ablation"):
        load_run(parent)


def test_tracked_run_of_an_existing_id(run, store):
    TrackedRun(run.run_id).set_tags({"a": 1, "b": None})
    assert {"a": "1", "b": "None"}.items() <= store.get_run(run.run_id).data.tags.items()
