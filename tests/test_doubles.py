"""Equal images in two splits are told before anything is trained, and in the notes of all runs."""

import pytest

from study.ablation import launch
from study.ablation.design import Ablation
from study.ablation.question import plan_question
from study.errors import StudyError
from study.executors import Inline
from study.profiles import load_settings
from study.runs import commands
from study.runs.job import Failure
from study.runs.resources import opened

DOUBLES = "1 image is in two splits: cell0 (train) = cell3 (test)."
ABLATION = Ablation(
    name="networks",
    question="Which network?",
    varied={"network.name": ["unet", "wnet"]},
    control={"network.name": "wnet"},
)


@pytest.fixture
def settings(tmp_path, write_folder):
    """Of a folder whose last test image is the first training image."""
    root = write_folder(tmp_path / "cells")
    (root / "index.csv").write_text("image,split\ncell0,train\ncell1,val\ncell2,test\ncell3,test\n")
    (root / "images" / "cell3.png").write_bytes((root / "images" / "cell0.png").read_bytes())
    return load_settings("folder", str(root), profile="smoke")


@pytest.mark.usefixtures("store")
def test_of_a_single_training(settings, monkeypatch, capsys):
    tasks = []
    monkeypatch.setattr(commands, "run_task", lambda task: tasks.append(task) or [Failure(None, "stop here")])
    with pytest.raises(StudyError, match="stop here"):
        commands.train_one(settings)
    assert tasks[0].jobs[0].note.endswith(f" {DOUBLES}")
    assert DOUBLES in capsys.readouterr().out.splitlines()


@pytest.mark.usefixtures("store")
def test_of_a_launch(settings, capsys):
    launch.run_ablations([ABLATION], lambda _, variant: settings.with_(variant), [0], Inline(), plan_only=True)
    assert DOUBLES in capsys.readouterr().out.splitlines()
    question = plan_question(
        ABLATION, lambda _, variant: settings.with_(variant), [0], opened(settings.data), "digest", reuse=True
    )
    assert question.note.endswith(f" {DOUBLES}")
    assert [job.note.endswith(f" {DOUBLES}") for job in question.jobs] == [True, True]
    assert DOUBLES not in question.caption  # which stands below figures
