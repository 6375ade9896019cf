import errno
import io
import json
import re
import sqlite3
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from study import tracking
from study.ablation import cost, launch, question
from study.ablation.design import Ablation
from study.ablation.launch import run_ablations
from study.ablation.statistics import Components, summarize
from study.code_digest import CodeDigest
from study.errors import StudyError
from study.executors import Inline, Machine, opened_executor
from study.executors.base import WorkerDiedError
from study.profiles import load_settings
from study.runs import cache, job, pipeline
from study.runs.job import Result
from study.tracking import connect, start_run
from study.training.checkpoint import History
from tests.networks.built import build

INLINE = Inline()
# whole images of 18 x 18 px can be halved once, but not twice
ABLATION = Ablation(
    name="depths",
    question="Which depth?",
    varied={"network.name": ["unet"], "network.depth": [1, 2]},
    control={"network.name": "unet", "network.depth": 1},
    axis="network.depth",
)
BOTH_WRONG = replace(
    ABLATION,
    varied={"network.name": ["unet"], "network.depth": [2, 3]},
    control={"network.name": "unet", "network.depth": 2},
)
FAULT = "training images must be of one size, a multiple of 4 px"
SOUND = replace(
    ABLATION,
    name="angles",
    varied={"network.name": ["unet"], "clustering.angle": [40.0, 45.0]},
    control={"network.name": "unet", "clustering.angle": 45.0},
    axis="clustering.angle",
)


def variant_of(settings):
    """Base of a plan: any system has `settings`, with the changes of the variant."""
    return lambda ablation, variant: settings.with_(ablation.system_and_changes(variant)[1])


def tiny(overrides="", dataset="synthetic-leaves", root=""):
    small = "network.base_width=2,network.depth=1,training.steps=2,training.threads=1,tuning.trials=0,data.images=2"
    return load_settings(dataset, str(root), profile="smoke", overrides=f"{small},{overrides}")


@pytest.fixture
def cells(tmp_path, write_folder):
    """Settings of a data set on which one variant of `ABLATION` fails."""
    return tiny("data.image_size=0", "folder", write_folder(tmp_path / "cells", shape=(18, 18)))


@pytest.fixture
def trained(monkeypatch):
    """Seeds of the networks that a launch would have trained and logged; they stay as they are."""
    seeds = []

    def train(images, settings, monitor, validate, checkpoint, best_by):
        seeds.append(settings.seed)
        network = build(images.pixels.shape[1], settings)
        scores = validate(network)
        return network.eval(), History(1.0, [], [{"step": 2, "seconds": 1.0, **scores}])

    monkeypatch.setattr(pipeline, "train", train)
    return seeds


def runs_in(client):
    """The parents and the children in the store."""
    runs = client.search_runs([connect()])
    below = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    return [run for run in runs if run not in below], below


def answer_of(parent):
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{parent.info.run_id}/answer.csv")))


def test_the_parent_holds_the_answer(asked):
    parent, run_id = asked.parent, asked.parent.info.run_id
    assert asked.failed == 0
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "two on synthetic-leaves"
    assert (parent.data.tags["ablation"], parent.data.tags["dataset"]) == ("two", "synthetic-leaves")
    assert parent.data.tags["control"] == "wnet, inter_weight 1"
    assert [parent.data.tags[name] for name in ("system", "preset", "profile")] == ["wnet", "paper", "smoke"]
    note = parent.data.tags["mlflow.note.content"]
    assert note.startswith("**Best of 2: ")
    assert "\n\n**Which network?**" in note
    scores = {"best/sbd", "control/sbd", "runs/finished", "runs/failed"}
    assert parent.data.metrics.keys() == scores
    assert (parent.data.metrics["runs/finished"], parent.data.metrics["runs/failed"]) == (2, 0)
    assert "foreground at test time: truth" in note
    assert "| W-Net, λ = 1 |" in note
    assert note.index("| W-Net, λ = 1 |") < note.index("#### What this is from")
    assert "Profile smoke on synthetic-leaves, 6 steps (24 images) at 48 px" in note
    assert "| network.norm | batch | none |" in note
    assert not parent.data.params  # those that `mlflow run` logs would clash
    for file in ("two.png", "contact_sheet.png"):
        picture = np.asarray(mlflow.artifacts.load_image(f"runs:/{run_id}/{file}"))
        assert picture.std() > 10

    table = answer_of(parent)
    assert list(table["network.name"]) == ["unet", "wnet"]
    results = []
    for name, child in asked.children.items():
        scores = mlflow.artifacts.load_text(f"runs:/{child.info.run_id}/scores_test.csv")
        variant = {"network.name": name, "loss.inter_weight": 1.0}
        results.append(Result(variant, 0, pd.read_csv(io.StringIO(scores)), []))
    wanted = summarize(asked.ablation, results)
    assert list(table.columns) == list(wanted.columns)
    numbers = wanted.select_dtypes("number").columns
    pd.testing.assert_frame_equal(table[numbers], wanted[numbers], check_dtype=False)


def test_the_children_are_below_the_parent(asked):
    assert set(asked.children) == {"unet", "wnet"}
    found = asked.client.search_runs(
        [asked.experiment.experiment_id],
        "tags.ablation = 'two' and tags.`network.name` = 'unet' and params.`loss.inter_weight` = '1'",
    )
    assert [run.info.run_id for run in found] == [asked.children["unet"].info.run_id]


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
    bars = [card["metricKey"] for card in view["compareRunCharts"] if card["type"] == "BAR"]
    assert bars[0] == "test/sbd"
    assert set(bars) <= {name for child in asked.children.values() for name in child.data.metrics}
    cards = [card for card in view["compareRunCharts"] if card["type"] == "IMAGE"]
    assert len(cards) == 2
    last = str(asked.settings.training.steps)
    assert {(*card["imageKeys"], str(card["step"])) for card in cards} == {p for p in logged if p[1] == last}


def test_a_line_per_run_tells_the_time_left(store, capsys):
    assert run_ablations([SOUND], variant_of(tiny()), [0, 1], INLINE).failed == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if re.match(r"\d/4  ", line)]
    assert [line.partition(";")[2] for line in lines] == [" about 1 min left"] * 2 + [""] * 2  # two runs a training


def test_processes_of_a_pool_one_of_which_fails(store, cells, monkeypatch, capsys):
    # as `mlflow run` starts us: with a run that exists and has params
    launch = store.create_run(connect()).info.run_id
    store.log_param(launch, "seeds", "0")
    monkeypatch.setenv("MLFLOW_RUN_ID", launch)
    with opened_executor("pool", "study.runs.pipeline", 2) as pool:
        assert run_ablations([ABLATION], variant_of(cells), [0], pool).failed == 1
    out = capsys.readouterr().out
    assert "2 runs of 2 distinct trainings; 0 runs occur more than once, 0 are known from before; 2 trainings to" in out
    assert "2 trainings to do, 2 at a time on cpu: about" in out
    assert "U-Net, depth 1, seed 0: test SBD 0." in out
    assert f"U-Net, depth 2, seed 0: FAILED: {FAULT}" in out

    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    (parent,), children = runs_in(store)
    assert parent.info.run_id == launch
    assert parent.info.status == "FAILED"
    assert parent.data.tags["failure"].startswith(f"U-Net, depth 2, seed 0: {FAULT}")
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {launch}
    good, bad = sorted(children, key=lambda run: run.data.tags["variant"])
    assert (good.info.status, bad.info.status) == ("FINISHED", "FAILED")
    assert bad.data.tags["failure"].startswith(FAULT)
    assert "test/sbd" in good.data.metrics
    assert list(answer_of(parent)["network.depth"]) == [1]
    sources = {run.data.tags.get("mlflow.source.git.commit") for run in children}
    assert len(sources) == 1


@pytest.mark.usefixtures("trained")
def test_seeds_and_a_variant_without_results(store, cells, tmp_path):
    printed = tmp_path / "printed.csv"
    printed.write_text("network.name,network.depth,value\nunet,2,0.9\n")
    assert run_ablations([replace(ABLATION, printed=printed)], variant_of(cells), [3, 1], INLINE).failed == 2
    (parent,), children = runs_in(store)
    assert sorted(run.data.tags["seed"] for run in children) == ["1", "1", "3", "3"]
    assert list(answer_of(parent)["seeds"]) == [2]
    files = {item.path for item in store.list_artifacts(parent.info.run_id)}
    assert files == {"answer.csv", "answer.json", "depths.png", "contact_sheet.png"}


def test_nothing_but_failures(store, cells):
    assert run_ablations([BOTH_WRONG], variant_of(cells), [0], INLINE).failed == 2
    (parent,), children = runs_in(store)
    assert {run.info.status for run in (parent, *children)} == {"FAILED"}
    assert not store.list_artifacts(parent.info.run_id)


def test_questions_share_trainings_and_runs(store, trained, capsys):
    """Each has a parent with all of its runs, though half of them are copies."""
    other = replace(SOUND, name="more angles", varied=SOUND.varied | {"clustering.angle": [45.0, 50.0]})
    assert run_ablations([SOUND, other], variant_of(tiny()), [0, 1], INLINE).failed == 0
    assert trained == [0, 1]
    out = capsys.readouterr().out
    assert "8 runs of 2 distinct trainings; 2 runs occur more than once, 0 are known from before; 2 trainings" in out
    ended = [line.split(" ")[0] for line in out.splitlines() if re.match(r"\d+/8 .* SBD ", line)]
    assert ended == [f"{i}/8" for i in range(1, 9)]
    parents, children = runs_in(store)
    assert sorted(parent.info.run_name for parent in parents) == [
        "angles on synthetic-leaves",
        "more angles on synthetic-leaves",
    ]
    for parent in parents:
        own = [run for run in children if run.data.tags["launch"] == parent.info.run_id]
        assert len(own) == 4
        assert {run.info.status for run in own} == {"FINISHED"}
        assert list(answer_of(parent)["seeds"]) == [2, 2]
    digests = {run.data.tags["digest"] for run in children}
    assert len(digests) == 6
    copies = [run for run in children if "reused_from" in run.data.tags]
    assert sorted(run.data.tags["clustering.angle"] for run in copies) == ["45.0", "45.0"]
    for copy in copies:
        source = store.get_run(copy.data.tags["reused_from"])
        assert (source.data.tags["digest"], source.data.metrics) == (copy.data.tags["digest"], copy.data.metrics)


def test_a_later_launch_runs_what_is_missing(store, trained, capsys):
    assert run_ablations([SOUND], variant_of(tiny()), [0], INLINE).failed == 0
    assert run_ablations([SOUND], variant_of(tiny()), [0, 1], INLINE).failed == 0
    assert trained == [0, 1]
    assert "2 are known from before; 1 training to do" in capsys.readouterr().out
    parents, children = runs_in(store)
    own = [run for run in children if run.data.tags["launch"] == parents[0].info.run_id]
    assert sorted((run.data.tags["seed"], "reused_from" in run.data.tags) for run in own) == [
        ("0", True),
        ("0", True),
        ("1", False),
        ("1", False),
    ]
    assert list(answer_of(parents[0])["seeds"]) == [2, 2]


class Elsewhere(Inline):
    """As if trainings were done on other machines."""

    elsewhere = own_folders = True

    def machine(self, device):
        return Machine("node", "cuda", 2, "bfloat16", CodeDigest("", "", ""))


def test_a_launch_on_other_machines(store, trained, monkeypatch, capsys):
    asked, tasks = [], []
    monkeypatch.setattr(tracking, "check_reachable", asked.append)
    monkeypatch.setattr(launch, "run_task", lambda task: tasks.append(task) or pipeline.run_task(task))
    settings = tiny("training.device=cuda,training.threads=0")  # which this machine need not have
    monkeypatch.setattr(pipeline, "choose_device", lambda _: torch.device("cpu"))
    run_ablations([SOUND], variant_of(settings), [0], Elsewhere())
    assert asked == [connect()]
    (task,) = tasks
    assert (task.threads, task.checkpoints_in_store) == (0, True)
    assert {job.planned.settings.training.precision for job in task.jobs} == {"bfloat16"}
    assert "1 training to do, 1 at a time on cuda, " in capsys.readouterr().out


def test_what_another_launch_trains_comes_last(store, trained, monkeypatch, capsys):
    owners = ["process 7 on nodeA (run abc)"]
    monkeypatch.setattr(tracking, "is_claimed", lambda _: owners.pop() if owners else "")
    assert run_ablations([SOUND], variant_of(tiny()), [0, 1], INLINE).failed == 0
    assert trained == [1, 0]
    told = capsys.readouterr().out
    assert ", seed 0: process 7 on nodeA (run abc) trains it; the others are done first" in told
    assert "4/4 " in told
    assert "Found: the best mean of 2 is that of " in told  # it ends with the answer


def test_a_plan_does_nothing(store, trained, tmp_path, capsys):
    assert run_ablations([SOUND], variant_of(tiny()), [0, 1], INLINE, plan_only=True).failed == 0
    out = capsys.readouterr().out
    assert "angles: Which depth? 4 runs" in out
    assert "4 runs of 2 distinct trainings; 0 runs occur more than once, 0 are known from before; 2 trainings" in out
    assert trained == []
    assert runs_in(store) == ([], [])
    assert not (tmp_path / "trainings").exists()


@pytest.mark.usefixtures("store", "trained")
def test_a_plan_takes_times_from_earlier_runs(capsys):
    def plan(settings, seed):
        capsys.readouterr()
        run_ablations([SOUND], variant_of(settings), [seed], INLINE, plan_only=True)
        return capsys.readouterr().out

    assert "about 1 min by a timed step of each network" in plan(tiny(), 0)
    run_ablations([SOUND], variant_of(tiny()), [0, 1], INLINE)
    assert "about 1 min by 2 earlier runs of the same network, budget and images" in plan(tiny(), 2)
    assert "by 2 earlier runs" in plan(tiny("loss.inter_weight=3"), 2)  # which takes no other time
    for other in ("training.steps=3", "network.base_width=4", "data.image_size=16", "training.threads=2"):
        assert "by a timed step" in plan(tiny(other), 2)


@pytest.mark.usefixtures("store")
def test_a_plan_knows_how_far_trainings_have_got(monkeypatch, capsys):
    def minutes(**options):
        capsys.readouterr()
        run_ablations([SOUND], variant_of(tiny("training.steps=100")), [0, 1], INLINE, plan_only=True, **options)
        found = re.search(r"2 trainings to do, 1 at a time on cpu: about (\d+) min by a timed", capsys.readouterr().out)
        return int(found[1])

    monkeypatch.setattr(cost, "_step_times", lambda *_: [24.0])
    assert minutes() == pytest.approx(80, abs=2)  # with validations and maps
    monkeypatch.setattr(cache.TrainingCache, "checkpoint_step", lambda _: next(steps))
    steps = iter([50, 0])
    assert minutes() == pytest.approx(60, abs=2)
    assert minutes(reuse=False) == pytest.approx(80, abs=2)


def test_a_stopped_launch_leaves_no_run_that_seems_to_run(store, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "train", stopped)
    with pytest.raises(KeyboardInterrupt):
        run_ablations([SOUND, ABLATION], variant_of(tiny()), [0], INLINE)
    parents, children = runs_in(store)
    assert [parent.info.status for parent in parents] == ["KILLED"] * 2
    assert {parent.data.tags["failure"] for parent in parents} == {"the launch was stopped"}
    assert [run.info.status for run in children] == ["KILLED"]


def test_a_disk_without_room_for_the_files_of_runs(store, trained, monkeypatch, capsys):
    """Runs that cannot be begun say why, and none of them that its worker has died."""
    log = LocalArtifactRepository.log_artifact

    def full(repository, file, *place):
        if "settings.json" not in str(file):
            raise OSError(errno.ENOSPC, "No space left on device")
        log(repository, file, *place)

    monkeypatch.setattr(LocalArtifactRepository, "log_artifact", full)
    assert run_ablations([SOUND], variant_of(tiny()), [0], INLINE).failed == 2
    monkeypatch.setattr(LocalArtifactRepository, "log_artifact", lambda *_: full(None, ""))
    assert run_ablations([SOUND], variant_of(tiny()), [0], INLINE).failed == 2
    parents, children = runs_in(store)
    assert {run.info.status for run in (*parents, *children)} == {"FAILED"}
    assert len(children) == 4
    for run in (*parents, *children):
        assert "No space left on device; free disk space or rights, then launch again" in run.data.tags["failure"]
    assert "failure.txt" not in capsys.readouterr().out


def test_a_store_without_room_ends_a_launch(store, trained, monkeypatch):
    """No other run could be logged; the next launch finds the process of this one dead."""

    def full(*_):
        raise MlflowException("60 lines") from sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(tracking.TrackedRun, "log_metrics", full)
    with pytest.raises(tracking.StoreGoneError, match=r"\(database or disk is full\): free disk space or rights, and"):
        run_ablations([SOUND], variant_of(tiny()), [0], INLINE)
    _, children = runs_in(store)
    assert [run.info.status for run in children] == ["FAILED"]


@pytest.mark.usefixtures("trained")
def test_a_fault_in_an_answer_ends_that_answer_alone(store, trained, monkeypatch, capsys):
    log_answer = question.log_answer

    def breaking(parent, ablation, *further):
        if ablation is SOUND:
            raise ZeroDivisionError("no such figure")
        log_answer(parent, ablation, *further)

    monkeypatch.setattr(question, "log_answer", breaking)
    other = replace(SOUND, name="more angles")
    found = run_ablations([SOUND, other], variant_of(tiny()), [0], INLINE)
    assert found.failed == 1
    parents, children = runs_in(store)
    states = {run.data.tags["ablation"]: run.info.status for run in parents}
    assert states == {"angles": "FAILED", "more angles": "FINISHED"}
    assert {run.info.status for run in children} == {"FINISHED"}
    (failed,) = [run for run in parents if run.info.status == "FAILED"]
    reason = "the answer cannot be logged: ZeroDivisionError: no such figure"
    assert failed.data.tags["failure"] == reason
    assert 'raise ZeroDivisionError("no such figure")' in mlflow.artifacts.load_text(
        f"runs:/{failed.info.run_id}/failure.txt"
    )
    assert f"angles: FAILED: {reason}; artifact failure.txt of run {failed.info.run_id}" in capsys.readouterr().out


def test_results_of_other_code_are_passed_over_and_told(store, trained, monkeypatch, capsys):
    def launch(*, training="t", scoring="s", **options):
        code = CodeDigest(training, "maps", scoring)
        for module in (job, pipeline, cache):
            monkeypatch.setattr(module, "code_digest", lambda: code)
        capsys.readouterr()
        before = len(trained)
        assert run_ablations([SOUND], variant_of(tiny()), [0], INLINE, **options).failed == 0
        return len(trained) - before, capsys.readouterr().out

    passed_over = "2 finished results of the same settings and data are skipped, since the code that computes"
    new, told = launch()
    assert (new, passed_over in told) == (1, False)
    new, told = launch()
    assert (new, "angles: answered before, by the same runs and code: see the parent run" in told) == (0, True)
    new, told = launch(scoring="an edited clusterer")
    assert (new, passed_over in told) == (0, True)
    assert "0 are known from before; no training to do" in told
    assert tracking.commit_in_words() in told
    new, told = launch(training="an edited loss", plan_only=True)
    assert (new, passed_over.replace("2", "4", 1) in told) == (0, True)
    assert "0 are known from before; 1 training to do" in told
    assert launch(training="an edited loss")[0] == 1
    new, told = launch()  # as it was at first
    assert (new, "skipped" in told) == (0, False)
    for _ in range(2):
        new, told = launch(reuse=False)
        assert (new, "0 are known from before; 1 training to do" in told) == (1, True)
    assert launch()[0] == 0


def test_an_answer_that_has_been_given_is_not_given_again(store, trained, monkeypatch, capsys):
    def launch(ablation=SOUND, **options):
        capsys.readouterr()
        found = run_ablations([ablation], variant_of(tiny()), [0], INLINE, **options)
        assert found.failed == 0
        return found.parent_ids, "answered before" in capsys.readouterr().out

    (first,), _ = launch()
    assert launch() == ([first], True)
    assert launch(plan_only=True) == ([], True)
    (asked_anew,), told = launch(replace(SOUND, question="Which angle, in other words?"))
    assert (asked_anew != first, told) == (True, False)
    monkeypatch.setattr(question, "digest_of", lambda _: "edited figures")
    (drawn_anew,), told = launch()
    assert (drawn_anew != first, told) == (True, False)
    store.set_terminated(drawn_anew, "FAILED")
    assert launch()[0] != [drawn_anew]
    assert launch(reuse=False)[1] is False
    assert len(trained) == 2


def test_runs_that_do_not_tell_their_code_are_passed_over_and_told(store, trained, capsys):
    run_ablations([SOUND], variant_of(tiny()), [0], INLINE)
    _, children = runs_in(store)
    for run in children:
        for tag in ("settings_digest", "digest"):
            store.delete_tag(run.info.run_id, tag)
    capsys.readouterr()
    run_ablations([replace(SOUND, name="again")], variant_of(tiny()), [0], INLINE, plan_only=True)
    told = capsys.readouterr().out
    assert "0 are known from before" in told
    assert "2 finished runs on the same images are skipped, since they are from before runs recorded the" in told


def test_a_plan_tells_what_its_seeds_can_tell(store, trained, capsys):
    def plan(seeds):
        capsys.readouterr()
        run_ablations([SOUND], variant_of(tiny()), seeds, INLINE, plan_only=True)
        return next(
            line
            for line in capsys.readouterr().out.splitlines()
            if ("can" in line and "tell" in line) or "told" in line
        )

    assert plan([0]).startswith("angles: With one seed it cannot be said what could be told")
    assert "no launch with two seeds or more shows the spread of trainings yet" in plan([0, 1])
    (parent,) = run_ablations([SOUND], variant_of(tiny()), [0], INLINE).parent_ids
    store.set_terminated(parent)
    for name, value in Components(1e-4, 1e-4, 1e-3).to_tags().items():
        store.set_tag(parent, name, value)
    told = plan([0, 1, 2])
    assert told.startswith("angles: What can be told: with 3 seeds and 2 images, a difference in SBD of ")
    assert told.endswith(f"By the variances of the launch angles on synthetic-leaves ({parent}).")


def test_a_worker_of_other_code_refuses_its_jobs(store, trained, monkeypatch, capsys):
    monkeypatch.setattr(pipeline, "code_digest", lambda: CodeDigest("edited", "while", "running"))
    assert run_ablations([SOUND], variant_of(tiny()), [0], INLINE).failed == 2
    assert "is not that of this launch: launch again" in capsys.readouterr().out
    assert not trained


def test_a_worker_that_dies_is_told(store, cells, monkeypatch, capsys):
    def execute(run_task, tasks, *_):
        for i, task in enumerate(tasks):
            for planned in task.jobs:
                start_run(planned.experiment_id, "child", "", {}, parent_id=planned.parent_id)
            yield i, WorkerDiedError("the worker process died (a process was terminated abruptly): with fewer --slots")

    monkeypatch.setattr(launch, "execute", execute)
    assert run_ablations([ABLATION], variant_of(cells), [0], INLINE).failed == 2
    assert "FAILED: the worker process died (a process was terminated abruptly): with fewer --slots" in (
        capsys.readouterr().out
    )
    (parent,), children = runs_in(store)
    assert len(children) == 2
    assert {run.info.status for run in (parent, *children)} == {"FAILED"}
    assert {run.data.tags["failure"] for run in children} == {"the worker process died"}


@pytest.mark.parametrize(
    ("settings", "seed", "words"),
    [
        ({"overrides": "training.device=cuda"}, 0, "training.device=cuda, but torch finds no GPU"),
        ({"dataset": "no-such-data"}, 0, "unknown data set 'no-such-data'"),
        ({}, -1, "seed must be at least 0"),
    ],
)
def test_faults_of_all_runs_are_told_before_there_is_any(store, monkeypatch, settings, seed, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(StudyError) as error:
        run_ablations([ABLATION], variant_of(tiny(**settings)), [seed], INLINE)
    assert words in str(error.value)
    assert runs_in(store) == ([], [])


def test_an_ablation_needs_test_images(store, tmp_path, write_folder):
    with pytest.raises(StudyError, match="has no test image to answer from: 15 %"):
        run_ablations(
            [ABLATION], variant_of(tiny(dataset="folder", root=write_folder(tmp_path / "x", count=1))), [0], INLINE
        )
    with pytest.raises(StudyError, match=r"has no train image to train on: .*data\.all_test"):
        run_ablations([ABLATION], variant_of(tiny("data.all_test=true")), [0], INLINE)
    assert runs_in(store) == ([], [])
