"""The one command for everything."""

import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import pixel_embedding
from ablations.__main__ import main as ablate
from pixel_embedding import main
from reports.cli import main as report
from study.cli import main as study


def told(*arguments):
    return CliRunner().invoke(main, list(arguments), prog_name="pixel-embedding")


def test_it_has_the_very_commands_of_the_modules():
    found = dict(main.commands)
    assert found.pop("ablate") is ablate
    assert found.pop("report") is report
    assert found["data"].commands == {"check": study.commands["check_data"]}
    assert found == {name: command for name, command in study.commands.items() if name != "check_data"}


def test_it_is_put_on_the_path():
    project = tomllib.loads((Path(pixel_embedding.__file__).parent / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"pixel-embedding": "pixel_embedding:main"}
    point = importlib.metadata.EntryPoint("pixel-embedding", "pixel_embedding:main", "console_scripts")
    assert point.load() is main


@pytest.mark.parametrize(
    ("typed", "similar"),
    [
        (["tran"], "'tran', did you mean train?"),
        (["lambda"], "'lambda', did you mean ablate lambda?"),
        (["check_data"], "or data check?"),
        (["data", "chek"], "'chek', did you mean check?"),
    ],
)
def test_a_command_that_is_unknown_names_similar_ones(typed, similar):
    ended = told(*typed)
    assert ended.exit_code == 2
    assert similar in ended.stderr


def test_the_check_of_data(tmp_path, write_folder):
    ended = told("data", "check", "--dataset", "folder", "--data_root", str(write_folder(tmp_path / "cells", count=8)))
    assert (ended.exit_code, ended.stdout.splitlines()[-1]) == (0, "no defects found")


def test_figures_of_data(tmp_path, write_folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = write_folder(tmp_path / "cells", count=8)
    ended = told("data", "check", "--dataset", "folder", "--data_root", str(root), "--figures", "looks")
    assert ended.exit_code == 0
    drawn = [line.removeprefix("figure: ") for line in ended.stdout.splitlines() if line.startswith("figure: ")]
    assert [Path(file).name for file in drawn] == ["sizes.png", "intensities.png", "objects.png", "object_sizes.png"]
    assert all(Path(file).is_relative_to(tmp_path / "looks") and Path(file).is_file() for file in drawn)


def test_a_folder_for_figures_that_cannot_be_written_is_told_first(tmp_path, write_folder):
    (tmp_path / "file").touch()
    root = write_folder(tmp_path / "cells")
    ended = told("data", "check", "--dataset", "folder", "--data_root", str(root), "--figures", str(tmp_path / "file"))
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"Error: cannot write into {tmp_path / 'file'}")


def test_volumes_are_checked_without_a_word_on_losses():
    ended = told("data", "check", "--dataset", "neurites", "--set", "data.planes=4,data.side=32")
    assert (ended.exit_code, ended.stdout.splitlines()[-1]) == (0, "no defects found")


@pytest.mark.parametrize("typed", [["data", "check"], ["check_data"]])
def test_the_check_by_any_of_its_names(typed):
    ended = CliRunner().invoke(study, [*typed, "--set", "data.images=6"], prog_name="python -m study")
    assert (ended.exit_code, ended.stdout.splitlines()[-1]) == (0, "no defects found")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("ablate lam", ["lambda"]),
        ("data ", ["check"]),
        ("train --profile ", ["full", "quick", "smoke"]),
        ("ablate lambda --dataset bbbc", ["bbbc006", "bbbc039"]),
        ("train --system p", ["pea"]),
    ],
)
def test_a_shell_completes_commands_questions_and_values(words, offered):
    typed = f"pixel-embedding {words}"
    asked = {"_PIXEL_EMBEDDING_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    ended = CliRunner().invoke(main, prog_name="pixel-embedding", env=asked)
    assert ended.stdout.splitlines() == [f"plain,{name}" for name in offered]


def pages(command, words=()):
    """The words of a command, and of all below it."""
    yield words
    for name in command.list_commands(None) if isinstance(command, click.Group) else ():
        yield from pages(command.get_command(None, name), (*words, name))


@pytest.mark.parametrize("columns", [80, 110])
def test_no_line_of_the_help_is_longer_than_the_terminal_or_cut(columns):
    found = list(pages(main))
    assert ("ablate", "lambda") in found
    for words in found:
        ended = CliRunner().invoke(main, [*words, "--help"], terminal_width=columns)
        assert ended.exit_code == 0
        assert all(len(line) <= columns for line in ended.stdout.splitlines()), words
        assert "..." not in ended.stdout.replace("[ARGS]...", "").replace("[NAME]...", ""), words


def test_a_process_of_its_own(tmp_path):
    program = f"import runpy; runpy.run_path({pixel_embedding.__file__!r}, run_name='__main__')"
    environment = os.environ | {"PYTHONPATH": str(Path(pixel_embedding.__file__).parent)}
    ended = subprocess.run(
        [sys.executable, "-c", program, "train", "--profile", "smok"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "Error: unknown profile 'smok', did you mean smoke? Choose one of full, quick, smoke\n"
