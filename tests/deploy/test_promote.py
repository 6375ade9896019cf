from pathlib import Path

import numpy as np
import pytest
import torch
from mlflow.artifacts import download_artifacts

import study
from study.code_digest import SCORING, code_digest, digest_of
from study.deploy.program import PROGRAM
from study.deploy.promote import best_run, load_model, promote
from study.errors import StudyError
from study.runs.commands import search_run
from study.runs.resources import opened
from study.tracking import Point, connect, fetch_model, load_run, read_scores, start_run
from study.tracking.requirements import requirements

NAME = "pixel-embedding-synthetic-leaves"


def validation_scores(asked):
    runs = {name: asked.client.get_run(child.info.run_id) for name, child in asked.children.items()}
    return {name: run.data.metrics["val/sbd"] for name, run in runs.items()}


def test_a_run_becomes_a_model(asked, capsys):
    run_id = asked.children["unet"].info.run_id
    promote(run_id, "", "", "best")
    version = asked.client.get_model_version_by_alias(NAME, "best")
    told = capsys.readouterr().out
    assert f"is version {version.version} of {NAME}: models:/{NAME}@best" in told
    assert "study search_thresholds --run_id" in told  # its thresholds are for the true foreground
    assert version.run_id == run_id
    assert f"--model models:/{NAME}@best" in version.description
    assert version.tags["run_id"] == run_id
    assert version.tags["val/sbd"] == f"{validation_scores(asked)['unet']:.4f}"
    model, trained = load_model(f"models:/{NAME}@best"), load_run(run_id)
    assert model.settings.clustering == trained.settings.clustering
    assert model.settings.network == trained.settings.network
    assert model.settings.training.precision == "auto"  # it was not chosen, and may run on another device
    assert model.facts["run_id"] == run_id
    program = torch.export.load(fetch_model(f"models:/{NAME}@best") / PROGRAM).module()
    images = torch.randn(1, model.channels, 24, 40)
    with torch.no_grad():
        maps = model.network.cpu()(images)
    torch.testing.assert_close(program(images), torch.cat([maps.distance, maps.embedding], dim=1))


def test_the_pages_tell_what_a_model_is(asked):
    run = asked.client.get_run(asked.children["unet"].info.run_id)
    promote(run.info.run_id, "", "told", "best")
    version = asked.client.get_model_version_by_alias("told", "best")
    title = f"{run.info.run_name} on synthetic-leaves"
    settings = load_run(run.info.run_id).settings
    clustering = settings.clustering
    for words in (
        f"**{title}**: network, angular clustering",
        f"test images: SBD {run.data.metrics['test/sbd']:.3f}",
        "thresholds, found on validation images: ",
        f"angle {clustering.angle:g}",
        "inside of the true foreground",
        f"colour images scaled to {settings.data.image_size} px; profile smoke",
    ):
        assert words in version.description
    logged = asked.client.get_logged_model(version.source.removeprefix("models:/"))
    assert logged.name == title.replace(".", ",")
    assert logged.params["clustering.angle"] == f"{clustering.angle:g}"
    assert "trained on synthetic-leaves" in asked.client.get_registered_model("told").description
    (given,) = run.inputs.dataset_inputs
    of_data = {m.key: m.value for m in logged.metrics if m.dataset_digest == given.dataset.digest}
    assert len(of_data) == len(logged.metrics)
    assert of_data == {name: run.data.metrics[name] for name in of_data}
    assert {"test/sbd", "val/sbd", "test/map"} <= of_data.keys()


def test_the_curves_of_a_run_are_none_the_longer_for_its_model(asked):
    run_id = asked.children["unet"].info.run_id
    before = asked.client.get_metric_history(run_id, "val/sbd")
    promote(run_id, "", "curves", "best")
    after = asked.client.get_metric_history(run_id, "val/sbd")
    assert {(m.step, m.value) for m in after} == {(m.step, m.value) for m in before}


def test_the_description_of_a_model_is_kept(asked):
    promote(asked.children["unet"].info.run_id, "", "described", "best")
    asked.client.update_registered_model("described", "for the greenhouse")
    promote(asked.children["unet"].info.run_id, "", "described", "best")
    assert asked.client.get_registered_model("described").description == "for the greenhouse"


def test_a_model_carries_its_code_and_packages(asked):
    promote(asked.children["unet"].info.run_id, "", "packed", "best")
    folder = Path(download_artifacts("models:/packed@best"))
    assert (folder / "requirements.txt").read_text().split() == requirements()
    code = folder / "code" / "study"
    assert digest_of(SCORING, code) == code_digest().scoring
    assert not list(code.rglob("__pycache__"))
    files = [
        file for file in folder.rglob("*") if file.is_file() and file.name != "MLmodel"
    ]  # MLflow's, with its store
    here = str(Path(study.__file__).parents[1]).encode()
    assert [file for file in files if here in file.read_bytes()] == []


def test_a_model_finds_the_test_labels_of_its_run(asked):
    """Scores of its labels are those that the run has logged."""
    run_id = asked.children["wnet"].info.run_id
    promote(run_id, "", "mine", "best")
    model = load_model("models:/mine@best")
    records = opened(model.settings.data).splits["test"]
    samples = (record.load() for record in records)
    counts = [model(sample.image, sample.labels > 0).max() for sample in samples]
    assert counts == read_scores(run_id, "test").table["n_pred"].tolist()


def test_the_best_run_of_an_ablation_is_that_of_the_validation_images(asked, capsys):
    scores = validation_scores(asked)
    best = max(scores, key=scores.__getitem__)
    assert best_run("two").run_id == asked.children[best].info.run_id
    capsys.readouterr()
    promote("", "two", "by-ablation", "champion")
    assert f"({best_run('two').run_id}, experiment pixel-embeddings, validation SBD" in capsys.readouterr().out
    version = asked.client.get_model_version_by_alias("by-ablation", "champion")
    assert version.run_id == asked.children[best].info.run_id


def test_the_newest_launch_counts_wherever_it_is(asked):
    launch = start_run("0", "two", "", {"ablation": "two", "control": "c"})
    child = start_run("0", "child", "", {}, parent_id=launch.run_id)
    child.log_metrics(Point(0, {"val/sbd": 0.01}))
    child.end("FINISHED")
    launch.end("FINISHED")
    try:
        assert best_run("two").run_id == child.run_id
    finally:
        for run in (child, launch):
            asked.client.delete_run(run.run_id)


@pytest.mark.usefixtures("store")
def test_the_best_run_has_the_lowest_error_where_lower_is_better():
    launch = start_run(connect(), "em", "", {"ablation": "em", "control": "c"})
    runs = []
    for error in (0.4, 0.2, 0.3):
        child = start_run(connect(), "child", "", {}, parent_id=launch.run_id)
        child.log_metrics(Point(0, {"val/arand": error, "val/voi": 1.0}))
        child.end("FINISHED")
        runs.append(child.run_id)
    assert best_run("em").run_id == runs[1]


def test_a_version_by_number_and_a_folder(asked, tmp_path):
    promote(asked.children["unet"].info.run_id, "", "numbered", "best")
    promote(asked.children["wnet"].info.run_id, "", "numbered", "best")
    first, second = load_model("models:/numbered/1"), load_model("models:/numbered/2")
    assert (first.settings.network.name, second.settings.network.name) == ("unet", "wnet")
    assert load_model("models:/numbered@best").settings == second.settings


def test_a_search_can_be_promoted(asked, monkeypatch):
    """So that the threshold of the predicted foreground is one that was tuned."""
    run_id = asked.children["unet"].info.run_id
    search_run(run_id, ["sbd"], {"clustering.foreground": "predicted", "tuning.trials": "2"})
    (searched,) = asked.client.search_runs(
        [asked.experiment.experiment_id],
        f"tags.searched_run = '{run_id}' and tags.`clustering.foreground` = 'predicted'",
    )
    promote(searched.info.run_id, "", "searched", "best")
    model = load_model("models:/searched@best")
    assert model.settings.clustering.foreground == "predicted"
    assert model.settings.training.precision == "auto"
    assert model(np.zeros((20, 20, 3), np.uint8)).shape == (20, 20)


@pytest.mark.parametrize(("run_id", "ablation"), [("", ""), ("a", "two")])
def test_a_run_or_an_ablation(run_id, ablation):
    with pytest.raises(StudyError, match="either --run_id or --ablation"):
        promote(run_id, ablation, "", "best")


def test_what_cannot_be_promoted(asked):
    with pytest.raises(StudyError, match=r"no launch of ablation 'tow' in sqlite.*: there are two"):
        promote("", "tow", "", "best")
    with pytest.raises(StudyError, match="keeps no network"):
        promote(asked.parent.info.run_id, "", "", "best")
    with pytest.raises(StudyError, match="there is no run 'nowhere'"):
        promote("nowhere", "", "", "best")
    with pytest.raises(StudyError, match="refuses to register 'a/b'"):
        promote(asked.children["unet"].info.run_id, "", "a/b", "best")


@pytest.mark.parametrize("uri", ["models:/nothing@best", "models:/nothing/1", "no_folder", "s3:/x"])
def test_models_that_are_not_there(asked, uri):
    with pytest.raises(StudyError, match=f"there is no model '{uri}'"):
        load_model(uri)
