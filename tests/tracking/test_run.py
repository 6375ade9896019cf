import json
from contextlib import suppress

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch

from study.errors import StudyError
from study.settings import Settings
from study.tracking import (
    Point,
    TrackedRun,
    children_of,
    connect,
    load_run,
    picture_key,
    read_scores,
    start_run,
    stored_run,
    working_on,
)
from tests.networks.built import build


def test_a_run_with_settings(store, monkeypatch):
    settings = Settings().with_({"loss.inter_weight": "only", "data.root": "/somewhere"})
    run = start_run(connect(), "a name", "a **note**", {"seed": 3}, settings, ["network.name", "loss.inter_weight"])
    found = store.get_run(run.run_id)
    assert found.info.run_name == "a name"
    assert found.data.params == {"network.name": "wnet", "loss.inter_weight": "only", "seed": "0"}
    assert "loss.inter_weight" not in found.data.tags  # but what `study.paper` makes of settings
    assert found.data.tags["mlflow.note.content"] == "a **note**"
    assert found.data.tags["seed"] == "3"
    assert found.data.tags["study_version"]
    whole = json.loads(mlflow.artifacts.load_text(f"runs:/{run.run_id}/settings.json"))
    assert Settings().with_(whole) == settings


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


def test_a_picture_is_logged_with_what_is_in_it(run):
    picture = np.random.default_rng(0).integers(0, 255, (5, 4, 3), dtype=np.uint8)
    run.log_picture(picture, pd.DataFrame({"row": [0, 1]}), "pictures/views")
    np.testing.assert_array_equal(mlflow.artifacts.load_image(f"runs:/{run.run_id}/pictures/views.png"), picture)
    assert mlflow.artifacts.load_text(f"runs:/{run.run_id}/pictures/views.csv").split() == ["row", "0", "1"]


@pytest.mark.parametrize("name", ["A1/plant001", "cell (1) µm+ü%.tif", "x#~y"])
def test_pictures_of_images_of_any_name(name, run, store):
    picture = np.random.default_rng(0).integers(0, 255, (5, 4, 3), dtype=np.uint8)
    for step in (3, 6):
        run.log_image(picture, picture_key(name), step)
    files = [item.path for item in store.list_artifacts(run.run_id, "images") if item.path.endswith(".png")]
    assert sorted(file.split("+")[2] for file in files) == ["3", "6"]
    np.testing.assert_array_equal(mlflow.artifacts.load_image(f"runs:/{run.run_id}/{files[0]}"), picture)


def test_pictures_of_a_split_are_called_by_their_images(run):
    pictures = [np.full((5, 4, 3), value, np.uint8) for value in (10, 20)]
    run.log_scores("test", pd.DataFrame({"image": ["A1/plant 1", "µ#", "c"], "sbd": [0.1, 0.2, 0.3]}), pictures)
    run.log_scores("val", pd.DataFrame({"image": ["a, rows 0-7"], "arand": [0.1]}), pictures)  # planes of a volume
    names = [[item.path for item in run.client.list_artifacts(run.run_id, f"{s}_pictures")] for s in ("test", "val")]
    assert names == [
        ["test_pictures/0 A1_plant 1.png", "test_pictures/1 __.png"],
        ["val_pictures/0.png", "val_pictures/1.png"],
    ]
    for split in ("test", "val"):
        for picture, found in zip(pictures, read_scores(run.run_id, split).pictures, strict=True):
            np.testing.assert_array_equal(found, picture)


def test_no_two_images_share_a_key():
    names = ("a_b", "a+b", "a b", "a/b", "a:b", "ä", "ö", "µ", "a_b.tif", "a\udce9b")
    assert len({picture_key(name) for name in names}) == len(names)
    assert picture_key("A1/plant001") == "images/val A1/plant001"  # as it is, where MLflow takes it


def test_how_a_run_ends(store):
    ends = []
    for error in (None, StudyError("fix this"), ValueError("odd"), KeyboardInterrupt()):
        run = start_run(connect(), "run", "", {})
        with suppress(StudyError, ValueError, KeyboardInterrupt), working_on(run):
            if error:
                raise error
        found = store.get_run(run.run_id)
        ends.append((found.info.status, found.data.tags.get("failure")))
    assert ends == [
        ("FINISHED", None),
        ("FAILED", "fix this"),
        ("FAILED", "ValueError: odd"),
        ("KILLED", "the launch was stopped"),
    ]
    assert mlflow.active_run() is None


def test_a_run_that_was_taken_for_dead_ends_well_all_the_same(run, store):
    """As one of a machine that has slept, which another launch has marked."""
    with working_on(run):
        run.end("KILLED", "its process was killed")
    found = store.get_run(run.run_id)
    assert (found.info.status, "failure" in found.data.tags) == ("FINISHED", False)


@pytest.mark.parametrize(("error", "status"), [(StudyError("fix this"), "FAILED"), (KeyboardInterrupt(), "KILLED")])
def test_a_run_that_cannot_be_begun_is_ended(error, status, store, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("study.tracking.faults.FileClient.log_dict", fail)
    with pytest.raises(type(error)):
        start_run(connect(), "run", "", {}, Settings())
    (found,) = store.search_runs([connect()])
    assert (found.info.status, found.data.tags["failure"]) == (status, str(error) or "the launch was stopped")


def test_a_long_reason_is_cut(run, store):
    run.end("FAILED", "x" * 10000)
    assert store.get_run(run.run_id).info.status == "FAILED"
    assert len(store.get_run(run.run_id).data.tags["failure"]) == 5000


def test_the_weights_of_a_network_are_read_back(store):
    settings = Settings().with_({"network.base_width": 4, "network.depth": 2})
    network = build(1, settings)
    run = start_run(connect(), "run", "", {"training_digest": "t"}, settings)
    run.log_network(network, 1)
    found, channels, weights, *_ = load_run(run.run_id)
    assert (found, channels) == (settings, 1)
    assert weights.keys() == network.state_dict().keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in network.state_dict().items())


def test_tracked_run_of_an_existing_id(run, store):
    TrackedRun(run.run_id).set_tags({"a": 1, "b": None})
    assert {"a": "1", "b": "None"}.items() <= store.get_run(run.run_id).data.tags.items()


def test_attempts_of_one_launch_at_the_same_run(run, store):
    def attempt(status, **tags):
        child = start_run(connect(), "child", "", {"digest": "d", "variant": "v", **tags}, parent_id=run.run_id)
        if status != "RUNNING":
            child.end(status)
        return child.run_id

    lost, failed = attempt("RUNNING"), attempt("FAILED")
    others = [attempt("RUNNING", digest="of another result"), attempt("RUNNING", variant="of another variant")]
    assert run.own_attempts(connect(), "d", "v") is None
    found = {run_id: store.get_run(run_id) for run_id in (lost, failed, *others)}
    assert [found[run_id].info.status for run_id in (lost, failed)] == ["KILLED", "FAILED"]
    assert {run_id for run_id, other in found.items() if "superseded" in other.data.tags} == {lost, failed}
    assert {child.run_id for child in children_of(stored_run(run.run_id))} == set(others)
    finished = attempt("FINISHED")
    assert run.own_attempts(connect(), "d", "v") == finished
    assert "superseded" not in store.get_run(finished).data.tags
