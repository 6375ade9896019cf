import io
import json
import os
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import psutil
import pytest
import torch

from study import one_run, runner
from study.ablation import Ablation, Result
from study.config import load_settings
from study.data import open_dataset
from study.errors import StudyError
from study.runner import MEMORY_OF_A_RUN, Launch, ask, evaluate_run, train_one
from study.statistics import answer
from study.tracking import connect, start_run

INLINE = Launch("inline")
ABLATION = Ablation(
    name="methods",
    question="Which method?",
    varied={"network.name": ["unet"], "clustering.method": ["angular", "no such method"]},
    control={"network.name": "unet", "clustering.method": "angular"},
    axis="clustering.method",
)


def tiny(overrides="", dataset="synthetic-leaves", root=""):
    small = "network.base_width=2,network.depth=1,training.steps=2,training.threads=1,data.images=2"
    return load_settings(dataset, str(root), profile="smoke", overrides=f"{small},{overrides}")


def runs_in(client):
    """The parents and the children in the store."""
    runs = client.search_runs([connect()])
    below = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return [run for run in runs if run not in below], below


def histories(client, run, parts=("train/", "val/", "test/")):
    return {
        name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
        if name.startswith(parts)
    }


def test_the_parent_holds_the_answer(asked):
    parent, run_id = asked.parent, asked.parent.info.run_id
    assert asked.failed == 0
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "two on synthetic-leaves"
    assert (parent.data.tags["ablation"], parent.data.tags["dataset"]) == ("two", "synthetic-leaves")
    assert parent.data.tags["control"] == "wnet, inter_weight 1"
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("**Which network?**")
    assert "foreground at test time: truth" in note
    assert "| wnet, inter_weight 1 |" in note
    assert not parent.data.params  # those that `mlflow run` logs would clash
    for file in ("two.png", "contact_sheet.png"):
        picture = np.asarray(mlflow.artifacts.load_image(f"runs:/{run_id}/{file}"))
        assert picture.std() > 10

    table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/answer.csv")))
    assert list(table["network.name"]) == ["unet", "wnet"]
    results = []
    for name, child in asked.children.items():
        scores = mlflow.artifacts.load_text(f"runs:/{child.info.run_id}/scores_test.csv")
        variant = {"network.name": name, "loss.inter_weight": 1.0}
        results.append(Result(variant, 0, pd.read_csv(io.StringIO(scores)), []))
    wanted = answer(asked.ablation, results)
    numbers = wanted.select_dtypes("number").columns
    pd.testing.assert_frame_equal(table[numbers], wanted[numbers], check_dtype=False)


def test_the_children_are_below_the_parent(asked):
    assert set(asked.children) == {"unet", "wnet"}
    found = asked.client.search_runs(
        [asked.experiment.experiment_id],
        "tags.ablation = 'two' and tags.`network.name` = 'unet' and params.`loss.inter_weight` = '1.0'",
    )
    assert [run.info.run_id for run in found] == [asked.children["unet"].info.run_id]


def test_the_same_settings_give_the_same_metrics(asked, capsys):
    settings = asked.settings.with_({"network.name": "unet"})
    assert train_one(settings) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("4 test images: SBD 0.")
    again = asked.client.search_runs([asked.experiment.experiment_id], "tags.mlflow.runName = 'unet, seed 0'")[0]
    child = asked.children["unet"]
    assert "mlflow.parentRunId" not in again.data.tags
    assert again.data.tags["digest"] == child.data.tags["digest"]
    assert again.data.params == {"network.name": "unet", "seed": "0"}
    assert histories(asked.client, again) == histories(asked.client, child)
    assert len(histories(asked.client, again)) > 30


def test_the_view_of_the_page_shows_the_runs_of_the_ablation(asked):
    view = json.loads(asked.experiment.tags["mlflow.sharedViewState.two"])
    found = asked.client.search_runs([asked.experiment.experiment_id], view["searchFilter"])
    assert {run.info.run_id for run in found} == {run.info.run_id for run in (asked.parent, *asked.children.values())}
    assert {"params.`network.name`", "metrics.`test/sbd`"} <= set(view["selectedColumns"])
    logged = {
        tuple(item.path.removeprefix("images/").replace("~", "/").split("+")[0:3:2])
        for child in asked.children.values()
        for item in asked.client.list_artifacts(child.info.run_id, "images")
    }
    cards = view["compareRunCharts"]
    assert len(cards) == 2
    last = str(asked.settings.training.steps)
    assert {(*card["imageKeys"], str(card["step"])) for card in cards} == {p for p in logged if p[1] == last}


@pytest.mark.parametrize("split", ["test", "val"])
def test_evaluating_a_run_gives_its_own_scores(asked, split, capsys):
    child = asked.children["wnet"]
    assert evaluate_run(child.info.run_id, split, {}) == 0
    assert capsys.readouterr().out.startswith(f"4 {split} images: SBD")
    found = asked.client.search_runs(
        [asked.experiment.experiment_id], f"tags.evaluated_run = '{child.info.run_id}' and tags.split = '{split}'"
    )
    scores = {name: value for name, value in found[0].data.metrics.items() if name.startswith(f"{split}/")}
    assert scores == {name: value for name, value in child.data.metrics.items() if name.startswith(f"{split}/")}
    assert found[0].info.status == "FINISHED"


def test_evaluating_with_other_settings_and_images(asked, tmp_path, write_folder):
    child = asked.children["unet"].info.run_id
    root = write_folder(tmp_path / "x", count=8, shape=(18, 33))
    assert evaluate_run(child, "train", {"data.name": "folder", "data.root": str(root), "data.image_size": "0"}) == 0
    (found,) = asked.client.search_runs([asked.experiment.experiment_id], "tags.dataset = 'folder'")
    assert found.data.metrics["train/n_true"] == 2
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


def test_unknown_split_and_run(asked):
    with pytest.raises(StudyError, match="unknown split 'tset': choose one of test, train, val"):
        evaluate_run(asked.children["unet"].info.run_id, "tset", {})
    with pytest.raises(StudyError, match="there is no run 'tset'"):
        evaluate_run("tset", "test", {})
    with pytest.raises(StudyError, match="keeps no network"):
        evaluate_run(asked.parent.info.run_id, "test", {})


def test_processes_of_a_pool_one_of_which_fails(store, monkeypatch, capsys):
    # as `mlflow run` starts us: with a run that exists and has params
    launch = store.create_run(connect()).info.run_id
    store.log_param(launch, "seeds", "0")
    monkeypatch.setenv("MLFLOW_RUN_ID", launch)
    assert ask(ABLATION, tiny(), [0], Launch("pool", 2)) == 1
    out = capsys.readouterr().out
    assert "2 runs, 2 at a time, on cpu" in out
    assert "unet, method angular, seed 0: SBD 0." in out
    assert "method no such method, seed 0: FAILED: unknown clustering method" in out

    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    (parent,), children = runs_in(store)
    assert parent.info.run_id == launch
    assert parent.info.status == "FAILED"
    assert parent.data.tags["failure"].startswith("unet, method no such method, seed 0: unknown clustering method")
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {launch}
    good, bad = sorted(children, key=lambda run: run.data.tags["variant"])
    assert (good.info.status, bad.info.status) == ("FINISHED", "FAILED")
    assert bad.data.tags["failure"] == "unknown clustering method 'no such method': choose one of angular"
    assert "test/sbd" in good.data.metrics
    text = mlflow.artifacts.load_text(f"runs:/{launch}/answer.csv")
    assert list(pd.read_csv(io.StringIO(text))["clustering.method"]) == ["angular"]
    sources = {run.data.tags.get("mlflow.source.git.commit") for run in children}
    assert len(sources) == 1


@pytest.fixture
def without_training(monkeypatch):
    """Runs whose network is not trained and not logged."""
    monkeypatch.setattr(one_run.TrackedRun, "log_network", lambda *_: None)

    def train(images, settings, monitor, validate, checkpoint):
        network = runner.build_network(images.pixels.shape[1], settings)
        validate(network)
        return network.eval(), SimpleNamespace(seconds=1.0)

    monkeypatch.setattr(one_run, "train", train)


@pytest.mark.usefixtures("without_training")
def test_seeds_and_a_variant_without_results(store, tmp_path):
    printed = tmp_path / "printed.csv"
    printed.write_text("network.name,clustering.method,value\nunet,no such method,0.9\n")
    assert ask(replace(ABLATION, printed=printed), tiny(), [3, 1], INLINE) == 2
    (parent,), children = runs_in(store)
    assert sorted(run.data.tags["seed"] for run in children) == ["1", "1", "3", "3"]
    table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/answer.csv")))
    assert list(table["seeds"]) == [2]
    files = {item.path for item in store.list_artifacts(parent.info.run_id)}
    assert files == {"answer.csv", "answer.json", "methods.png", "contact_sheet.png"}


def test_nothing_but_failures(store):
    bad = replace(ABLATION, varied={"network.name": ["unet"], "clustering.method": ["x", "y"]})
    assert ask(bad, tiny(), [0], INLINE) == 2
    (parent,), children = runs_in(store)
    assert {run.info.status for run in (parent, *children)} == {"FAILED"}
    assert not store.list_artifacts(parent.info.run_id)


def test_a_stopped_launch_leaves_no_run_that_seems_to_run(store, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(one_run, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        ask(ABLATION, tiny(), [0], INLINE)
    (parent,), children = runs_in(store)
    assert parent.info.status == "KILLED"
    assert [run.info.status for run in children] == ["FAILED"]


@pytest.mark.usefixtures("without_training")
def test_a_fault_in_the_answer_does_not_leave_the_parent_running(store, monkeypatch):
    monkeypatch.setattr(runner, "answer", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ask(ABLATION, tiny(), [0], INLINE)
    (parent,), _ = runs_in(store)
    assert parent.info.status == "KILLED"


def test_a_worker_that_dies_is_told(store, monkeypatch, capsys):
    class Dying:
        def submit(self, _, job):
            start_run(job.experiment_id, "child", "", {}, parent_id=job.parent_id)
            future = Future()
            future.set_exception(BrokenProcessPool("a process was terminated abruptly"))
            return future

    @contextmanager
    def executor(*_):
        yield Dying()

    monkeypatch.setattr(runner, "_executor", executor)
    assert ask(ABLATION, tiny(), [0], Launch("pool", 2)) == 2
    assert "FAILED: the worker process died (a process was terminated abruptly): with fewer --slots" in (
        capsys.readouterr().out
    )
    (parent,), children = runs_in(store)
    assert {run.info.status for run in (parent, *children)} == {"FAILED"}
    assert {run.data.tags["failure"] for run in children} == {"the worker process died"}


@pytest.mark.parametrize(
    ("launch", "settings", "words"),
    [
        (Launch("threads"), {}, "unknown executor 'threads': choose one of inline, pool"),
        (INLINE, {"overrides": "training.device=cuda"}, "training.device=cuda, but torch finds no GPU"),
        (INLINE, {"dataset": "no-such-data"}, "unknown data set 'no-such-data'"),
    ],
)
def test_faults_of_all_runs_are_told_before_there_is_any(store, monkeypatch, launch, settings, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StudyError) as error:
        ask(ABLATION, tiny(**settings), [0], launch)
    assert words in str(error.value)
    assert runs_in(store) == ([], [])


def test_an_ablation_needs_test_images(store, tmp_path, write_folder):
    with pytest.raises(StudyError, match="has no test image to answer from: 15 %"):
        ask(ABLATION, tiny(dataset="folder", root=write_folder(tmp_path / "x", count=1)), [0], INLINE)
    assert runs_in(store) == ([], [])


def test_one_training_that_fails(store):
    with pytest.raises(StudyError, match="unknown clustering method 'x'"):
        train_one(tiny("clustering.method=x"))
    (run,), _ = runs_in(store)
    assert run.info.status == "FAILED"


def test_slots(monkeypatch):
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=5 * MEMORY_OF_A_RUN + 1))
    assert Launch("inline", 7).slots_for(12, cpu) == 1
    assert Launch("pool").slots_for(12, cpu) == 5
    assert Launch("pool").slots_for(3, cpu) == 3
    assert Launch("pool").slots_for(12, cuda) == 1
    assert Launch("pool", 7).slots_for(12, cpu) == 7
    assert Launch("pool", 7).slots_for(2, cuda) == 2
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=0))
    assert Launch("pool").slots_for(12, cpu) == 1


def test_the_caption_says_what_the_numbers_are_measured_on():
    settings = tiny()
    caption = runner._caption(open_dataset(settings.data), settings, [0, 1])
    assert caption.startswith("synthetic-leaves: 2 test images")
    assert "2 seed(s)" in caption
