"""Questions in a folder of their own, found by being there."""

import io
import sys

import mlflow
import pandas as pd
import pytest
from click.testing import CliRunner

import ablations
from ablations import asked_by, find_ablations
from ablations.__main__ import main
from study.errors import StudyError

# the example of CONTRIBUTING.md
QUESTION = '''"""Does a deeper network segment better?

Expected: yes, as far as the objects are larger than what a shallow one sees.
Run:      mlflow run . -e ablate_depth
"""

from study.ablation.design import Ablation

ABLATION = Ablation(
    name="depth",
    question="Does a deeper network segment better?",
    varied={"network.depth": [1, 2]},
    control={"network.depth": 2},
)
'''


@pytest.fixture
def write_question(tmp_path, monkeypatch):
    """Writes a file into a further folder of questions."""
    folder = tmp_path / "questions"
    folder.mkdir()
    monkeypatch.setattr(ablations, "__path__", [*ablations.__path__, str(folder)])
    written = []

    def write(name, text=QUESTION):
        (folder / f"{name}.py").write_text(text)
        written.append(f"ablations.{name}")

    yield write
    for name in written:
        sys.modules.pop(name, None)
        vars(ablations).pop(name.rpartition(".")[2], None)


def test_a_question_is_one_file(write_question):
    before = find_ablations()
    write_question("a_question")
    write_question("_no_question", "raise RuntimeError")
    assert find_ablations().keys() - before.keys() == {"depth"}
    (ablation,) = asked_by("depth")
    assert (ablation.entry_point, ablation.order_in_all) == ("ablate_depth", None)
    assert ablation not in asked_by("all")
    printed = CliRunner().invoke(main, ["--mlproject"]).output
    assert "  ablate_depth: # Does a deeper network segment better?\n" in printed
    assert 'command: "python -m ablations depth --dataset {dataset}' in printed


def test_a_place_in_all_is_told_by_the_file(write_question):
    write_question("a_question", QUESTION.replace("    control", "    order_in_all=3,\n    control"))
    places = [ablation.order_in_all for ablation in asked_by("all")]
    assert places == sorted(places)
    assert "depth" in [ablation.name for ablation in asked_by("all")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("VARIED = {}\n", r"a_question\.py has no ABLATION = Ablation\(\.\.\.\): add it, or move the file"),
        (QUESTION.replace('name="depth"', 'name="lambda"'), r"another question is called 'lambda': choose another"),
        (QUESTION.replace('name="depth"', 'name="all"'), r"another question is called 'all'"),
    ],
)
def test_files_that_are_no_question_are_told(write_question, text, words):
    write_question("a_question", text)
    with pytest.raises(StudyError, match=words):
        find_ablations()
    ended = CliRunner().invoke(main, ["lambda"])
    assert (ended.exit_code, len(ended.stderr.splitlines())) == (1, 1)


def test_two_entry_points_of_one_name_are_refused(write_question):
    write_question("a_question", QUESTION.replace("    control", '    entry_point="train",\n    control'))
    ended = CliRunner().invoke(main, ["--mlproject"])
    assert ended.exit_code == 1
    assert ended.stderr == "Error: 2 entry points are called 'train': give the question another entry_point\n"


def test_a_question_is_run_and_stands_in_table_and_page(write_question, store, monkeypatch, tmp_path):
    write_question("a_question")
    tiny = "network.base_width=2,training.steps=1,training.validations=1,training.threads=1,data.images=2"
    options = ["--profile", "smoke", "--executor", "inline", "--set", f"{tiny},data.image_size=16"]
    ended = CliRunner().invoke(main, ["depth", *options])
    assert ended.exit_code == 0, ended.output
    runs = store.search_runs([e.experiment_id for e in store.search_experiments()])
    (parent,) = [run.info.run_id for run in runs if run.data.tags.get("mlflow.parentRunId") is None]
    table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{parent}/answer.csv")))
    assert list(table["network.depth"]) == [1, 2]
    page = (tmp_path / "outputs" / "reports" / "compare" / "compare.html").read_text()
    assert "depth 1, seed 0" in page
    assert "depth 2, seed 0" in page
    assert f"{table['sbd'][0]:.3f}" in page
