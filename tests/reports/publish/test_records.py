from types import SimpleNamespace

import pandas as pd

from reports.publish.records import merged, named
from study.tracking import RunRecord

PARENT = "mlflow.parentRunId"


def record(run_id, variant="", parent="", network_from="", dataset="folder"):
    tags = {"ablation": "q", "seed": "0", "variant": variant, "dataset": dataset}
    tags |= {PARENT: parent} if parent else {}
    tags |= {"control": "a"} if not variant else {}
    tags |= {"network_from": network_from} if network_from else {}
    metrics = {} if network_from else {"train/loss": [[0, 1.0]]}
    scores = pd.DataFrame({"sbd": [0.5]}) if variant else pd.DataFrame()
    return RunRecord(run_id, run_id, "FINISHED", 0, 1, tags, {}, {}, {}, metrics, {}, scores)


def ids(records):
    return [(one.run_id, one.parent_id, len(one.scores)) for one in records]


def test_a_training_of_a_launch_at_work_is_kept_alone_until_that_has_ended():
    shows = [record("launch"), record("one", "a", "launch", network_from="trained")]
    at_work = record("trained", "a", "other").alone()
    before = merged({}, {"study-x": [*shows, at_work]})
    assert ids(before["study-x"]) == [("launch", "", 0), ("one", "launch", 1), ("trained", "", 0)]
    again = merged(before, {"study-x": [*shows, at_work]})
    assert ids(again["study-x"]) == ids(before["study-x"])
    ended = [record("trained", "b", "launch")]
    after = merged(before, {"study-x": [*shows, *ended]})
    assert ids(after["study-x"]) == [("launch", "", 0), ("one", "launch", 1), ("trained", "launch", 1)]


def test_pages_name_the_images_of_a_folder():
    rows = [SimpleNamespace(experiment="study-x", data="Nuclei", dataset="folder")]
    rows += [SimpleNamespace(experiment="study-y", data="A1", dataset="cvppp2017")]
    of_both = {"study-x": [record("launch")], "study-y": [record("launch", dataset="cvppp2017")]}
    shown = named(of_both, rows)
    assert [found[0].tags["dataset"] for found in shown.values()] == ["Nuclei", "cvppp2017"]
    assert of_both["study-x"][0].tags["dataset"] == "folder"
