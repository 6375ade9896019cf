import os
import subprocess
import sys
from pathlib import Path

import pytest

import study.files
from study.files import WriteError, check_writable, given_path, write_atomically


def test_a_file_gets_its_name_when_it_is_whole(tmp_path):
    file = tmp_path / "new" / "x.pt"
    for content in ("old", "new"):
        with write_atomically(file) as partial:
            partial.write_text(content)
            assert file.exists() == (content == "new")
    assert file.read_text() == "new"
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("full\n  up"), OSError(28, "No space left")])
def test_a_file_that_is_not_whole_leaves_the_old_one(tmp_path, error):
    file = tmp_path / "x.pt"
    file.write_text("old")

    def write():
        with write_atomically(file) as partial:
            partial.write_text("ne")
            raise error

    with pytest.raises((KeyboardInterrupt, WriteError)) as told:
        write()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
    if not isinstance(error, KeyboardInterrupt):
        reason = "full up" if isinstance(error, RuntimeError) else "No space left"
        assert str(told.value) == f"cannot write {file}: {reason}; free disk space or rights, then start again"


def test_what_is_no_fault_of_the_disk_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="of the network"), write_atomically(tmp_path / "x", (OSError,)):
        raise RuntimeError("of the network")
    assert not list(tmp_path.iterdir())


def test_two_writers_of_one_file_do_not_write_into_each_other(tmp_path):
    file = tmp_path / "x"
    with write_atomically(file) as first:
        first.write_text("first")
        with write_atomically(file) as second:
            second.write_text("second")
        assert file.read_text() == "second"
    assert file.read_text() == "first"


def test_a_folder_that_is_a_file_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match=f"cannot write into {tmp_path}/file: .*; give another folder"):
        check_writable(tmp_path / "file")
    with (
        pytest.raises(WriteError, match=f"cannot write {tmp_path}/file/x: "),
        write_atomically(tmp_path / "file" / "x"),
    ):
        pass
    check_writable(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_paths_of_a_user_are_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert given_path("a/../b") == tmp_path / "b"
    assert given_path("~/b") == tmp_path / "home" / "b"
    assert given_path(tmp_path / "c") == tmp_path / "c"


def test_relative_paths_are_from_where_mlflow_run_was_called(tmp_path):
    """A program called mlflow, with the argument run, starts a shell in another folder, as MLflow does."""
    (tmp_path / "user").mkdir()
    (tmp_path / "project").mkdir()
    inner = "from study.files import given_path; print(given_path('x'))"
    (tmp_path / "mlflow").write_text(
        "import subprocess, sys\n"
        f"words = [sys.executable, '-c', {inner!r}]\n"
        f"subprocess.run(words, cwd={str(tmp_path / 'project')!r}, check=True)\n"
    )
    for words, folder in ((["run", "."], "user"), (["--env-file", "x", "run", "."], "user"), (["ui"], "project")):
        command = [sys.executable, str(tmp_path / "mlflow"), *words]
        environment = {**os.environ, "PYTHONPATH": str(Path(study.files.__file__).parents[1])}
        shown = subprocess.run(command, cwd=tmp_path / "user", env=environment, capture_output=True, check=True)
        assert shown.stdout.decode().strip() == str(tmp_path / folder / "x")


def test_relative_paths_are_from_where_a_script_ran_the_project(tmp_path):
    """A script starts a program in the folder of a project, with the id of a run, as `mlflow.projects.run` does."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "MLproject").touch()
    inner = "from study.files import given_path; print(given_path('x'), flush=True)"
    outer = (
        "import os, subprocess, sys\n"
        f"for run in ({{}}, {{'MLFLOW_RUN_ID': '7'}}):\n"
        f"    words = [sys.executable, '-c', {inner!r}]\n"
        f"    subprocess.run(words, cwd={str(tmp_path / 'project')!r}, env=os.environ | run, check=True)\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_RUN_ID"}
    environment["PYTHONPATH"] = str(Path(study.files.__file__).parents[1])
    command = [sys.executable, "-c", outer]
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    assert shown.stdout.decode().split() == [str(tmp_path / "project" / "x"), str(tmp_path / "x")]
