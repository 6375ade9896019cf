import csv
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from ablations import _study, asked_by, find_ablations
from ablations._study import ROWS, SCORES, Row, launches, main, published_in, read_rows
from study.profiles import parse_overrides
from study.runs.job import variant_name

ONE = Row("leaves", "Leaves", True, False, 1, "lambda", "cvppp2017", "cvppp", "data.image_size=128", ("0", "1", "2"))
TWO = Row("volumes", "Volumes", False, True, 2, "em", "neurites", "", "training.steps=4", ("0",))


def test_the_first_row_is_read_as_it_stands():
    with ROWS.open() as lines:
        first = next(csv.DictReader(lines))
    row = read_rows()[0]
    assert (row.key, row.data, row.question, row.set) == (first["key"], first["data"], first["question"], first["set"])
    assert (row.real, row.pictures, row.times, row.seeds) == (True, True, 1, ("0", "1", "2"))


def test_rows_ask_questions_that_there_are():
    for row in read_rows():
        assert asked_by(row.question), row
        assert "training.steps" in parse_overrides(row.set), row


@pytest.mark.parametrize("times", [2, 4])
def test_the_control_differs_from_the_study_in_its_steps_alone(times):
    rows = read_rows()
    main_rows = {row.key: parse_overrides(row.set) for row in rows if row.times == 1 and row.question == "all"}
    control = [row for row in rows if row.times == times]
    assert control
    for row in control:
        own, of_study = parse_overrides(row.set), main_rows[row.key]
        assert int(own.pop("training.steps")) == times * int(of_study["training.steps"])
        assert own.items() <= of_study.items()
        assert row.seeds == ("0",)


def test_experiments_tell_budgets_apart():
    assert (ONE.experiment, TWO.experiment) == ("study-leaves", "study-volumes-x2")
    for experiment in {row.experiment for row in read_rows()}:
        of_experiment = {(row.data, row.times) for row in read_rows() if row.experiment == experiment}
        assert len(of_experiment) == 1


def test_a_seed_is_whole_before_the_next_one():
    more = replace(ONE, question="systems", seeds=("0", "1"))
    found = [(row.question, seed) for row, seed in launches([ONE, more, TWO])]
    leaves = [("lambda", "0"), ("systems", "0"), ("lambda", "1"), ("systems", "1"), ("lambda", "2")]
    assert found == [*leaves, ("em", "0")]


def test_what_is_published_is_not_launched():
    assert [(row.key, seed) for row, seed in launches([ONE, TWO], {(ONE, "1"), (TWO, "0")})] == [
        ("leaves", "0"),
        ("leaves", "2"),
    ]


def write_published(folder, row, times, runs):
    """A file of scores with two images of each run: question, variant and seed."""
    of_runs = [(times, *run, image, 0.5) for run in runs for image in ("a", "NA")]
    (folder / row.key).mkdir(exist_ok=True)
    table = pd.DataFrame(of_runs, columns=["times", "question", "variant", "seed", "image", "sbd"])
    table.to_csv(folder / row.key / SCORES, index=False)


def test_a_seed_is_published_where_all_its_variants_are(tmp_path):
    assert published_in(tmp_path, [ONE, TWO]) == set()
    names = [variant_name(variant) for variant in find_ablations()["lambda"].variants()]
    runs = [("lambda", name, seed) for seed in (0, 1) for name in names]
    write_published(tmp_path, ONE, 1, runs[:-1])
    assert published_in(tmp_path, [ONE, TWO, replace(ONE, times=2)]) == {(ONE, "0")}
    assert published_in(tmp_path, [replace(ONE, question="all")]) == set()


def test_the_command_is_that_of_a_question():
    given = ONE.command("1", Path("/data"))
    assert given[0] == "lambda"
    pairs = dict(zip(given[1::2], given[2::2], strict=True))
    assert pairs == {
        "--dataset": "cvppp2017",
        "--data_root": "/data/cvppp",
        "--set": "data.image_size=128",
        "--seeds": "1",
        "--report": "0",
    }
    assert "--data_root" not in TWO.command("0", Path("/data"))


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What is started, and in which experiment; a launch ends with the status of its question."""
    calls, statuses = [], {"lambda": 0, "em": 0}

    def run(command, env, check):
        calls.append((command[3], command[command.index("--seeds") + 1], env["MLFLOW_EXPERIMENT_NAME"]))
        assert "MLFLOW_RUN_ID" not in env
        return subprocess.CompletedProcess(command, statuses[command[3]])

    monkeypatch.setattr(_study.subprocess, "run", run)
    monkeypatch.setattr(_study, "read_rows", lambda: [ONE, TWO])
    monkeypatch.setattr(_study, "PUBLISHED", tmp_path / "published")
    monkeypatch.setitem(os.environ, "MLFLOW_RUN_ID", "another")
    return calls, statuses


def test_a_failed_launch_leaves_the_others_alone(started, tmp_path):
    calls, statuses = started
    statuses["lambda"] = 1
    ended = CliRunner().invoke(main, ["--data_root", str(tmp_path)])
    assert ended.exit_code == 1
    assert calls[-1] == ("em", "0", "study-volumes-x2")
    assert [seeds for _, seeds, _ in calls] == ["0", "1", "2", "0"]


def test_a_stopped_launch_stops_the_study(started, tmp_path):
    calls, statuses = started
    statuses["lambda"] = 130
    assert CliRunner().invoke(main, ["--data_root", str(tmp_path)]).exit_code == 130
    assert len(calls) == 1


def test_a_plan_is_of_what_is_left(started, tmp_path):
    calls, _ = started
    names = [variant_name(variant) for variant in find_ablations()["lambda"].variants()]
    (tmp_path / "published").mkdir()
    write_published(tmp_path / "published", ONE, 1, [("lambda", name, 0) for name in names])
    assert CliRunner().invoke(main, ["--data_root", str(tmp_path), "--plan_only", "1"]).exit_code == 0
    assert [(name, seed) for name, seed, _ in calls] == [("lambda", "1"), ("lambda", "2"), ("em", "0")]


def test_only_some_data_sets(started, tmp_path):
    calls, _ = started
    assert CliRunner().invoke(main, ["--data_root", str(tmp_path), "--only", "volumes"]).exit_code == 0
    assert [name for name, _, _ in calls] == ["em"]
    told = CliRunner().invoke(main, ["--data_root", str(tmp_path), "--only", "plants"])
    assert "plants is none of leaves, volumes" in told.output


def test_some_data_sets_are_launched_in_the_order_of_all(started, tmp_path, monkeypatch):
    calls, statuses = started
    statuses["cells"] = 0
    further = replace(ONE, question="cells", seeds=("0",))  # a row of the first data set, after those of another one
    monkeypatch.setattr(_study, "read_rows", lambda: [ONE, TWO, further])
    assert CliRunner().invoke(main, ["--data_root", str(tmp_path), "--only", "leaves"]).exit_code == 0
    assert [(name, seed) for name, seed, _ in calls] == [
        ("lambda", "0"),
        ("lambda", "1"),
        ("lambda", "2"),
        ("cells", "0"),
    ]
