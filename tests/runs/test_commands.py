import io

import pandas as pd
import pytest
from mlflow.artifacts import load_text

from study import tracking
from study.data import open_dataset
from study.errors import StudyError
from study.origin import budget
from study.profiles import load_settings
from study.runs import pipeline
from study.runs.commands import evaluate_run, search_run, threads_for, train_one
from study.runs.job import about
from study.tracking import connect, read_scores, stored_settings


def tiny(overrides=""):
    small = "network.name=unet,network.base_width=2,network.depth=1,training.steps=2,training.threads=1,data.images=2"
    return load_settings(profile="smoke", overrides=f"{small},tuning.trials=0,{overrides}")


def histories(client, run, parts=("train/", "val/", "test/")):
    return {
        name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
        if name.startswith(parts)
    }


def test_the_same_settings_give_the_same_metrics(asked, store, capsys):
    """In another folder and store, where nothing is known."""
    run_id = train_one(asked.settings.with_({"network.name": "unet"}))
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("U-Net, seed 0 on synthetic-leaves; store sqlite:///")
    assert told[-3].startswith("4 test images: SBD 0.")
    assert told[-2] == f"mlflow ui --backend-store-uri {tracking.current_store()}"
    page = f"http://127.0.0.1:5000/#/experiments/{connect()}/runs/{run_id}"
    assert told[-1] == f"run: {page}?workflowType=machine_learning"
    (again,), child = store.search_runs([connect()]), asked.children["unet"]
    assert again.info.run_id == run_id
    assert again.info.run_id != child.info.run_id
    assert "mlflow.parentRunId" not in again.data.tags
    assert "reused_from" not in again.data.tags
    assert again.data.tags["digest"] == child.data.tags["digest"]
    assert again.data.params == {"network.name": "unet", "seed": "0"}
    assert histories(store, again) == histories(asked.client, child)
    assert len(histories(store, again)) > 15


def test_what_has_been_run_before_is_taken_from_there(asked, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "train", None)
    child = asked.children["unet"]
    run_id = train_one(asked.settings.with_({"network.name": "unet"}))
    told = capsys.readouterr().out.splitlines()
    assert told[1] == f"the same has been run before: its results are taken from run {child.info.run_id}"
    assert told[-3].startswith("4 test images: SBD 0.")
    assert f"/runs/{run_id}?" in told[-1]  # the run that has taken them over
    (again,) = asked.client.search_runs(
        [asked.experiment.experiment_id], f"tags.reused_from = '{child.info.run_id}' and params.seed = '0'"
    )
    assert again.info.status == "FINISHED"
    assert histories(asked.client, again) == histories(asked.client, child)


def test_the_digest_knows_neither_the_folder_nor_the_device(asked, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "train", None)
    others = {"network.name": "wnet", "data.root": str(tmp_path), "training.device": "cpu", "training.threads": 2}
    train_one(asked.settings.with_(others))
    assert "the same has been run before" in capsys.readouterr().out


@pytest.mark.parametrize("split", ["test", "val"])
def test_evaluating_a_run_gives_its_own_scores(asked, split, capsys):
    child = asked.children["wnet"]
    evaluate_run(child.info.run_id, split, {})
    note, told, *_, page = capsys.readouterr().out.splitlines()
    assert note.startswith(f"The network of run {child.info.run_id}, scored on 4 {split} images of synthetic-leaves (")
    assert note.endswith("Foreground at test time: truth.")
    assert told.startswith(f"4 {split} images: SBD")
    found = asked.client.search_runs(
        [asked.experiment.experiment_id], f"tags.evaluated_run = '{child.info.run_id}' and tags.split = '{split}'"
    )
    scores, own = (
        {name: value for name, value in run.data.metrics.items() if name.startswith(f"{split}/")}
        for run in (found[0], child)
    )
    assert scores == {name: value for name, value in own.items() if not name.endswith("_paper_thresholds")}
    assert found[0].info.status == "FINISHED"
    assert found[0].data.tags["mlflow.note.content"] == note
    assert f"/runs/{found[0].info.run_id}?" in page
    assert "warning" not in found[0].data.tags


@pytest.mark.parametrize(
    ("changes", "rule", "words"),
    [
        ({}, "predicted", "predicted, chosen for folder (the run had truth)."),
        ({"clustering.foreground": "none"}, "none", "none."),
        ({"clustering.foreground": "truth"}, "truth", "truth."),
        ({"clustering.foreground": "auto"}, "predicted", "predicted."),
    ],
)
def test_the_foreground_rule_is_that_of_the_images(asked, tmp_path, write_folder, changes, rule, words, capsys):
    """The rule `auto` has become the truth of leaves, which cells do not have."""
    root = write_folder(tmp_path / "cells", shape=(20, 20))
    evaluate_run(asked.children["unet"].info.run_id, "test", {"data.name": "folder", "data.root": str(root), **changes})
    assert f"Foreground at test time: {words}" in capsys.readouterr().out.splitlines()[0]
    run = asked.client.search_runs([asked.experiment.experiment_id], "tags.dataset = 'folder'", max_results=1)[0]
    assert stored_settings(run.info.run_id)["clustering.foreground"] == rule


def test_evaluating_with_other_settings_and_images(asked, tmp_path, write_folder):
    child = asked.children["unet"].info.run_id
    root = write_folder(tmp_path / "x", count=8, shape=(18, 33))
    evaluate_run(child, "train", {"data.name": "folder", "data.root": str(root), "data.image_size": "0"})
    (found,) = asked.client.search_runs([asked.experiment.experiment_id], "tags.split = 'train'")
    assert read_scores(found.info.run_id, "train").table["n_true"].mean() == 2
    assert found.data.tags["data.image_size"] == "0"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network.base_width": "8"}, "network.base_width belongs to the trained network"),
        ({"seed": "3"}, "seed belongs to the trained network"),
        ({"data.nam": "folder"}, "unknown setting 'data.nam'"),
        ({"clustering.angle": "400"}, "clustering.angle must be at least 0.1 and at most 180"),
        ({"data.name": "folder"}, "needs data_root"),
    ],
)
def test_what_cannot_be_evaluated(asked, changes, words):
    before = len(asked.client.search_runs([asked.experiment.experiment_id]))
    with pytest.raises(StudyError) as error:
        evaluate_run(asked.children["unet"].info.run_id, "test", changes)
    assert words in str(error.value)
    assert len(asked.client.search_runs([asked.experiment.experiment_id])) == before


def test_evaluating_grey_images_with_a_network_of_colours(asked, tmp_path, write_folder):
    changes = {"data.name": "folder", "data.root": str(write_folder(tmp_path / "grey", channels=1))}
    with pytest.raises(StudyError, match=r"has 1 channel\(s\), but the network takes 3"):
        evaluate_run(asked.children["unet"].info.run_id, "test", changes)


def searches(asked):
    return asked.client.search_runs([asked.experiment.experiment_id], "tags.searched_run != ''")


def test_a_search_on_a_finished_run(asked, capsys):
    child = asked.children["wnet"]
    changes = {"clustering.method": "mutex-watershed", "tuning.trials": "4"}
    search_run(child.info.run_id, ["sbd"], changes)
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("best thresholds: ")
    assert told[1].startswith("4 test images: SBD 0.")
    found = searches(asked)[0]
    assert found.info.status == "FINISHED"
    assert found.data.tags["searched_run"] == child.info.run_id
    assert found.data.params == {"clustering.method": "mutex-watershed", "seed": "0"}
    trials = pd.read_csv(io.StringIO(load_text(f"runs:/{found.info.run_id}/search/trials.csv")))
    assert found.data.metrics["val/sbd"] == pytest.approx(trials["sbd"].max(), abs=1e-4)
    assert found.data.metrics["test/sbd_paper_thresholds"] <= 1
    tuned = {k.removeprefix("tuned."): v for k, v in found.data.tags.items() if k.startswith("tuned.")}
    assert "clustering.bias" in tuned
    evaluate_run(child.info.run_id, "test", {"clustering.method": "mutex-watershed", **tuned})
    assert capsys.readouterr().out.splitlines()[-3] == told[1]


def test_a_search_for_two_scores_without_what_was_kept(asked, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # where there are no maps
    before = len(searches(asked))
    run_id = asked.children["unet"].info.run_id
    search_run(run_id, ["sbd", "abs_dic"], {"tuning.trials": "5"})
    found = searches(asked)[0]
    assert len(searches(asked)) == before + 1
    files = {item.path for item in asked.client.list_artifacts(found.info.run_id, "search")}
    assert "search/front.png" in files


@pytest.mark.parametrize(
    ("objectives", "changes", "words"),
    [
        (["dice"], {}, "unknown objective 'dice'"),
        (["sbd"], {"loss.inter_weight": "3"}, "loss.inter_weight belongs to the trained network"),
        (["sbd"], {"data.images": "3"}, "data.images belongs to the trained network"),
        (["sbd"], {"tuning.trials": "0"}, "tuning.trials above 0"),
        (["sbd"], {"data.root": "/nowhere", "clustering.angle": "400"}, "clustering.angle must be"),
    ],
)
def test_what_cannot_be_searched(objectives, changes, words, asked):
    before = len(searches(asked))
    with pytest.raises(StudyError, match=words):
        search_run(asked.children["unet"].info.run_id, objectives, changes)
    assert len(searches(asked)) == before


def test_unknown_split_and_run(asked):
    with pytest.raises(StudyError, match=r"unknown split 'tset', did you mean test\? Choose one of test, train, val"):
        evaluate_run(asked.children["unet"].info.run_id, "tset", {})
    with pytest.raises(StudyError, match="there is no run 'tset'"):
        evaluate_run("tset", "test", {})
    with pytest.raises(StudyError, match="keeps no network"):
        evaluate_run(asked.parent.info.run_id, "test", {})


def test_one_training_that_fails(store, monkeypatch):
    def train(*_):
        raise StudyError("fix this")

    monkeypatch.setattr(pipeline, "train", train)
    with pytest.raises(StudyError, match="fix this"):
        train_one(tiny())
    (run,) = store.search_runs([connect()])
    assert run.info.status == "FAILED"


def test_a_failed_training_is_tried_again(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "train", lambda *_: 1 / 0)
        with pytest.raises(StudyError, match="ZeroDivisionError"):
            train_one(tiny())
    train_one(tiny())
    second, first = store.search_runs([connect()])
    assert (first.info.status, second.info.status) == ("FAILED", "FINISHED")


def test_the_caption_says_what_the_numbers_are_measured_on():
    settings = tiny("clustering.foreground=none")
    caption = about(open_dataset(settings.data), settings, 2)
    assert caption.startswith("synthetic-leaves: 2 test images")
    assert "2 seeds" in caption
    assert "foreground at test time: none" in caption
    assert caption.endswith(f"Profile smoke: {budget(settings, 2)}.")


def test_a_training_needs_training_images(store, tmp_path, write_folder):
    root = write_folder(tmp_path / "cells")
    (root / "index.csv").write_text("image,split\ncell0,test\ncell1,val\n")
    with pytest.raises(StudyError, match="data set folder has no train image to train on: the split column"):
        train_one(tiny().with_({"data.name": "folder", "data.root": str(root)}))
    assert store.search_runs([connect()]) == []


@pytest.mark.usefixtures("store")
def test_a_training_without_test_images_says_so(tmp_path, write_folder, capsys):
    root = write_folder(tmp_path / "cells")
    (root / "index.csv").write_text("image,split\ncell0,train\ncell1,val\n")
    train_one(tiny().with_({"data.name": "folder", "data.root": str(root)}))
    assert "the data set has no test images: nothing is scored" in capsys.readouterr().out.splitlines()


def test_threads_are_shared(monkeypatch):
    monkeypatch.setattr("study.allotment.cores", lambda: 8)
    own = load_settings(profile="smoke")
    assert [threads_for(own, slots) for slots in (1, 3, 9)] == [8, 2, 1]
    assert threads_for(own.with_({"training.threads": 5}), 3) == 5
