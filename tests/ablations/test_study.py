import csv
import os
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from ablations import _study, asked_by
from ablations._study import ROWS, Row, launches, main, read_rows
from study.profiles import parse_overrides

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


def test_a_row_is_launched_with_more_and_more_seeds():
    assert [(row.key, seeds) for row, seeds in launches([ONE, TWO])] == [
        ("leaves", ("0",)),
        ("leaves", ("0", "1")),
        ("leaves", ("0", "1", "2")),
        ("volumes", ("0",)),
    ]


def test_the_command_is_that_of_a_question():
    given = ONE.command(("0", "1"), Path("/data"))
    assert given[0] == "lambda"
    pairs = dict(zip(given[1::2], given[2::2], strict=True))
    assert pairs == {
        "--dataset": "cvppp2017",
        "--data_root": "/data/cvppp",
        "--set": "data.image_size=128",
        "--seeds": "0,1",
        "--report": "0",
    }
    assert "--data_root" not in TWO.command(("0",), Path("/data"))


@pytest.fixture
def started(monkeypatch):
    """What is started, and in which experiment; a launch ends with the status of its question."""
    calls, statuses = [], {"lambda": 0, "em": 0}

    def run(command, env, check):
        calls.append((command[3], command[command.index("--seeds") + 1], env["MLFLOW_EXPERIMENT_NAME"]))
        assert "MLFLOW_RUN_ID" not in env
        return subprocess.CompletedProcess(command, statuses[command[3]])

    monkeypatch.setattr(_study.subprocess, "run", run)
    monkeypatch.setattr(_study, "read_rows", lambda: [ONE, TWO])
    monkeypatch.setitem(os.environ, "MLFLOW_RUN_ID", "another")
    return calls, statuses


def test_a_failed_launch_leaves_the_others_alone(started, tmp_path):
    calls, statuses = started
    statuses["lambda"] = 1
    ended = CliRunner().invoke(main, ["--data_root", str(tmp_path)])
    assert ended.exit_code == 1
    assert calls[-1] == ("em", "0", "study-volumes-x2")
    assert [seeds for _, seeds, _ in calls] == ["0", "0,1", "0,1,2", "0"]


def test_a_stopped_launch_stops_the_study(started, tmp_path):
    calls, statuses = started
    statuses["lambda"] = 130
    assert CliRunner().invoke(main, ["--data_root", str(tmp_path)]).exit_code == 130
    assert len(calls) == 1


def test_a_plan_is_of_all_seeds_at_once(started, tmp_path):
    calls, _ = started
    assert CliRunner().invoke(main, ["--data_root", str(tmp_path), "--plan_only", "1"]).exit_code == 0
    assert [seeds for _, seeds, _ in calls] == ["0,1,2", "0"]


def test_only_some_data_sets(started, tmp_path):
    calls, _ = started
    assert CliRunner().invoke(main, ["--data_root", str(tmp_path), "--only", "volumes"]).exit_code == 0
    assert [name for name, _, _ in calls] == ["em"]
    told = CliRunner().invoke(main, ["--data_root", str(tmp_path), "--only", "plants"])
    assert "plants is none of leaves, volumes" in told.output
