"""What a run may be scored on, seen from `evaluate` and `search`: one network of cells is trained for all tests."""

import re
import shutil

import pytest
from click.testing import CliRunner
from PIL import Image

from reports.pages.compare import Comparison
from reports.pages.run_card import RunCard
from study.cli import main
from study.errors import StudyError
from study.profiles import load_settings
from study.runs import overlap
from study.runs.commands import evaluate_run, search_run, train_one
from study.runs.resources import opened
from study.tracking import connect, stored_settings

TINY = "network.name=unet,network.base_width=2,network.depth=1,training.steps=2,training.threads=1,tuning.trials=2"


class Trained:
    """A run that was trained on 8 of 12 cells, in a store of its own."""

    def __init__(self, folder, client):
        self.folder, self.root, self.client = folder, folder / "cells", client
        (self.run,) = client.search_runs([connect()])
        self.names = {
            split: [record.name for record in records]
            for split, records in opened(load_settings("folder", str(self.root)).data).splits.items()
        }

    def evaluate(self, split="test", allow=False, **changes):
        """The run that evaluates this one, settings of data given by their last part."""
        before = {run.info.run_id for run in self.client.search_runs([connect()])}
        evaluate_run(self.run.info.run_id, split, {f"data.{k}": str(v) for k, v in changes.items()}, allow)
        (found,) = (run for run in self.client.search_runs([connect()]) if run.info.run_id not in before)
        assert found.info.status == "FINISHED"
        return found

    def refusal(self, split="test", **changes):
        """Why this run may not be scored; no run is begun."""
        before = len(self.client.search_runs([connect()]))
        with pytest.raises(StudyError) as error:
            self.evaluate(split, **changes)
        assert len(self.client.search_runs([connect()])) == before
        return str(error.value)


@pytest.fixture(scope="module")
def _trained(empty_store, tmp_path_factory, work_in, write_folder):
    folder = tmp_path_factory.mktemp("trained")
    shutil.copy(empty_store, folder / "mlflow.db")
    root = write_folder(folder / "cells", count=12)
    with pytest.MonkeyPatch.context() as monkeypatch:
        client = work_in(folder, monkeypatch)
        train_one(load_settings("folder", str(root), "smoke", overrides=f"{TINY},data.images=0"))
        return Trained(folder, client)


@pytest.fixture
def trained(_trained, monkeypatch, work_in):
    work_in(_trained.folder, monkeypatch)
    return _trained


def copied(trained, root, offset=0):
    """The cells with other names, as TIFF; with an offset other cells."""
    shutil.copytree(trained.root / "labels", root / "labels")
    (root / "images").mkdir()
    for file in (trained.root / "images").iterdir():
        image = Image.open(file).point(lambda value: (value + offset) % 256)
        image.save(root / "images" / f"new_{file.stem}.tif")
        (root / "labels" / file.name).rename(root / "labels" / f"new_{file.name}")
    return root


def test_own_test_and_validation_images_may_be_scored(trained):
    assert {split: len(names) for split, names in trained.names.items()} == {"train": 8, "val": 2, "test": 2}
    for split in ("test", "val"):
        run = trained.evaluate(split)
        assert "warning" not in run.data.tags
        assert f"{split}/sbd" in run.data.metrics


def test_own_training_images_may_not(trained):
    sentence, names = trained.refusal("train"), trained.names["train"]
    assert sentence.startswith(f"8 of the 8 train images were used to train run {trained.run.info.run_id} (8) or to")
    assert f"namely {', '.join(f'{name} (train)' for name in names[:5])} and 3 more: score other images, or" in sentence
    assert sentence.endswith("by --allow_training_images 1")


def test_another_draw_of_the_same_images(trained):
    """Of images that are called test images, some were trained on."""
    data = load_settings("folder", str(trained.root), overrides="data.split_seed=3").data
    drawn = {split: [record.name for record in records] for split, records in opened(data).splits.items()}
    for split, own in (("test", ("train", "val")), ("val", ("train",))):
        seen = [f"{name} ({part})" for name in drawn[split] for part in own if name in trained.names[part]]
        assert seen
        assert f"namely {', '.join(seen)}: " in trained.refusal(split, split_seed=3)


def test_copies_in_other_files_and_with_other_names(trained, tmp_path):
    root = copied(trained, tmp_path / "copies")
    sentence = trained.refusal(root=root)
    assert sentence.startswith("10 of the 12 test images were used to train run ")
    assert "(8) or to choose its thresholds or weights (2), namely " in sentence
    assert all(f"{new} = {old} (" in sentence for new, old in re.findall(r"(new_(cell\d+)) =", sentence))
    assert len(re.findall(r"new_(cell\d+) = \1 \((train|val)\)", sentence)) == 5


def test_validation_images_that_chose_nothing_may_be_tested_on(trained, tmp_path):
    """Without a search of thresholds, and with the last weights."""
    root = copied(trained, tmp_path / "copies")
    settings = load_settings("folder", str(trained.root), "smoke", overrides=f"{TINY},tuning.trials=0,data.images=0")
    network = overlap.FinishedRun(settings, 3, {}, "", trained.run.info.run_id)
    data = load_settings("folder", str(root), overrides="data.all_test=true").data
    told = overlap.seen_before("r", network, "", data, "test")
    assert told.startswith("8 of the 12 test images")


def test_training_images_that_are_allowed_are_marked(trained, tmp_path):
    options = ["evaluate", "--run_id", trained.run.info.run_id, "--split", "train"]
    assert CliRunner().invoke(main, options).exit_code == 1
    found = CliRunner().invoke(main, [*options, "--allow_training_images", "1"])
    assert found.exit_code == 0, found.output
    run = trained.client.search_runs([connect()], max_results=1)[0]
    warning = run.data.tags["warning"]
    assert warning.startswith("8 of the 8 train images were used to train run")
    assert f"**Warning**: {warning}." in run.data.tags["mlflow.note.content"]
    assert warning in found.output
    assert warning in RunCard(trained.client.tracking_uri, run.info.run_id, str(tmp_path)).about().html
    assert warning in Comparison(trained.client.tracking_uri, run.info.run_id, str(tmp_path)).about().html


def test_a_folder_of_other_images_has_test_images_alone(trained, tmp_path):
    root = copied(trained, tmp_path / "others", offset=1)
    run = trained.evaluate(root=root)
    assert stored_settings(run.info.run_id)["data.all_test"] is True
    note = run.data.tags["mlflow.note.content"]
    assert "scored on 12 test images of folder (all images are test images, as of data.all_test)" in note
    assert "warning" not in run.data.tags
    by_seed = trained.evaluate(root=root, split_seed=1)
    assert "scored on 2 test images of folder (15 %" in by_seed.data.tags["mlflow.note.content"]


def test_a_data_set_without_training_images(trained, tmp_path):
    root = copied(trained, tmp_path / "others", offset=1)
    (root / "index.csv").write_text("image,split\nnew_cell3,test\nnew_cell4,test\nnew_cell5,test\n")
    assert "scored on 3 test images" in trained.evaluate(root=root).data.tags["mlflow.note.content"]
    assert "has no val image to score: the split column of index.csv" in trained.refusal("val", root=root)


def test_own_images_that_have_moved_keep_their_splits(trained, tmp_path):
    run = trained.evaluate(root=shutil.copytree(trained.root, tmp_path / "moved"))
    own = trained.run.data.metrics
    assert run.data.metrics["test/sbd"] == own["test/sbd"]
    assert stored_settings(run.info.run_id)["data.all_test"] is False


def test_a_run_of_earlier_versions(trained, tmp_path, monkeypatch):
    """Without a table of its images, its data set tells, or nothing does."""
    monkeypatch.setattr(overlap.tracking, "stored_text", lambda *_: None)
    assert trained.refusal("train").startswith("8 of the 8 train images")
    copies = copied(trained, tmp_path / "copies")
    moved = trained.root.rename(trained.folder / "moved")
    try:
        assert trained.refusal("train", root=moved).startswith("8 of the 8 train images")
        sentence = trained.refusal(root=copies)
        assert sentence.startswith(f"it is unknown which images run {trained.run.info.run_id} was trained on, since")
        assert "keeps no images.csv and" in sentence
        assert f"the images of {copies} have changed since: score other images, or these" in sentence
        assert trained.evaluate(allow=True, root=copies).data.tags["warning"].startswith("it is unknown")
    finally:
        moved.rename(trained.root)


def test_the_foreground_rule_that_was_asked_for_is_kept_in_mind(trained):
    """It was `auto`, which these cells have no truth for, but leaves have."""
    assert trained.run.data.tags["asked.clustering.foreground"] == "auto"
    run = trained.evaluate(name="synthetic-leaves", root="", images=2)
    assert stored_settings(run.info.run_id)["clustering.foreground"] == "truth"


def test_thresholds_are_searched_on_the_own_images_alone(trained, tmp_path):
    run_id, changes = trained.run.info.run_id, {"tuning.trials": "2"}
    other = copied(trained, tmp_path / "others", offset=1)
    for name in trained.names["train"] + trained.names["val"] + trained.names["test"]:  # of equal names and sizes
        for file in other.rglob(f"new_{name}.*"):
            file.rename(file.with_name(file.name.removeprefix("new_")))
    before = len(trained.client.search_runs([connect()]))
    with pytest.raises(StudyError) as error:
        search_run(run_id, ["sbd"], changes | {"data.root": str(other)})
    own = trained.run.data.tags["data_digest"]
    digest = opened(load_settings("folder", str(other)).data).digest()
    assert str(error.value) == (
        f"{other} (digest {digest}) does not hold the images of run {run_id} (digest {own}), on which its thresholds "
        "are searched: give their folder by --data_root, or score other images by evaluate"
    )
    assert len(trained.client.search_runs([connect()])) == before
    moved = shutil.copytree(trained.root, tmp_path / "moved")
    search_run(run_id, ["sbd"], changes | {"data.root": str(moved)})
    found = trained.client.search_runs([connect()], max_results=1)[0]
    assert found.data.tags["asked.clustering.foreground"] == "auto"
