import errno
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from PIL import Image
from sqlalchemy.exc import OperationalError

import study
from ablations.__main__ import main as ablations_main
from reports.cli import main as reports_main
from study.ablation.launch import LaunchResult
from study.cli import main as study_main
from study.options import exits

SMALL = "network.base_width=1,network.depth=1,training.steps=1,training.threads=1"
TINY = f"network.name=unet,{SMALL}"


def train(*options, overrides=TINY):
    return study_main, ["train", "--profile", "smoke", "--set", overrides, *options]


def ablate(*options, overrides=SMALL):
    return ablations_main, ["lambda", "--profile", "smoke", "--executor", "inline", "--set", overrides, *options]


def on_folder(root, command=train, **more):
    return command("--dataset", "folder", "--data_root", str(root), **more)


def outcome_of(command):
    return CliRunner().invoke(*command)


def assert_told(command, *words, status=1):
    """The command ends with its status and a single line that holds the words, and maybe a list of names below it."""
    found = outcome_of(command)
    assert isinstance(found.exception, SystemExit), found.exception
    assert found.exit_code == status
    line, *more = found.stderr.splitlines()
    assert all(names.startswith("  ") and len(names) <= 100 for names in more)  # a long list of names
    assert line.startswith("Error: ")
    for word in words:
        assert word in line
    assert "Traceback" not in found.output


def truncate(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def float_labels(file):
    Image.fromarray(np.full((16, 16), 0.5, np.float32)).save(file.with_suffix(".tif"))
    file.unlink()


def other_size(file):
    Image.fromarray(np.zeros((9, 16), np.uint8)).save(file)


def three_colours(file):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(file)


def no_image(file):
    file.write_text("not an image")


DEFECTS = {
    "no partner": (Path.unlink, "labels", "has no labels in"),
    "no image": (Path.unlink, "images", "has no image in"),
    "size": (other_size, "labels", "the image has 16 x 16 px but the labels have 9 x 16 px"),
    "truncated image": (truncate, "images", "replace the file, it is damaged"),
    "truncated labels": (truncate, "labels", "replace the file, it is damaged"),
    "text": (no_image, "images", "it is damaged or of another format"),
    "float labels": (float_labels, "labels", "labels that are not whole numbers"),
    "coloured labels": (three_colours, "labels", "marks objects by colours"),
}


@pytest.fixture(params=DEFECTS)
def damaged(request, tmp_path, write_folder):
    """A folder with one defect, and the words by which it is told."""
    damage, kind, words = DEFECTS[request.param]
    root = write_folder(tmp_path / "cells")
    damage(root / kind / "cell2.png")
    return root, words


@pytest.mark.usefixtures("store")
def test_training_tells_the_defect_of_a_file(damaged):
    root, words = damaged
    assert_told(on_folder(root), "cell2", words)


def test_the_check_lists_the_defect_of_a_file(damaged):
    root, words = damaged
    found = outcome_of((study_main, ["check_data", "--dataset", "folder", "--data_root", str(root)]))
    assert found.exit_code == 1
    assert found.stdout.splitlines()[0] == "folder: 3 images, 6 objects"
    defects = [line for line in found.stdout.splitlines() if line.startswith("defect: ") and "split" not in line]
    assert any("cell2" in line and words in line for line in defects)
    assert not found.stderr


def test_the_check_of_sound_data_counts_and_returns_0(tmp_path, write_folder):
    root = write_folder(tmp_path / "cells", count=8)
    found = outcome_of((study_main, ["check_data", "--dataset", "folder", "--data_root", str(root)]))
    lines = found.stdout.splitlines()
    assert (found.exit_code, found.stderr) == (0, "")
    assert lines[0] == "folder: 8 images, 16 objects"
    assert lines[1].startswith("train     6 images of 16 x 16 px, uint8, 3 channels; 12 objects: 2 to 2 per image")
    assert lines[-1] == "no defects found"


def test_the_check_of_many_defects_returns_1(tmp_path, write_folder):
    root = write_folder(tmp_path / "cells", count=8)
    for i in (1, 2, 3):
        truncate(root / "images" / f"cell{i}.png")
    found = outcome_of((study_main, ["check_data", "--dataset", "folder", "--data_root", str(root)]))
    assert found.exit_code == 1
    assert found.stdout.splitlines()[-1] == "3 defects found"


def test_data_that_is_not_there(tmp_path, write_folder):
    for command in (train, ablate):
        assert_told(
            command("--dataset", "leafs"),
            "unknown data set 'leafs', did you mean synthetic-leaves? Choose one of bbbc006",
        )
        assert_told(command("--dataset", "cvppp2017"), "data set cvppp2017 needs data_root", "A1/")
        assert_told(on_folder(tmp_path / "none", command), f"data_root {tmp_path}/none is not a folder")
    (tmp_path / "empty").mkdir()
    assert_told(on_folder(tmp_path / "empty"), f"{tmp_path}/empty has no folder images")
    write_folder(tmp_path / "unpaired", count=0)
    assert_told(on_folder(tmp_path / "unpaired"), "holds no image that can be read (it holds nothing)")
    assert_told((study_main, ["check_data", "--dataset", "leafs"]), "unknown data set 'leafs'")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            "network.widht=3",
            "unknown setting 'network.widht', did you mean network.",
        ),
        ("clustering.angle=270", "setting clustering.angle must be at least 0.1 and at most 180, not 270"),
        ("training.steps=many", "setting training.steps must be a whole number, not 'many'"),
        ("training.steps", "--set takes name=value pairs joined by commas"),
        ("network.depth=3,data.crop_size=20", "setting data.crop_size must be a multiple of 8"),
        ("data.crop_size=64", "setting data.crop_size must not exceed data.image_size"),
        ("network.norm=layer", "unknown value of network.norm 'layer': choose one of batch, group, none"),
    ],
)
@pytest.mark.parametrize("command", [train, ablate])
def test_settings_that_do_not_fit(command, overrides, words):
    assert_told(command(overrides=overrides), words)


def test_names_that_are_unknown():
    assert_told(train("--profile", "fast"), "unknown profile 'fast': choose one of full, quick, smoke")
    assert_told(train("--preset", "mine"), "unknown preset 'mine': choose one of code, paper")
    assert_told(ablate("--executor", "threads"), "unknown executor 'threads': choose one of dask, inline, pool")
    assert_told((ablations_main, ["lamda"]), "unknown ablation 'lamda', did you mean lambda? Choose one of these:")


@pytest.mark.parametrize("command", [train(), ablate()])
def test_the_profile_of_the_papers_has_another_name_than_the_preset(command):
    assert_told((command[0], [*command[1], "--profile", "paper"]), "the profile paper is called full", "--profile full")


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("search", "search_thresholds"),
        ("import-labels", "import_labels"),
        ("check-submission", "check_submission"),
    ],
)
def test_commands_that_are_spelled_otherwise_name_the_right_one(before, now):
    found = outcome_of((study_main, [before, "--run_id", "x"]))
    assert found.exit_code == 2
    assert f"\nError: unknown command {before!r}, did you mean {now}" in found.stderr


@pytest.mark.parametrize(
    "command",
    [
        (study_main, ["train"]),
        (study_main, ["import_labels"]),
        (ablations_main, ["lambda"]),
        (study_main, ["evaluate"]),
    ],
)
def test_the_help_lists_the_data_sets(command):
    told = " ".join(outcome_of((command[0], [*command[1], "--help"])).output.split())
    assert "synthetic-leaves, synthetic-cells, cvppp2017, bbbc006, bbbc039, dsb2018, folder, neurites, volume." in told


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("seeds", "words"), [("", "whole numbers"), ("0,a", "'0,a'"), ("1,1", "repeats a seed"), ("-1", "at least 0")]
)
def test_seeds_that_do_not_fit(seeds, words):
    assert_told(ablate("--seeds", seeds), "seed", words)


@pytest.mark.parametrize(
    "option", [("--slots", "-1"), ("--slots", "two"), ("--plan_only", "2"), ("--seeds",), ("--sed", "1")]
)
def test_options_that_the_command_line_itself_refuses(option):
    found = outcome_of(ablate(*option))
    assert found.exit_code == 2
    assert option[0] in found.stderr.splitlines()[-1]


@pytest.mark.usefixtures("store")
def test_a_gpu_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for command in (train, ablate):
        assert_told(command(overrides=f"{SMALL},training.device=cuda"), "training.device=cuda, but torch finds no GPU")


@pytest.mark.parametrize("fault", ["folder", "file"])
def test_a_store_that_cannot_be_written(fault, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("no folder and no database")
    address = f"sqlite:///{tmp_path}/file" + ("/mlflow.db" if fault == "folder" else "")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    for command in (train, ablate):
        assert_told(command(), f"the MLflow store {address} cannot be used", "another store by MLFLOW_TRACKING_URI")
    assert_told((study_main, ["evaluate", "--run_id", "x"]), "cannot be used")


@pytest.mark.usefixtures("store")
def test_a_folder_of_trainings_that_cannot_be_written(tmp_path):
    (tmp_path / "trainings").write_text("no folder")
    assert_told(train(), "cannot write trainings/", "free disk space or rights")


@pytest.mark.usefixtures("store")
def test_images_that_the_network_cannot_take(tmp_path, write_folder):
    odd = write_folder(tmp_path / "odd", shape=(18, 15))
    assert_told(on_folder(odd, overrides=f"{TINY},data.image_size=0"), "a multiple of 2", "set data.image_size")
    mixed = write_folder(tmp_path / "mixed")
    Image.fromarray(np.eye(16, dtype=np.uint8)).save(mixed / "images" / "cell1.png")
    assert_told(on_folder(mixed), "channel(s), but the network takes", "make all images grey or all RGB")


@pytest.mark.usefixtures("store")
def test_a_learning_rate_that_is_too_high():
    harsh = f"{TINY},network.norm=none,network.depth=4,training.steps=50,training.learning_rate=10"
    assert_told(
        train(overrides=f"{harsh},network.centre_embedding=false,training.gradient_clip=0,training.schedule=staircase"),
        "not finite",
        "lower training.learning_rate",
    )


def test_runs_that_cannot_be_evaluated(asked):
    def evaluate(run, *options):
        return study_main, ["evaluate", "--run_id", run.info.run_id, *options]

    child = asked.children["unet"]
    assert_told((study_main, ["evaluate", "--run_id", "abc"]), "there is no run 'abc' in sqlite:///")
    assert_told(evaluate(asked.parent), "keeps no network")
    assert_told(
        evaluate(child, "--split", "tset"), "unknown split 'tset', did you mean test? Choose one of test, train, val"
    )
    assert_told(evaluate(child, "--set", "network.depth=3"), "network.depth belongs to the trained network")
    misspelt = "unknown setting 'clusterin.angle', did you mean clustering.angle"
    assert_told(evaluate(child, "--set", "clusterin.angle=3"), misspelt)
    assert_told(evaluate(child, "--dataset", "folder"), "data set folder needs data_root")
    assert outcome_of((study_main, ["evaluate"])).exit_code == 2


def test_the_run_of_mlflow_run_says_why_it_fails(store, monkeypatch):
    given = store.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    assert_told(train("--dataset", "leafs"), "unknown data set 'leafs'")
    tags = store.get_run(given).data.tags
    assert tags["failure"].startswith("unknown data set 'leafs', did you mean synthetic-leaves?")
    assert tags["mlflow.note.content"] == tags["failure"]
    assert "MLFLOW_RUN_ID" not in os.environ
    monkeypatch.setenv("MLFLOW_RUN_ID", "none")  # of another store
    assert_told(train("--dataset", "leafs"), "unknown data set 'leafs'")
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/mlflow.db")
    assert_told(train("--dataset", "leafs"), "unknown data set 'leafs'")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full (No space left on device): free space"),
        (
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error")),
            "any more (disk I/O error): free",
        ),
        (OperationalError("SELECT 1", {}, Exception("server closed the connection")), "has gone away ("),
    ],
)
def test_a_disk_and_a_store_at_fault_are_told_by_every_command(error, words, monkeypatch):
    def fail(*_, **__):
        error.__cause__ = getattr(error, "orig", None)
        raise error

    for module in ("runs.commands.train_one", "runs.commands.evaluate_run"):
        monkeypatch.setattr(f"study.{module}", fail)
    assert_told(train(), words)
    assert_told((study_main, ["evaluate", "--run_id", "x"]), words)


def test_errors_of_ours_keep_their_traceback(monkeypatch):
    monkeypatch.setattr("study.runs.commands.train_one", lambda *_, **__: 1 / 0)
    assert isinstance(outcome_of(train()).exception, ZeroDivisionError)


def test_names_of_files_that_are_no_text_are_told():
    @click.command()
    @exits
    def command():
        click.echo("labels in latin\udce9")

    found = CliRunner().invoke(command)
    assert (found.exit_code, found.stdout) == (0, "labels in latin\\udce9\n")


def test_stopping_by_the_keyboard(monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("study.runs.commands.train_one", stopped)
    found = outcome_of(train())
    assert (found.exit_code, found.stderr) == (130, "stopped\n")


@pytest.mark.parametrize(("failed", "status"), [(0, 0), (1, 1), (12, 1)])
def test_failed_runs_give_the_status(failed, status, monkeypatch):
    monkeypatch.setattr("study.ablation.launch.run_ablations", lambda *_, **__: LaunchResult(failed, []))
    assert outcome_of(ablate()).exit_code == status


MAINS = {"study": study_main, "ablations": ablations_main, "reports": reports_main}
MLPROJECT = Path(study.__file__).parents[1] / "MLproject"
ENTRY_POINTS = yaml.safe_load(MLPROJECT.read_text())["entry_points"]


@pytest.mark.parametrize("name", ENTRY_POINTS)
@pytest.mark.parametrize("given", [{}, {"data_root": "/my images/a, b", "set": "training.steps=1,network.depth=2"}])
def test_entry_points_fit_the_command_lines(name, given, monkeypatch):
    asked_for = []

    def called(result):
        return lambda *given, **named: asked_for.append((given, named)) or result

    def asked(ablations, base, *_, **__):
        asked_for.append((ablations, [base(ablation, ablation.control) for ablation in ablations]))
        return LaunchResult(0, [])

    monkeypatch.setattr("study.ablation.launch.run_ablations", asked)
    monkeypatch.setattr("study.deploy.promote.load_model", lambda *_: SimpleNamespace(about="x"))
    for target in (
        *("runs.commands.train_one", "runs.commands.evaluate_run", "runs.commands.search_run"),
        *("runs.imported_labels.import_labels", "resolved_settings.table_of_settings"),
        *("deploy.promote.promote", "deploy.predict.predict", "deploy.submit.submit"),
    ):
        monkeypatch.setattr(f"study.{target}", called(0))
    monkeypatch.setattr("reports.build.making.make_reports", called(0))
    monkeypatch.setattr("study.deploy.submit.check_submission", called([]))
    monkeypatch.setattr("study.data.sets.opening.open_dataset", called(None))
    monkeypatch.setattr("study.data.check.check", lambda _: SimpleNamespace(defects=[]))
    entry_point = ENTRY_POINTS[name]
    defaults = {key: spec.get("default", "x") for key, spec in entry_point["parameters"].items()}
    values = {key: shlex.quote(value) for key, value in (defaults | given).items()}
    python, dash_m, module, *arguments = shlex.split(entry_point["command"].format(**values))
    assert (python, dash_m) == ("python", "-m")
    found = CliRunner().invoke(MAINS[module], arguments)
    assert found.exit_code == 0, found.output
    assert len(asked_for) == (2 if name == "ablate_all" and "dataset" not in given else 1)  # by their data sets
    if "data_root" in given.keys() & entry_point["parameters"].keys():
        assert given["data_root"] in str(asked_for)


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Real command lines, started together: exit status, stdout and stderr of each."""
    folder = tmp_path_factory.mktemp("processes")
    environment = os.environ | {
        "PYTHONPATH": str(Path(study.__file__).parents[1]),
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "OMP_NUM_THREADS": "1",
    }
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", *command.split()],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, command in {
            "server": "study train --profile smoke",
            "ablation": "ablations lamda",
            "check": "study check_data --dataset folder --data_root none",
        }.items()
    }
    ended = {name: (process.communicate(timeout=120), process.returncode) for name, process in started.items()}
    return {name: (status, *output) for name, (output, status) in ended.items()}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        # MLflow alone would try for minutes
        ("server", "Error: the MLflow store http://127.0.0.1:9 does not answer"),
        ("ablation", "Error: unknown ablation 'lamda'"),
        ("check", "Error: data_root /"),
    ],
)
def test_real_processes_end_with_a_sentence(processes, name, words):
    status, out, err = processes[name]
    assert status == 1
    assert out == ""
    assert err.startswith(words)
    if name == "check":
        assert "/none is not a folder" in err  # the whole path, as it was understood
    _, *names = err.splitlines()
    assert all(line.startswith("  ") for line in names)
