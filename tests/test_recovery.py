"""Launches in processes of their own, on a store and in a folder of their own, that are killed, stopped or meet."""

import multiprocessing
import os
import re
import shutil
import signal
from collections import Counter
from types import SimpleNamespace

import psutil
import pytest
from click.testing import CliRunner

from ablations.__main__ import main
from study.ablation import question
from study.profiles import load_settings
from study.runs import pipeline
from study.runs.commands import train_one
from tests.launches import (
    INLINE,
    NAME,
    OPTIONS,
    POOL,
    RUNS,
    SIZES,
    TRAININGS,
    all_histories,
    client_of,
    ended,
    has_finished_runs,
    is_there,
    kill,
    parents_and_children,
    runs_in,
    start,
    statuses,
    wait_until,
)


@pytest.fixture(scope="module")
def new_folder(empty_store, tmp_path_factory):
    """Make a working folder with an empty store."""

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        shutil.copy(empty_store, folder / "mlflow.db")
        return folder

    return make


@pytest.fixture(scope="module")
def undisturbed(new_folder):
    """A launch that nothing has disturbed: its folder, and what its runs hold, by name."""
    folder = new_folder("undisturbed")
    assert ended(start(folder, *INLINE)) == 0
    client = client_of(folder)
    (parent,), children = parents_and_children(client)
    assert statuses(client) == {"FINISHED": 1 + RUNS}
    return SimpleNamespace(folder=folder, parent=parent, scores=all_histories(client, children))


def assert_whole(folder, undisturbed, disturbed):
    """The latest launch has finished everything and found what the undisturbed one did; the others are KILLED."""
    client = client_of(folder)
    parents, children = parents_and_children(client)
    assert [run.info.status for run in parents] == ["FINISHED"] + ["KILLED"] * disturbed
    assert Counter(run.info.status for run in children) == {"FINISHED": RUNS}
    assert "RUNNING" not in statuses(client)
    found = all_histories(client, children)
    assert found.keys() == undisturbed.scores.keys()
    assert {key: found[key] for key in found if found[key] != undisturbed.scores[key]} == {}


def assert_stopped(folder):
    """The launch and the run that it was at are KILLED, and none is RUNNING."""
    found = statuses(client_of(folder))
    assert found["KILLED"] >= 2
    assert "RUNNING" not in found


def test_killed_while_it_trains_then_while_it_clusters_then_between_two_runs(undisturbed, new_folder):
    folder = new_folder("killed")
    launch = start(folder, *POOL)
    wait_until(launch, is_there(folder, "checkpoint.pt"))
    workers = psutil.Process(launch.pid).children()
    assert len(workers) >= TRAININGS
    launch.kill()  # alone, as a system without memory does
    launch.wait()
    assert not psutil.wait_procs(workers, timeout=10)[1]
    assert not is_there(folder, "finished.pt")()
    assert statuses(client_of(folder))["RUNNING"] >= 2  # the launch and a run

    launch = start(folder, *INLINE)
    wait_until(launch, is_there(folder, "maps_test.bin"))
    kill(launch)
    assert is_there(folder, "finished.pt")()
    assert not has_finished_runs(folder)()

    launch = start(folder, *INLINE)
    wait_until(launch, has_finished_runs(folder))
    kill(launch)
    assert has_finished_runs(folder, 1)()
    assert not has_finished_runs(folder, RUNS)()

    assert ended(start(folder, *INLINE)) == 0
    assert_whole(folder, undisturbed, 3)


def test_stopped_from_the_keyboard(undisturbed, new_folder):
    folder = new_folder("stopped")
    launch = start(folder, *POOL)
    wait_until(launch, is_there(folder, "checkpoint.pt"))
    os.killpg(launch.pid, signal.SIGINT)
    assert ended(launch, 30) == 130
    assert_stopped(folder)
    assert ended(start(folder, *INLINE)) == 0
    assert_whole(folder, undisturbed, 1)


def test_stopped_by_two_signals(new_folder):
    """As the key stops `mlflow run`, which sends the second one."""
    folder = new_folder("stopped_twice")
    launch = start(folder, *POOL)
    wait_until(launch, is_there(folder, "checkpoint.pt"))
    workers = psutil.Process(launch.pid).children()
    os.killpg(launch.pid, signal.SIGINT)
    os.kill(launch.pid, signal.SIGTERM)
    assert ended(launch, 30) in (130, -signal.SIGINT, -signal.SIGTERM)
    assert_stopped(folder)
    assert not psutil.wait_procs(workers, timeout=10)[1]


def test_two_launches_at_once_train_nothing_twice(undisturbed, new_folder):
    folder = new_folder("together")
    launches = [start(folder, *INLINE) for _ in range(2)]
    assert [ended(launch) for launch in launches] == [0, 0]
    client = client_of(folder)
    assert statuses(client) == {"FINISHED": 2 * (1 + RUNS)}
    holders = [run.data.tags["training_digest"] for run in runs_in(client) if "holds_network" in run.data.tags]
    assert len(holders) == len(set(holders)) == TRAININGS
    for parent in parents_and_children(client)[0]:
        children = [r for r in runs_in(client) if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert len(children) == RUNS


def test_a_second_launch_trains_nothing(undisturbed, monkeypatch):
    def train(*_):
        raise AssertionError("it has been trained before")

    monkeypatch.setattr(pipeline, "train", train)
    monkeypatch.chdir(undisturbed.folder)
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", f"sqlite:///{undisturbed.folder}/mlflow.db"
    )  # MLflow keeps stores by name
    client = client_of(undisturbed.folder)
    before = {run.info.run_id: run for run in runs_in(client)}
    same = CliRunner().invoke(main, [NAME, *OPTIONS, *INLINE])
    assert (
        f"answered before, by the same runs and code: see the parent run {undisturbed.parent.info.run_id}"
        in same.output
    )
    assert {run.info.run_id for run in runs_in(client)} == before.keys()

    monkeypatch.setattr(question, "digest_of", lambda _: "edited figures")  # the answer is drawn anew
    ended = CliRunner().invoke(main, [NAME, *OPTIONS, *INLINE])
    assert ended.exit_code == 0, ended.output
    assert f"{RUNS} are known from before; no training to do" in ended.output
    (parent, first), children = parents_and_children(client)
    assert (parent.info.status, first.info.run_id) == ("FINISHED", undisturbed.parent.info.run_id)
    assert Counter(run.info.status for run in children) == {"FINISHED": RUNS}
    for child in children:
        source = before[child.data.tags["reused_from"]]
        assert source.info.run_name == child.info.run_name
        copied, original = (all_histories(client, [run], "") for run in (child, source))
        assert copied == {key: values for key, values in original.items() if "system/" not in str(key)}
    assert len(all_histories(client, children)) == len(undisturbed.scores)


def test_the_plan_of_all_questions(store):
    ended = CliRunner().invoke(main, ["all", "--profile", "smoke", "--plan_only", "1"])
    assert ended.exit_code == 0, ended.output
    for_leaves, for_cells = (re.escape(f"{n} trainings to do, ") for n in (17, 12))
    assert re.search(
        rf"^27 runs of 17 distinct trainings; .* {for_leaves}\d+ at a time .*: about \d+", ended.output, re.M
    )
    assert re.search(
        rf"^14 runs of 12 distinct trainings; .* {for_cells}\d+ at a time .*: about \d+", ended.output, re.M
    )
    assert not runs_in(store)


def test_eight_processes_make_one_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    settings = load_settings(profile="smoke", overrides=f"{SIZES},network.name=unet,training.steps=2")
    context = multiprocessing.get_context("forkserver")  # imports once, so that they start within milliseconds
    context.set_forkserver_preload(["study.runs.commands"])
    processes = [context.Process(target=train_one, args=(settings.with_({"seed": seed}),)) for seed in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    client = client_of(tmp_path)
    assert sorted(run.data.params["seed"] for run in runs_in(client)) == [str(seed) for seed in range(8)]
    assert statuses(client) == {"FINISHED": 8}
