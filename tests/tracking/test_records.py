from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from study import tracking
from study.errors import StudyError
from study.profiles import load_settings
from study.tracking import Point, connect, make_store, record_of, start_run

TABLE = pd.DataFrame({"image": ["a", "NA"], "sbd": [1 / 3, 0.5], "angle": [np.nan, 60.0]})


@pytest.fixture
def launch(store, tmp_path):
    """A launch of two runs, the second of which has its training from the first; gives the three ids."""
    settings = load_settings(profile="smoke").with_({"data.root": str(tmp_path / "images")})
    experiment = connect()
    parent = start_run(experiment, "lambda on leaves", "A note.", {"ablation": "lambda", "control": "b"})
    parent.log_dataset("leaves", "digest", str(tmp_path), {"train": 3, "test": 2})
    ids = [parent.run_id]
    for variant in ("a", "b"):
        tags = {"ablation": "lambda", "variant": variant, "seed": 0, "launch": parent.run_id, "heartbeat": "1"}
        run = start_run(experiment, f"{variant}, seed 0", "", tags, settings, ("data.root",), parent.run_id)
        run.log_scores("test", TABLE, [np.full((4, 4, 3), 7, np.uint8)])
        run.log_picture(np.zeros((2, 2, 3), np.uint8), pd.DataFrame({"tile": [1]}), "affinity_pictures/one")
        run.log_text("weights", "network/weights.pt")
        if variant == "a":
            run.log_metrics(Point(2, {"train/loss": 0.1}), Point(1, {"train/loss": 2 / 3}))
            run.set_tags({"holds_network": True})
        else:
            run.set_tags({"network_from": ids[-1]})
        run.end("FINISHED")
        ids.append(run.run_id)
    parent.end("FINISHED")
    return ids


def test_records_keep_what_is_of_no_machine(launch, tmp_path):
    parent, first, second = (record_of(run_id, tmp_path / "files") for run_id in launch)
    assert (parent.is_parent, first.is_parent) == (True, False)
    assert (parent.parent_id, first.parent_id) == ("", launch[0])
    assert parent.images == {"train": 3, "test": 2}
    assert first.metrics == {"train/loss": [[1, 2 / 3], [2, 0.1]]}
    assert (first.training_id, second.training_id) == ("", launch[1])
    assert first.settings["data.root"] == first.params["data.root"] == "images"
    assert not {"heartbeat", "process", "mlflow.user", "mlflow.source.name", "holds_network"} & first.tags.keys()
    assert first.texts == {"affinity_pictures/one.csv": "tile\n1\n"}
    assert first.files is not None
    assert not list(first.files.glob("network"))
    pd.testing.assert_frame_equal(first.scores, TABLE)


@pytest.mark.parametrize("with_files", [True, False])
def test_a_store_made_of_records_has_the_same_runs(launch, tmp_path, with_files):
    records = [record_of(run_id, tmp_path / "files") for run_id in launch]
    if not with_files:
        records = [replace(record, files=None) for record in records]
    ids = make_store(tmp_path / "made", {"study": records})
    assert sorted(ids.values()) == sorted(launch)
    (parent,) = tracking.launches()
    assert (ids[parent.run_id], parent.name, tracking.experiment_of(parent)) == (launch[0], "lambda on leaves", "study")
    first, second = tracking.children_of(parent)
    assert (ids[first.run_id], ids[second.run_id]) == (launch[1], launch[2])
    assert tracking.training_of(second).run_id == first.run_id
    assert first.metrics == {"train/loss": 0.1}
    assert tracking.metric_curve(first.run_id, "train/loss")["value"].tolist() == [2 / 3, 0.1]
    assert tracking.split_sizes(parent.run_id) == {"train": 3, "test": 2}
    table, pictures = tracking.stored_scores(first.run_id, "test")
    pd.testing.assert_frame_equal(table, TABLE)
    assert len(pictures) == int(with_files)
    assert tracking.stored_text(first.run_id, "affinity_pictures/one.csv") == "tile\n1\n"
    assert tracking.stored_settings(first.run_id)["data.root"] == "images"
    again = [record_of(run.run_id, tmp_path / "again") for run in (parent, first, second)]
    for before, after in zip(records, again, strict=True):
        assert (after.metrics, after.settings, after.texts) == (before.metrics, before.settings, before.texts)
        assert (after.name, after.status, after.ended) == (before.name, before.status, before.ended)


def test_a_run_without_scores_has_no_record(launch, store, tmp_path):
    settings = load_settings(profile="smoke")
    run = start_run(connect(), "c", "", {"ablation": "lambda"}, settings, (), launch[0])
    with pytest.raises(StudyError, match=r"keeps no readable scores_test\.csv"):
        record_of(run.run_id, tmp_path)
