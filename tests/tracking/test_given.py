import json
import sys
from pathlib import Path

import mlflow
import pytest

import study
from study.settings import Settings
from study.tracking import connect, name_given_run, start_run


def test_the_run_of_the_launch_is_taken_by_the_first_run_that_has_no_parent(store, monkeypatch):
    experiment = connect()
    launch = store.create_run(experiment).info.run_id
    store.log_param(launch, "seed", "0")  # as `mlflow run` does before the command starts
    monkeypatch.setenv("MLFLOW_RUN_ID", launch)
    first = start_run(experiment, "first", "", {}, Settings())
    assert first.run_id == launch
    assert start_run(experiment, "second", "", {}).run_id != launch
    monkeypatch.setenv("MLFLOW_RUN_ID", launch)  # as a spawned worker inherits it
    child = start_run(experiment, "child", "", {}, parent_id=launch)
    assert child.run_id != launch
    assert store.get_run(child.run_id).data.tags["mlflow.parentRunId"] == launch


def test_the_run_of_the_launch_in_another_experiment_tells_where_the_runs_are(store, monkeypatch):
    launch = store.create_run(
        "0", tags={"mlflow.project.entryPoint": "train", "mlflow.source.type": "PROJECT", "a": "b"}
    )
    for name in ("seed", "dataset"):
        store.log_param(launch.info.run_id, name, "07")  # text of an option; the setting is 0
    monkeypatch.setenv("MLFLOW_RUN_ID", launch.info.run_id)
    experiment = connect()
    run = start_run(experiment, "first", "a note", {}, Settings(), ["network.name"])
    found = store.get_run(run.run_id)
    assert (found.info.experiment_id, found.info.run_name) == (experiment, "first")
    assert found.data.params == {"seed": "0", "dataset": "07", "network.name": "wnet"}
    tags = found.data.tags
    assert (tags["mlflow.project.entryPoint"], tags["mlflow.source.type"]) == ("train", "PROJECT")
    assert tags["mlflow.note.content"] == "a note"
    assert "a" not in tags
    pointing = store.get_run(launch.info.run_id)
    assert pointing.info.status == "RUNNING"  # `mlflow run` ends it
    assert pointing.info.run_name == "first (mlflow run)"
    assert (
        "experiment [pixel-embeddings](#/experiments/1/runs?workflowType=machine_learning)"
        in pointing.data.tags["mlflow.note.content"]
    )
    assert run.run_id in pointing.data.tags["mlflow.note.content"]
    assert "process" not in pointing.data.tags
    assert not start_run(experiment, "second", "", {}).client.get_run(run.run_id).data.tags.get("dataset")


@pytest.mark.parametrize("named", ["", "mine"])
def test_what_mlflow_run_starts_is_in_the_experiment_that_was_asked_for(named, store, monkeypatch, tmp_path):
    (tmp_path / "launch.py").write_text(
        "from study.tracking import connect, start_run, working_on\n"
        "run = start_run(connect(), 'lambda on leaves', 'a note', {})\n"
        "with working_on(run):\n    pass\n"
    )
    command = f"{sys.executable} launch.py --seeds {{seeds}}"
    parameters = {"seeds": {"type": "string", "default": "0,1"}}
    project = {"name": "x", "entry_points": {"main": {"parameters": parameters, "command": command}}}
    (tmp_path / "MLproject").write_text(json.dumps(project))  # which is YAML too
    monkeypatch.setenv("PYTHONPATH", str(Path(study.__file__).parents[1]))
    given = mlflow.projects.run(str(tmp_path), env_manager="local", experiment_name=named or None).run_id
    experiment = store.get_experiment_by_name(named or "pixel-embeddings").experiment_id
    (run,) = store.search_runs([experiment])
    assert (run.info.run_name, run.info.status) == ("lambda on leaves", "FINISHED")
    assert run.data.params == {"seeds": "0,1"}
    assert run.data.tags["mlflow.project.entryPoint"] == "main"
    assert run.data.tags["mlflow.source.type"] == "PROJECT"
    if named:
        assert run.info.run_id == given
        assert not store.search_runs(["0"])
    else:
        (pointing,) = store.search_runs(["0"])
        assert (pointing.info.run_id, pointing.info.status) == (given, "FINISHED")
        assert run.info.run_id in pointing.data.tags["mlflow.note.content"]


def test_a_program_without_runs_of_its_own_names_the_given_one(store, monkeypatch):
    given = store.create_run("0").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    name_given_run("promote", "a note")
    name_given_run("another", "")  # there is none any more
    found = store.get_run(given)
    assert (found.info.run_name, found.data.tags["mlflow.note.content"]) == ("promote", "a note")
