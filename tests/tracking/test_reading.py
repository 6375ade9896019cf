import numpy as np
import pytest

from study.errors import StudyError
from study.tracking import (
    Point,
    children_of,
    connect,
    experiment_of,
    files_in,
    imported_runs,
    launches,
    metric_curve,
    start_run,
    stored_arrays,
    stored_picture,
    stored_run,
    stored_scores,
    stored_settings,
    stored_text,
    training_of,
)


def test_a_launch_and_its_runs(asked):
    (parent,) = launches()
    assert parent.run_id == asked.parent.info.run_id
    assert parent.parent_id is None
    assert parent.tags["split_note"]
    assert parent.note.startswith("**Best of 2: ")
    assert "**Which network?**" in parent.note
    children = children_of(parent)
    assert {child.run_id for child in children} == {run.info.run_id for run in asked.children.values()}
    assert {child.parent_id for child in children} == {parent.run_id}
    assert [child.started for child in children] == sorted(child.started for child in children)
    for child in children:
        assert child.state == child.status_text() == "FINISHED"
        assert stored_settings(child.run_id)["network.name"] == child.params["network.name"]
        table, pictures = stored_scores(child.run_id, "test")
        assert table["sbd"].mean() == pytest.approx(child.metrics["test/sbd"], abs=1e-4)
        named = [f"test_pictures/{i} {table['image'][i]}.png" for i in range(len(pictures))]
        assert files_in(child.run_id, "test_pictures") == named
        np.testing.assert_array_equal(stored_picture(child.run_id, named[0]), pictures[0])
        curve = metric_curve(child.run_id, "train/loss")
        assert curve["step"].is_monotonic_increasing
        assert curve["value"].iloc[-1] == pytest.approx(child.metrics["train/loss"])


def test_launches_and_imports_are_found_in_all_experiments(store):
    experiments = ["0", connect(), store.create_experiment("theirs"), store.create_experiment("deleted")]
    tags = {"control": "c", "imported": "StarDist", "data_digest": "d", "split": "test"}
    runs = [start_run(experiment, "run", "", tags) for experiment in experiments]
    for run in runs:
        run.end("FINISHED")
    store.delete_experiment(experiments[-1])
    found = launches()
    assert [run.run_id for run in found] == [run.run_id for run in runs[2::-1]]  # the newest first
    assert [experiment_of(run) for run in found] == ["theirs", "pixel-embeddings", "Default"]
    assert [run.run_id for run in imported_runs("d")] == [runs[2].run_id]


@pytest.mark.usefixtures("store")
def test_states_of_runs():
    experiment = connect()
    runs = {name: start_run(experiment, name, "", {}) for name in ("done", "failed", "running", "dead")}
    runs["done"].end("FINISHED")
    runs["failed"].end("FAILED", "no image is left")
    runs["dead"].set_tags({"process": "elsewhere 1 1", "heartbeat": "1"})
    fates = {name: stored_run(run.run_id).status_text() for name, run in runs.items()}
    assert fates == {
        "done": "FINISHED",
        "failed": "FAILED (no image is left)",
        "running": "RUNNING",
        "dead": "KILLED (its process is dead)",
    }


@pytest.mark.usefixtures("store")
def test_of_imports_with_one_name_the_newest_finished_one_counts():
    experiment = connect()

    def imported(name, digest="d1", split="test", status="FINISHED"):
        run = start_run(experiment, name, "", {"imported": name, "data_digest": digest, "split": split})
        run.end(status)
        return run.run_id

    imported("StarDist")
    others = [imported("Mask R-CNN"), imported("StarDist")]
    imported("StarDist", status="FAILED")
    imported("StarDist", split="val")
    elsewhere = imported("StarDist", digest="d2")
    start_run(experiment, "no import", "", {"data_digest": "d1", "split": "test"}).end("FINISHED")
    assert [run.run_id for run in imported_runs("d1")] == others[::-1]
    assert [run.run_id for run in imported_runs("d2")] == [elsewhere]
    assert imported_runs("d3") == []


@pytest.mark.usefixtures("store")
def test_the_training_of_a_run():
    experiment = connect()
    trained, other = (start_run(experiment, name, "", {}) for name in ("trained", "other"))
    assert training_of(stored_run(other.run_id)).run_id == other.run_id  # which shows none
    trained.log_metrics(Point(1, {"train/loss": 1.0}))
    for run in (trained, other):
        run.set_tags({"network_from": trained.run_id if run is other else "gone"})
        assert training_of(stored_run(run.run_id)).run_id == trained.run_id
    other.set_tags({"network_from": "gone"})
    with pytest.raises(StudyError, match="there is no run 'gone'"):
        training_of(stored_run(other.run_id))


@pytest.mark.usefixtures("store")
def test_what_a_run_does_not_keep():
    run = start_run(connect(), "empty", "", {})
    assert stored_settings(run.run_id) == {}
    assert files_in(run.run_id, "search") == []
    assert stored_text(run.run_id, "images.csv") is None
    run.log_text("split\n", "images.csv")
    assert stored_text(run.run_id, "images.csv") == "split\n"
    assert metric_curve(run.run_id, "train/loss").empty
    with pytest.raises(StudyError, match=r"keeps no readable scores_test\.csv"):
        stored_scores(run.run_id, "test")
    with pytest.raises(StudyError, match="there is no run 'abc'"):
        stored_run("abc")


@pytest.mark.usefixtures("store")
def test_of_equal_steps_the_last_value_counts():
    run = start_run(connect(), "run", "", {})
    run.log_metrics(Point(1, {"a": 5.0}, 10), Point(0, {"a": 3.0}, 20), Point(1, {"a": 4.0}, 30))
    assert metric_curve(run.run_id, "a").to_dict("list") == {"step": [0, 1], "value": [3.0, 4.0]}


@pytest.mark.usefixtures("store")
def test_arrays_are_read_as_they_were_logged():
    run = start_run(connect(), "run", "", {})
    assert stored_arrays(run.run_id, "maps.npz") is None
    arrays = {"0.labels": np.array([[0, 300]], np.uint16), "names": np.array(["A1/plant001", "µ"])}
    run.log_arrays(arrays, "maps.npz")
    found = stored_arrays(run.run_id, "maps.npz")
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    run.log_text("no arrays", "maps.npz")
    assert stored_arrays(run.run_id, "maps.npz") is None
