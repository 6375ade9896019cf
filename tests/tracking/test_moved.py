import shutil
from pathlib import Path

import pytest

from study.tracking import connect, start_run, stored_text
from study.tracking.moved import follow
from study.tracking.registry import _place_of


@pytest.fixture
def moved(store, tmp_path, work_in, monkeypatch):
    """Moves a working folder with a run in its store; gives the new folder and the run."""

    def move(new):
        (tmp_path / "old").mkdir()
        shutil.move(tmp_path / "mlflow.db", tmp_path / "old" / "mlflow.db")
        work_in(tmp_path / "old", monkeypatch)
        run = start_run(connect(), "run", "", {})
        run.log_text("kept", "a.txt")
        shutil.move(tmp_path / "old", tmp_path / new)
        return tmp_path / new, run.run_id

    return move


@pytest.mark.parametrize("new", ["new", "o_d"])
def test_files_that_have_been_moved_with_their_store_are_found(moved, work_in, monkeypatch, capsys, new):
    folder, run_id = moved(new)
    work_in(folder, monkeypatch)
    experiment = connect()
    words = f"were in {folder.parent}/old/mlruns and are in {folder}/mlruns: its paths are corrected"
    assert words in capsys.readouterr().out
    assert stored_text(run_id, "a.txt") == "kept"
    start_run(experiment, "next", "", {}).log_text("new", "b.txt")
    assert not (folder.parent / "old").exists()
    assert follow(folder / "mlflow.db") == ""


def test_where_files_are_lost_new_ones_are_kept_beside_the_store(moved, work_in, monkeypatch):
    folder, run_id = moved("new")
    shutil.rmtree(folder / "mlruns")
    work_in(folder, monkeypatch)
    run = start_run(connect(), "next", "", {})
    run.log_text("new", "b.txt")
    assert stored_text(run.run_id, "b.txt") == "new"
    assert stored_text(run_id, "a.txt") is None
    assert list((folder / "mlruns").rglob("b.txt"))
    assert not (folder.parent / "old").exists()


def test_files_that_are_where_the_store_says_stay(store, tmp_path):
    run = start_run(connect(), "run", "", {})
    run.log_text("kept", "a.txt")
    before = store.get_run(run.run_id).info.artifact_uri
    (tmp_path / "copy").mkdir()
    shutil.copy(tmp_path / "mlflow.db", tmp_path / "copy" / "mlflow.db")
    shutil.copytree(tmp_path / "mlruns", tmp_path / "copy" / "mlruns")
    assert follow(tmp_path / "mlflow.db") == follow(tmp_path / "copy" / "mlflow.db") == ""
    assert Path(before, "a.txt").read_text() == "kept"


def test_a_folder_is_not_that_of_the_store_without_one_of_its_runs(moved):
    folder, _ = moved("new")
    shutil.rmtree(folder / "mlruns")
    (folder / "mlruns" / "1" / "another").mkdir(parents=True)
    assert "which is gone: new ones are in" in follow(folder / "mlflow.db")


def test_a_model_that_the_store_does_not_know_has_no_place(store):
    assert _place_of("models:/none@best") == _place_of("models:/none/1") == _place_of("folder") == ""
