import io
import json

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from filelock import FileLock, Timeout
from mlflow.artifacts import download_artifacts, load_text

import study.em.run
from study.cli import main
from study.data.sets.neurites import neurites
from study.em.settings import VolumeSettings, load_volume_settings
from study.em.training import build_network
from study.errors import StudyError
from study.runs.cache import TRAININGS
from study.tracking import connect

SCORES = {
    f"{name}{kind}" for name in ("voi_split", "voi_merge", "voi", "arand", "n_pred") for kind in ("", "_components")
}


def train_em(*options, overrides=""):
    arguments = ["train_em", "--profile", "smoke", "--set", f"training.threads=1,{overrides}", *options]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def run_of(store, number=0):
    return store.search_runs([connect()])[number]


def curve_of(store, run):
    return [(point.step, point.value) for point in store.get_metric_history(run.info.run_id, "train/loss")]


def scores_of(run):
    return {name: value for name, value in run.data.metrics.items() if not name.startswith("perf/")}


def kept_files():
    """What is kept of the only training, beside its lock."""
    (folder,) = TRAININGS.iterdir()
    return {file.name for file in folder.iterdir()} - {"lock", "owner"}


def break_off(monkeypatch, name):
    """A launch that is stopped where it calls the function of that name in `study.em.run`."""

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(study.em.run, name, stop)
        assert train_em().exit_code == 130


@pytest.fixture
def root(tmp_path):
    """A data set of files, partly unlabelled, with large ids and gaps between them."""
    folder = tmp_path / "volumes"
    folder.mkdir()
    for seed, split in enumerate(("train", "test")):
        raw, labels = neurites(np.random.default_rng(seed), (9, 40, 36))
        labels = np.where(labels == 1, 0, 10_000_000 * labels.astype(np.int64) // 2)
        with h5py.File(folder / f"{split}.h5", "w") as file:
            file["raw"], file["labels"] = raw.astype(np.uint16) * 10, labels
    return str(folder)


def test_a_run_on_the_synthetic_volume(store):
    found = train_em("--seed", "3")
    assert found.exit_code == 0
    lines = found.stdout.splitlines()
    assert lines[0].startswith("em, seed 3 on neurites; store sqlite:///")
    assert lines[-1].startswith("test volume: VOI ")
    run = run_of(store)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"data.name": "neurites", "seed": "3"}
    assert run.data.tags["dataset"] == "neurites"
    assert run.data.tags["network.base_width"] == "2"
    assert run.data.tags["mlflow.note.content"].startswith("Neurons by pixel-embedded affinity")
    metrics = run.data.metrics
    assert {f"{split}/{name}" for split in ("val", "test") for name in (*SCORES, "n_true")} <= set(metrics)
    assert metrics["test/voi"] == pytest.approx(metrics["test/voi_split"] + metrics["test/voi_merge"])
    assert {"chosen/threshold", "chosen/min_size", "chosen/component_threshold"} <= set(metrics)
    assert {"perf/training_seconds", "perf/inference_seconds"} <= set(metrics)
    assert [step for step, _ in curve_of(store, run)] == [1, 2, 3, 4]
    table = pd.read_csv(io.StringIO(load_text(f"runs:/{run.info.run_id}/scores_test.csv")))
    assert len(table) == 1
    assert set(table) == {"image", "n_true", *SCORES}
    assert table["arand"][0] == pytest.approx(metrics["test/arand"])
    kept = VolumeSettings().with_(json.loads(load_text(f"runs:/{run.info.run_id}/settings.json")))
    assert kept == load_volume_settings(profile="smoke", overrides="training.threads=1").with_({"seed": 3})
    (data,) = run.inputs.dataset_inputs
    assert json.loads(data.dataset.profile) == {"train": 8, "val": 8, "test": 8}
    assert {item.path for item in store.list_artifacts(run.info.run_id, "test_pictures")} == {
        f"test_pictures/{i}.png" for i in range(3)
    }
    assert len([item for item in store.list_artifacts(run.info.run_id, "images") if item.path.endswith(".png")]) == 3


def test_the_weights_are_kept(store):
    train_em()
    file = download_artifacts(f"runs:/{run_of(store).info.run_id}/network/weights.pt")
    network = build_network(load_volume_settings(profile="smoke"), torch.device("cpu"))
    network.load_state_dict(torch.load(file, weights_only=True))


def test_the_same_seed_gives_the_same_scores(store, monkeypatch):
    monkeypatch.setattr(study.em.run.tracking, "finished_run", lambda _: None)
    for seed in ("0", "0", "1"):
        assert train_em("--seed", seed).exit_code == 0
    other, again, one = (scores_of(run_of(store, i)) for i in range(3))
    assert one == again
    assert one["train/loss"] != other["train/loss"]


def test_what_has_been_run_before_is_taken_from_there(store, monkeypatch):
    train_em()
    monkeypatch.setattr(study.em.run, "train", None)
    found = train_em("--set", "training.threads=2")
    assert found.exit_code == 0
    again, first = (run_of(store, i) for i in range(2))
    assert f"the same has been run before: its results are taken from run {first.info.run_id}" in found.stdout
    assert again.data.tags["reused_from"] == first.info.run_id
    assert again.data.metrics == first.data.metrics


def test_a_training_that_was_killed_goes_on(store, monkeypatch):
    train_em()
    undisturbed = run_of(store)
    store.delete_run(undisturbed.info.run_id)
    assert kept_files() == set()
    log_metrics, terms, steps = study.em.run.TrackedRun.log_metrics, study.em.training.loss_terms, []

    def killing(run, *points):
        if points[0].step == 3:
            raise KeyboardInterrupt
        log_metrics(run, *points)

    with monkeypatch.context() as patch:
        patch.setattr(study.em.run.TrackedRun, "log_metrics", killing)
        assert train_em().exit_code == 130
    assert kept_files() == {"checkpoint.pt"}
    monkeypatch.setattr(study.em.training, "loss_terms", lambda *given: steps.append(1) or terms(*given))
    assert train_em().exit_code == 0
    assert len(steps) == 2  # of four
    resumed, first = (run_of(store, i) for i in range(2))
    assert first.info.status == "FAILED"
    assert curve_of(store, resumed) == curve_of(store, undisturbed)
    assert scores_of(resumed) == scores_of(undisturbed)
    assert kept_files() == set()


@pytest.mark.parametrize("options", [(), ("--set", "training.threads=1,clustering.stride=1")])
def test_a_training_whose_run_died_later_is_not_done_again(store, monkeypatch, options):
    break_off(monkeypatch, "choose")
    assert kept_files() == {"finished.pt"}
    with monkeypatch.context() as patch:
        patch.setattr(study.em.run, "train", None)
        assert train_em(*options).exit_code == 0
    again, first = (run_of(store, i) for i in range(2))
    assert (again.info.status, first.info.status) == ("FINISHED", "FAILED")
    assert curve_of(store, again) == curve_of(store, first)
    assert again.data.metrics["perf/training_seconds"] == first.data.metrics["perf/training_seconds"]
    assert kept_files() == set()
    for run in (again, first):
        store.delete_run(run.info.run_id)
    train_em(*options)
    assert scores_of(run_of(store)) == scores_of(again)  # to the last digit


def test_what_is_kept_goes_too_where_a_run_died_after_its_end(store, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(study.em.run.KeptTraining, "clear", lambda _: None)
        train_em()
    assert kept_files() == {"finished.pt"}
    train_em()
    assert "reused_from" in run_of(store).data.tags
    assert kept_files() == set()


def test_a_damaged_checkpoint_is_told(store, monkeypatch):
    break_off(monkeypatch, "train")
    (folder,) = TRAININGS.iterdir()
    (folder / "checkpoint.pt").write_text("no checkpoint")
    found = train_em()
    assert found.exit_code == 1
    reason = f"cannot read the checkpoint {folder}/checkpoint.pt: delete it to start afresh"
    assert found.stderr == f"Error: {reason}\n"
    assert run_of(store).data.tags["failure"] == reason


def test_one_process_at_a_time_looks_what_is_known_and_works(store, monkeypatch):
    asked = []

    def locked(function):
        def call(*given):
            (folder,) = TRAININGS.iterdir()
            with pytest.raises(Timeout), FileLock(folder / "lock", timeout=0):
                pass
            asked.append(function.__name__)
            return function(*given)

        return call

    monkeypatch.setattr(study.em.run.tracking, "finished_run", locked(study.em.run.tracking.finished_run))
    monkeypatch.setattr(study.em.run.tracking, "copy_run", locked(study.em.run.tracking.copy_run))
    for name in ("train", "choose"):
        monkeypatch.setattr(study.em.run, name, locked(getattr(study.em.run, name)))
    assert [train_em().exit_code for _ in range(2)] == [0, 0]
    assert asked == ["finished_run", "train", "choose", "finished_run", "copy_run"]
    (folder,) = TRAININGS.iterdir()
    with FileLock(folder / "lock", timeout=0):
        pass


def test_a_run_on_files(store, root):
    found = train_em("--dataset", "volume", "--data_root", root, overrides="data.planes=0,data.side=0")
    assert found.exit_code == 0
    run = run_of(store)
    assert run.data.tags["dataset"] == "volume"
    assert run.data.metrics["test/n_true"] >= 2
    (data,) = run.inputs.dataset_inputs
    assert json.loads(data.dataset.profile) == {"train": 7, "val": 2, "test": 9}
    assert "the last 2 of the 9 planes of train.h5 are validation" in run.data.tags["mlflow.note.content"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [(StudyError("mend this"), "mend this"), (KeyboardInterrupt(), "KeyboardInterrupt"), (MemoryError("x"), "x")],
)
def test_a_run_that_fails_is_marked_so(store, monkeypatch, error, reason):
    def fail(*_):
        raise error

    monkeypatch.setattr(study.em.run, "train", fail)
    with pytest.raises(type(error)):
        study.em.run.train_em(load_volume_settings(profile="smoke", overrides="training.threads=1"))
    run = run_of(store)
    assert run.info.status == "FAILED"
    assert reason in run.data.tags["failure"]


@pytest.mark.parametrize(
    ("options", "overrides", "words"),
    [
        (("--dataset", "leaves"), "", "unknown data set of volumes 'leaves': choose one of neurites, volume"),
        (("--dataset", "volume"), "", "data set volume needs data_root"),
        (("--profile", "fast"), "", "unknown profile 'fast'"),
        ((), "network.dept=2", "unknown setting 'network.dept'"),
        ((), "data.crop_planes=12", "train is too small: it has 8 x 32 x 32 voxels, and a training crop needs 12 x 16"),
        ((), "training.device=cuda", "torch finds no GPU here"),
    ],
)
def test_faults_are_told_in_a_sentence(store, monkeypatch, options, overrides, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    found = train_em(*options, overrides=overrides)
    assert found.exit_code == 1
    (line,) = found.stderr.splitlines()
    assert line.startswith("Error: ")
    assert words in line
    assert not store.search_runs([connect()])


def test_test_planes_that_the_network_cannot_pool(store, root):
    with h5py.File(f"{root}/test.h5", "a") as file:
        for name in ("raw", "labels"):
            array = file[name][:, 5:6]
            del file[name]
            file[name] = array
    found = train_em("--dataset", "volume", "--data_root", root, overrides="data.planes=0,data.side=0")
    assert "test.h5 is too small: it has 9 x 1 x 36 voxels, and the network needs 1 x 2 x 2" in found.stderr
