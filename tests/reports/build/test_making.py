import re
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from ablations.__main__ import main as ablate
from reports.build import making
from reports.build.render import NotebookError
from reports.cli import main
from study.ablation.launch import LaunchResult
from study.errors import StudyError
from study.tracking import connect

TINY = "network.base_width=2,network.depth=1,training.steps=1,training.validations=1,training.threads=1,data.images=2"


@pytest.fixture(scope="module")
def real(empty_store, tmp_path_factory, work_in):
    """A launch of an ablation that has made its reports: its folder, its store, and what it wrote."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as monkeypatch:
        client = work_in(folder, monkeypatch)
        options = ["--profile", "smoke", "--executor", "inline", "--set", f"{TINY},data.image_size=16"]
        ended = CliRunner().invoke(ablate, ["clustering", *options])
    assert ended.exit_code == 0, ended.output
    return folder, client, ended.output


def self_contained(page):
    """No code cell, script or reference to another place; gives the text."""
    text = page.read_text()
    assert "<script" not in text
    assert "<link" not in text
    assert not re.findall(r"""src\s*=\s*["'](?!data:)""", text)
    links = re.findall(r"""<(\w+)[^>]*href\s*=\s*["'](?!#)""", text)
    assert set(links) <= {"a"}  # which nothing is loaded from
    assert not re.findall(r"url\((?!data:)", text)
    assert "run_ids" not in text
    assert "page.about" not in text
    assert "Warning" not in text
    return text


def runs_of(client):
    runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
    parent = next(run.info.run_id for run in runs if "control" in run.data.tags)
    return parent, [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent]


def test_a_launch_ends_with_its_reports(real):
    folder, client, output = real
    parent, children = runs_of(client)
    told = [line for line in output.splitlines() if line.startswith("wnet_")]
    for name, line in zip(("wnet_figures", "wnet_tables"), told, strict=True):
        assert line.startswith(f"{name}: outputs/reports/{name}/{name}.html")
        files = {file.name for file in (folder / "outputs" / "reports" / name).iterdir()}
        assert files == {item.path.rpartition("/")[2] for item in client.list_artifacts(parent, f"reports/{name}")}
        self_contained(folder / "outputs" / "reports" / name / f"{name}.html")
    frame = pd.read_csv(folder / "outputs" / "reports" / "wnet_tables" / "table_2.csv")
    answer = pd.read_csv(client.download_artifacts(parent, "answer.csv"))
    both = frame.merge(answer, on=["clustering.method", "network.name"], suffixes=("", "_parent"))
    assert len(both) == 8
    for name in ("sbd", "sbd_low", "sbd_high", "sbd_legacy", "sbd_diff", "sbd_diff_low"):
        pd.testing.assert_series_equal(both[name], both[f"{name}_parent"], check_names=False)
    for child in children:
        scores = pd.read_csv(client.download_artifacts(child.info.run_id, "scores_test.csv"))
        row = frame[(frame["clustering.method"] == child.data.params["clustering.method"])
                    & (frame["network.name"] == child.data.params["network.name"])]  # fmt: skip
        assert row["sbd"].item() == pytest.approx(sum(scores["sbd"]) / len(scores))
    assert {run.info.status for run in children} == {"FINISHED"}


def test_pages_about_runs(real, monkeypatch, work_in):
    folder, client, _ = real
    work_in(folder, monkeypatch)
    parent, children = runs_of(client)
    one = children[0].info.run_id
    for name, ids in (("run_card", one), ("compare", parent)):
        ended = CliRunner().invoke(main, [name, "--run_ids", ids, "--set", "shown=1", "--output", "pages"])
        assert ended.exit_code == 0, ended.output
        text = self_contained(folder / "pages" / name / f"{name}.html")
        assert text.count("<img") >= 2
        run = client.get_run(ids).info
        assert re.search("<title>A run: |<title>Runs side by side: ", text)
        assert f": {run.run_name}</title>" in text
        assert (
            f'/#/experiments/{run.experiment_id}/runs/{ids}?workflowType=machine_learning">{run.run_name}</a>' in text
        )
        assert re.search(r"Made on \d{4}-\d\d-\d\d at \d\d:\d\d \(UTC\) by pixel-embedding-study, version \d", text)
        artifacts = {item.path for item in client.list_artifacts(ids, f"reports/{name}")}
        assert {f"reports/{name}/{name}.html", f"reports/{name}/{name}.ipynb"} < artifacts


def test_a_failing_notebook_is_logged_and_ends_with_1(made, monkeypatch):
    def fail(template, parameters, folder, kernel, *_):
        (folder / template.name).write_text("partial")
        raise NotebookError(f"the notebook wnet_tables has failed (no); what came before is in {folder}/x.ipynb")

    monkeypatch.setattr(making, "render", fail)
    output = made.folder / "out"
    ended = CliRunner().invoke(main, ["wnet_tables", "--run_ids", made.constraints.id, "--output", str(output)])
    assert ended.exit_code == 1
    assert ended.stderr == (
        f"Error: the notebook wnet_tables has failed (no); what came before is in {output}/wnet_tables/x.ipynb\n"
    )
    assert (output / "wnet_tables" / "wnet_tables.ipynb").read_text() == "partial"
    (kept,) = made.client.list_artifacts(made.constraints.id, "reports/wnet_tables")
    assert kept.path == "reports/wnet_tables/wnet_tables.ipynb"


@pytest.fixture
def launched(monkeypatch):
    """Lets a launch end with a parent run, without any work; gives the ids that reports are made for."""
    asked_for = []

    def run(*_, plan_only, **__):
        return LaunchResult(0, [] if plan_only else ["abc", "def"])

    monkeypatch.setattr("study.ablation.launch.run_ablations", run)
    monkeypatch.setattr(making, "make_reports", lambda _, run_ids, *__: asked_for.append(run_ids) or 0)
    return asked_for


def test_the_reports_of_a_launch_are_made_for_its_parents(launched):
    for more in ([], ["--report", "0"], ["--plan_only", "1"]):
        assert CliRunner().invoke(ablate, ["lambda", *more]).exit_code == 0
    assert launched == ["abc,def"]


@pytest.mark.usefixtures("launched")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (StudyError("no such run"), ["Error: no reports are made: no such run"]),
        (ZeroDivisionError("a fault"), ["Error: no reports are made:", "ZeroDivisionError: a fault"]),
    ],
)
def test_a_fault_in_the_reports_of_a_launch_is_told_whole(monkeypatch, fault, words):
    def fail(*_):
        raise fault

    monkeypatch.setattr(making, "make_reports", fail)
    ended = CliRunner().invoke(ablate, ["lambda"])
    assert ended.exit_code == 1
    lines = ended.stderr.splitlines()
    assert [line for line in (lines[0], lines[-1]) if line in words] == [words[0], words[-1]]
    assert ("Traceback (most recent call last):" in lines) == (len(words) > 1)


def test_one_report_that_fails_leaves_the_others(made, monkeypatch):
    def make(name, *_):
        if name == "wnet_figures":
            raise ZeroDivisionError("a fault")
        return f"{name}.html"

    monkeypatch.setattr(making, "_make", make)
    ended = CliRunner().invoke(main, ["--run_ids", made.partial.id, "--output", str(made.folder / "out")])
    assert ended.exit_code == 1
    assert ended.stdout.startswith("wnet_tables: wnet_tables.html")
    lines = ended.stderr.splitlines()
    assert lines[0] == "Error: the report wnet_figures has failed:"
    assert lines[-1] == "ZeroDivisionError: a fault"


def test_a_second_launch_makes_no_page_anew(real, work_in, monkeypatch):
    folder, client, _ = real
    work_in(folder, monkeypatch)
    pages = {page: page.stat().st_mtime_ns for page in folder.glob("outputs/reports/*/*.html")}
    parent, _ = runs_of(client)
    ended = CliRunner().invoke(main, ["--run_ids", parent])
    assert ended.exit_code == 0, ended.output
    names = ("wnet_figures", "wnet_tables")
    assert sorted(ended.output.splitlines()) == [
        f"{n}: {folder}/outputs/reports/{n}/{n}.html is unchanged" for n in names
    ]
    assert {page: page.stat().st_mtime_ns for page in pages} == pages


def test_files_of_an_earlier_report_go(tmp_path):
    made, folder = tmp_path / "made", tmp_path / "out"
    for place, names in ((made, ["page.html"]), (folder, ["page.html", "old.csv", "mine.txt"])):
        place.mkdir()
        for name in names:
            (place / name).write_text(place.name)
    making._replace(made, folder)
    assert {file.name: file.read_text() for file in folder.iterdir()} == {"page.html": "made", "mine.txt": "out"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["moon"],
            "unknown report 'moon': choose one of these:",
        ),
        (["--set", "moon=1"], "unknown parameter of the notebook loss_comparison 'moon'"),
        (["--run_ids", "abc"], "there is no run 'abc'"),
    ],
)
def test_faults_are_told_in_a_sentence(made, arguments, words):
    ended = CliRunner().invoke(main, arguments)
    assert ended.exit_code == 1
    line, *names = ended.stderr.splitlines()
    assert line.startswith(f"Error: {words}")
    assert all(name.startswith("  ") for name in names)


def test_the_given_run_is_named(monkeypatch, made):
    run_id = made.client.create_run(connect()).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    monkeypatch.setattr(making, "_make", lambda *_: "page")
    ended = CliRunner().invoke(main, ["compare", "--run_ids", made.partial.id])
    assert ended.exit_code == 0, ended.output
    assert made.client.get_run(run_id).info.run_name == "report: compare"


def test_what_is_chosen_is_told_with_its_experiment(made, monkeypatch):
    monkeypatch.setattr(making, "_make", lambda *_: "page")
    for arguments, told in ((["chen_tables"], True), (["chen_tables", "--run_ids", made.on_cells.id], False)):
        ended = CliRunner().invoke(main, arguments)
        assert ended.exit_code == 0, ended.output
        line = f"neighbour_distance on dsb2018: launch {made.on_cells.id} in the experiment pixel-embeddings"
        assert (line in ended.output.splitlines()) == told


def test_pages_of_launches_are_chosen_by_them(made):
    ids = {"chen_tables": made.on_cells.id, "loss_comparison": made.broken_losses.id, "systems": made.systems.id}
    ended = CliRunner().invoke(main, ["--run_ids", ",".join(ids.values()), "--output", str(made.folder / "pages")])
    assert ended.exit_code == 0, ended.output
    figures = {"chen_tables": 4, "loss_comparison": 3, "systems": 3}
    for name, run_id in ids.items():
        page = made.folder / "pages" / name / f"{name}.html"
        assert self_contained(page).count("<img") == figures[name]
        kept = {item.path.rpartition("/")[2] for item in made.client.list_artifacts(run_id, f"reports/{name}")}
        assert kept == {file.name for file in page.parent.iterdir()}
