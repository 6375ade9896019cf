import io
import json
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from study.code_digest import code_digest
from study.data import open_dataset
from study.data.content import from_csv
from study.device import choose_precision
from study.errors import StudyError
from study.evaluation import evaluate, means
from study.inference import predict_maps
from study.metrics import summary_scores
from study.paper import origin_tags, paper_settings
from study.profiles import load_settings
from study.runs import pipeline, scoring
from study.runs.cache import TrainingCache
from study.runs.job import Failure, Job, PlannedRun, Result, Task, resolved_run
from study.runs.pipeline import run_task
from study.runs.resources import network_images, training_images
from study.settings import Settings
from study.tracking import connect, current_store
from tests.maps import is_mapped
from tests.networks.built import build

TINY = "network.name=unet,network.base_width=2,network.depth=1,training.steps=2,training.threads=1,data.images=2"
UNTUNED = "tuning.trials=0"


def smoke(overrides="", dataset="synthetic-leaves", root=""):
    return load_settings(dataset, str(root), profile="smoke", overrides=f"{TINY},{UNTUNED},{overrides}")


def job(settings):
    dataset = open_dataset(settings.data)
    planned = resolved_run(PlannedRun({"network.name": settings.network.name}, settings), dataset)
    return Job(planned, connect(), None, "a note", {"variant": "v"}, dataset.digest())


def kept_of(settings):
    wanted = job(settings)
    return TrainingCache(wanted.training_digest, wanted.data_digest)


def run_on(*settings):
    return run_task(Task(tuple(map(job, settings)), current_store(), 1))


@pytest.fixture
def unexported(monkeypatch):
    """Runs that do not log their network, which takes seconds."""


def history(client, run, name):
    return [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]


def scores(client, run):
    return {name: history(client, run, name) for name in run.data.metrics if name.startswith(("val/", "test/"))}


def test_the_curves_of_a_run(asked):
    for child in asked.children.values():
        steps = asked.settings.training.steps
        for name in ("train/loss", "train/loss_distance", "train/loss_inter", "train/loss_intra"):
            assert [step for step, _ in history(asked.client, child, name)] == list(range(1, steps + 1))
        assert [step for step, _ in history(asked.client, child, "val/sbd")] == [0, steps // 2, steps, steps]
        # bars, one per run, rather than curves of a single point
        for name in (
            "test/sbd",
            "perf/training_seconds",
            "perf/parameters",
            "perf/test_maps_seconds_per_image",
        ):
            assert [step for step, _ in history(asked.client, child, name)] == [0]
        assert child.data.metrics["perf/images_per_second"] > 0


@pytest.mark.parametrize("split", ["val", "test"])
def test_logged_scores_are_the_means_of_the_table_per_image(asked, split):
    for child in asked.children.values():
        run_id = child.info.run_id
        table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_{split}.csv")))
        images = network_images(asked.settings.data, split)
        assert list(table["image"]) == [image.name for image in images]
        found, prefix = means(table), f"{split}/"
        logged = {k.removeprefix(prefix): v for k, v in child.data.metrics.items() if k.startswith(prefix)}
        assert logged.keys() == {score.key for score in summary_scores(found)}  # the page lists all metrics of a run
        assert logged == pytest.approx({name: found[name] for name in logged}, abs=1e-4)
        assert list(table["n_true"]) == [len(np.unique(image.original)) - 1 for image in images]
        assert table["neighbour_angle"].between(0, 180).all()
        shown = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_{split}.json"))
        assert shown["columns"] == list(table.columns)
        np.testing.assert_allclose([row[1:] for row in shown["data"]], table.drop(columns="image"))


def test_pictures_of_the_same_images_at_each_validation(asked):
    for child in asked.children.values():
        files = [item.path for item in asked.client.list_artifacts(child.info.run_id, "images")]
        shown = sorted(file.split("/")[1].split("+")[0:3:2] for file in files if file.endswith(".png"))
        names = [record.name for record in open_dataset(asked.settings.data).splits["val"]]
        count = asked.settings.training.validation_images
        assert shown == [[f"images~val {name}", step] for name in names[:count] for step in ("0", "3", "6")]


def test_what_a_run_is_made_of_is_logged(asked):
    for name, child in asked.children.items():
        precision = choose_precision("auto", torch.device("cpu"))
        resolved = {"clustering.foreground": "truth", "training.precision": precision}
        settings = asked.settings.with_({"network.name": name, **resolved})
        assert child.info.status == "FINISHED"
        assert child.data.params == {"network.name": name, "loss.inter_weight": "1", "seed": "0"}
        kept = {
            file.path for folder in ("", "network") for file in asked.client.list_artifacts(child.info.run_id, folder)
        }
        assert {"settings.json", "network/weights.pt", "images.csv", "scores_val.csv", "scores_test.csv"} <= kept
        stored = mlflow.artifacts.load_dict(f"runs:/{child.info.run_id}/settings.json")
        assert stored == json.loads(json.dumps(settings.flat()))
        assert origin_tags(settings).items() <= child.data.tags.items()
        assert child.data.tags["clustering.foreground"] == "truth"
        dataset = open_dataset(settings.data)
        assert from_csv(mlflow.artifacts.load_text(f"runs:/{child.info.run_id}/images.csv")) == dataset.contents()
        (given,) = child.inputs.dataset_inputs
        assert (given.dataset.name, given.dataset.digest) == (dataset.name, dataset.digest())
        assert json.loads(given.dataset.profile) == {split: len(r) for split, r in dataset.splits.items()}
        tags = child.data.tags
        assert {name: tags[f"asked.{name}"] for name in resolved} == dict.fromkeys(resolved, "auto")
        code = code_digest()
        thresholds = repr(paper_settings(settings).clustering)
        assert tags["digest"] == settings.digest(dataset.digest(), code.training, code.scoring, thresholds)
        assert tags["settings_digest"] == settings.digest(dataset.digest())
        assert tags["environment"].startswith("cpu ")
        assert f"torch {torch.__version__.split('+')[0]}" in tags["environment"]
        assert (tags["seed"], tags["dataset"], tags["ablation"]) == ("0", "synthetic-leaves", "two")
        assert (tags["variant"], tags["network.name"], tags["loss.inter_weight"]) == (
            f"{name}, inter_weight 1",
            name,
            "1.0",
        )
        label = {"unet": "U-Net", "wnet": "W-Net"}[name]
        assert f"{label}, λ = 1, seed 0" in tags["mlflow.note.content"]
        assert f" test images: SBD {child.data.metrics['test/sbd']:.3f}" in tags["mlflow.note.content"]
        assert tags["mlflow.parentRunId"] == tags["launch"] == asked.parent.info.run_id
        assert tags["holds_network"] == "True"
        if "git_uncommitted_changes" in tags:  # in a checkout
            assert len(tags["mlflow.source.git.commit"]) == 40


@pytest.mark.parametrize(
    ("changes", "digests", "trainings"),
    [
        ({}, 1, 1),
        ({"data.root": "/elsewhere", "training.device": "cpu", "training.threads": 7}, 1, 1),
        ({"clustering.angle": 40}, 2, 1),
        ({"training.learning_rate": 1e-3}, 2, 2),
        ({"seed": 1}, 2, 2),
    ],
)
def test_what_makes_a_run_and_what_a_training(changes, digests, trainings):
    base = Settings()
    jobs = [Job(PlannedRun({}, s), "1", None, "", {}, "data") for s in (base, base.with_(changes))]
    assert len({j.digest for j in jobs}) == digests
    assert len({j.training_digest for j in jobs}) == trainings
    other = replace(jobs[0], data_digest="other data")
    assert (other.digest, other.training_digest) != (jobs[0].digest, jobs[0].training_digest)


def test_the_clustering_belongs_to_a_training_whose_weights_it_chooses():
    base = Settings().with_({"training.checkpoint": "best"})
    jobs = [Job(PlannedRun({}, base.with_({"clustering.angle": a})), "1", None, "", {}, "data") for a in (40, 45)]
    assert jobs[0].training_digest != jobs[1].training_digest


def failed_run(client, failure):
    """The run that `run_task` has left, and what it says."""
    assert isinstance(failure, Failure)
    (run,) = client.search_runs([connect()])
    assert run.info.status == "FAILED"
    return run


def test_a_fault_of_the_user_ends_the_run_with_its_sentence(store):
    settings = smoke()
    settings = replace(settings, training=replace(settings.training, learning_rate=1e30, gradient_clip=0.0))
    (failure,) = run_on(settings)
    run = failed_run(store, failure)
    assert "not finite" in failure.reason
    assert run.data.tags["failure"] == failure.reason
    assert not store.list_artifacts(run.info.run_id, "failure.txt")


def test_any_other_fault_leaves_its_traceback(store, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("an error of ours")

    monkeypatch.setattr(pipeline, "train", broken)
    (failure,) = run_on(smoke())
    run = failed_run(store, failure)
    assert failure.reason == "ZeroDivisionError: an error of ours; its artifact failure.txt tells where"
    assert run.data.tags["failure"] == "ZeroDivisionError: an error of ours"
    text = mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/failure.txt")
    assert text.startswith("Traceback")
    assert "in broken" in text


def test_a_training_that_fails_is_tried_once_for_all_its_runs(store, monkeypatch):
    tried = []

    def broken(*_):
        tried.append(1)
        raise StudyError("fix this")

    monkeypatch.setattr(pipeline, "train", broken)
    failures = run_on(smoke(), smoke("clustering.angle=40"))
    assert [failure.reason for failure in failures] == ["fix this"] * 2
    assert [run.info.status for run in store.search_runs([connect()])] == ["FAILED"] * 2
    assert len(tried) == 1


def test_a_clustering_that_fails_leaves_the_other_runs_of_its_training_alone(store, unexported, monkeypatch):
    evaluate = scoring.evaluate

    def breaking(maps, images, settings, *further, **more):
        if settings.angle == 40:
            raise StudyError("fix this")
        return evaluate(maps, images, settings, *further, **more)

    monkeypatch.setattr(scoring, "evaluate", breaking)
    failure, result = run_on(smoke("clustering.angle=40"), smoke())
    assert failure.reason == "fix this"
    assert isinstance(result, Result)
    second, first = store.search_runs([connect()])
    assert (first.info.status, second.info.status) == ("FAILED", "FINISHED")
    # the curves are with the run that has finished
    assert [step for step, _ in history(store, second, "train/loss")] == [1, 2]


def test_runs_of_one_training_share_network_and_maps(store, monkeypatch):
    trained, mapped = [], []
    train, predict = pipeline.train, pipeline.maps_in_turn
    monkeypatch.setattr(pipeline, "train", lambda *given: trained.append(1) or train(*given))
    monkeypatch.setattr(pipeline, "maps_in_turn", lambda *given: mapped.append(1) or predict(*given))
    results = run_on(smoke(), smoke("clustering.angle=10"), smoke("clustering.method=hdbscan"))
    assert (len(trained), len(mapped)) == (1, 2)  # of two splits
    assert [result.table["image"].tolist() for result in results] == [results[0].table["image"].tolist()] * 3
    third, second, first = store.search_runs([connect()])
    assert len({run.data.tags["digest"] for run in (first, second, third)}) == 3
    assert len({run.data.tags["training_digest"] for run in (first, second, third)}) == 1
    assert "network_from" not in first.data.tags
    for run in (second, third):
        assert run.data.tags["network_from"] == first.info.run_id
        assert "holds_network" not in run.data.tags
        assert "images.csv" not in [item.path for item in store.list_artifacts(run.info.run_id)]  # the first has it
        assert "train/loss" not in run.data.metrics
        assert [step for step, _ in history(store, run, "val/sbd")] == [0]


def test_images_beyond_the_memory_give_the_same_run(store, unexported, monkeypatch, tmp_path, write_folder):
    """To the last digit: weights, maps, thresholds and scores."""
    found = []
    for name, bound in (("kept", 10**9), ("streamed", 0)):
        for module in ("batches", "kept_images"):
            monkeypatch.setattr(f"study.data.{module}.memory_bound", lambda bound=bound: bound)
        settings = smoke("tuning.trials=2", "folder", write_folder(tmp_path / name, count=8))
        (result,) = run_on(settings)
        (run,) = store.search_runs([connect()])
        images = training_images(settings.data, settings.loss.reach, torch.device("cpu"))
        test = network_images(settings.data, "test")
        assert (images.streams, is_mapped(test[0].pixels)) == (not bound, not bound)
        cache = kept_of(settings)
        maps = cache.load_maps("test", [image.labels.shape for image in test])
        found.append((result.table, cache.load()[0], maps, {k: v for k, v in run.data.tags.items() if "tuned." in k}))
        cache.clear()
        store.delete_run(run.info.run_id)
    (table, weights, maps, tuned), (other_table, other_weights, other_maps, other_tuned) = found
    pd.testing.assert_frame_equal(table, other_table)
    assert all(torch.equal(weights[name], other_weights[name]) for name in weights)
    np.testing.assert_array_equal(maps[0].embedding, other_maps[0].embedding)
    assert tuned == other_tuned != {}


def test_a_run_that_is_known_is_copied(asked):
    child = asked.children["wnet"]
    known = job(asked.settings.with_({"network.name": "wnet"}))
    result, twice = run_task(Task((known, known), current_store(), 1))
    for found in (result, twice):
        assert found.table["sbd"].mean() == pytest.approx(child.data.metrics["test/sbd"], abs=1e-4)
        assert [picture.dtype for picture in found.panels] == [np.uint8] * 3
    copies = asked.client.search_runs(
        [asked.experiment.experiment_id], f"tags.reused_from = '{child.info.run_id}' and tags.variant = 'v'"
    )
    assert [run.info.status for run in copies] == ["FINISHED"] * 2
    assert all(scores(asked.client, run) == scores(asked.client, child) for run in copies)


def test_a_network_in_the_store_is_used_where_nothing_is_kept_of_its_training(store, monkeypatch):
    (result,) = run_on(smoke())
    folder = TrainingCache(job(smoke()).training_digest).folder
    for file in folder.iterdir():
        file.unlink()
    monkeypatch.setattr(pipeline, "train", None)
    (other,) = run_on(smoke("clustering.min_size=11"))
    assert isinstance(other, Result)
    np.testing.assert_array_equal(other.table["neighbour_angle"], result.table["neighbour_angle"])  # of the same maps
    second, first = store.search_runs([connect()])
    assert second.data.tags["network_from"] == first.info.run_id


def test_what_is_kept_of_a_training_is_used_where_no_run_has_got_to_its_end(store, unexported, monkeypatch):
    settings = smoke()
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "score_split", lambda *_: 1 / 0)
        (failure,) = run_on(settings)
    assert isinstance(failure, Failure)
    monkeypatch.setattr(pipeline, "train", None)
    (result,) = run_on(settings)
    second, first = store.search_runs([connect()])
    assert history(store, second, "train/loss") == history(store, first, "train/loss")
    assert [step for step, _ in history(store, second, "val/sbd")] == [0, 1, 2, 2]
    assert result.table["sbd"].mean() == pytest.approx(second.data.metrics["test/sbd"], abs=1e-4)


def test_maps_are_those_of_the_kept_network(store, unexported):
    settings = job(smoke()).planned.settings
    run_on(settings)
    images = network_images(settings.data, "test")
    kept = kept_of(smoke())
    weights, _ = kept.load()
    network = build(3, settings).to(memory_format=torch.channels_last)
    network.load_state_dict(weights)
    shapes = [image.labels.shape for image in images]
    for found, wanted in zip(kept.load_maps("test", shapes), predict_maps(network, images, settings), strict=True):
        np.testing.assert_array_equal(found.embedding, wanted.embedding)
        np.testing.assert_array_equal(found.objectness, wanted.objectness)


def test_training_goes_on_from_the_checkpoint_of_a_killed_run(store, unexported, monkeypatch):
    settings = smoke("training.steps=4")
    run_on(settings)
    (undisturbed,) = store.search_runs([connect()])
    store.delete_run(undisturbed.info.run_id)
    kept = kept_of(settings)
    assert not kept.checkpoint.exists()
    for file in kept.folder.iterdir():
        file.unlink()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.RunMonitor, "validated", killed)
        with pytest.raises(KeyboardInterrupt):
            run_on(settings)
    assert kept.checkpoint.exists()
    told = []
    with monkeypatch.context() as patch:
        step = pipeline.RunMonitor.step
        patch.setattr(pipeline.RunMonitor, "step", lambda self, *given: told.append(given[0]) or step(self, *given))
        (result,) = run_on(settings)
    assert isinstance(result, Result)
    assert told == [3, 4]
    resumed, _ = store.search_runs([connect()])
    assert history(store, resumed, "train/loss") == history(store, undisturbed, "train/loss")
    assert [step for step, _ in history(store, resumed, "train/loss")] == [1, 2, 3, 4]
    assert scores(store, resumed) == scores(store, undisturbed)
    assert not kept.checkpoint.exists()


def test_a_live_distance_head_is_not_called_dead(asked):
    assert all("warning" not in child.data.tags for child in asked.children.values())


def test_thresholds_are_searched_and_the_papers_stand_beside_them(store, unexported):
    settings = smoke("tuning.trials=4")
    (result,) = run_on(settings)
    (run,) = store.search_runs([connect()])
    tuned = {name.removeprefix("tuned."): value for name, value in run.data.tags.items() if name.startswith("tuned.")}
    assert len(tuned) == 5
    assert run.data.metrics["test/sbd"] == round(result.table["sbd"].mean(), 4)
    planned = job(settings).planned.settings
    images = network_images(planned.data, "test")
    maps = kept_of(settings).load_maps("test", [image.labels.shape for image in images])
    paper = Settings().clustering
    for name, clustering in (
        ("sbd", planned.with_(tuned).clustering),
        ("sbd_paper_thresholds", replace(paper, foreground=planned.clustering.foreground)),
    ):
        np.testing.assert_array_equal(result.table[name], evaluate(maps, images, clustering).table["sbd"])
        assert run.data.metrics[f"test/{name}"] == round(result.table[name].mean(), 4)
    assert "val/sbd_paper_thresholds" not in run.data.metrics


def test_the_search_cannot_read_the_test_images(store, unexported, monkeypatch):
    """Where test images cannot be read, a run fails when it scores them, and has found the same thresholds before."""
    settings = smoke("tuning.trials=4")
    run_on(settings)
    (whole,) = store.search_runs([connect()])
    store.delete_run(whole.info.run_id)
    for file in TrainingCache(job(settings).training_digest).folder.glob("search_*"):
        file.unlink()
    images = pipeline.network_images

    def unreadable(data, split):
        if split == "test":
            raise StudyError("the test images are not to be had")
        return images(data, split)

    monkeypatch.setattr(pipeline, "network_images", unreadable)
    run = failed_run(store, *run_on(settings))
    assert run.data.tags["failure"] == "the test images are not to be had"
    found, again = ({k: v for k, v in r.data.tags.items() if k.startswith("tuned.")} for r in (whole, run))
    assert found == again != {}


def test_without_validation_and_test_images(store, unexported, tmp_path, write_folder):
    settings = smoke(dataset="folder", root=write_folder(tmp_path / "x", count=1))
    for again in (False, True):  # trained, then copied
        (result,) = run_on(settings)
        assert isinstance(result, Result), result.reason
        assert result.table.empty
        run = store.search_runs([connect()])[0]
        assert run.info.status == "FINISHED"
        assert ("reused_from" in run.data.tags) == again
        assert not [name for name in run.data.metrics if name.endswith("sbd")]


def test_images_that_have_changed_since_the_launch_are_told(store, unexported, tmp_path, write_folder):
    root = write_folder(tmp_path / "x", count=8)
    planned = job(smoke(dataset="folder", root=root))
    path = root / "images" / "cell0.png"
    Image.fromarray(np.full((16, 16, 3), 7, np.uint8)).save(path)
    (failure,) = run_task(Task((planned,), current_store(), 1))
    assert failure.reason == f"the images of {root} have changed since this launch began: launch again"
    assert not store.search_runs([connect()])


def test_a_network_in_the_store_is_not_loaded_where_its_maps_are_kept(store, monkeypatch):
    run_on(smoke())
    monkeypatch.setattr(pipeline.tracking, "load_run", None)
    monkeypatch.setattr("study.runs.trained.rebuilt_network", None)
    (result,) = run_on(smoke("clustering.min_size=11"))
    assert isinstance(result, Result), result.reason
