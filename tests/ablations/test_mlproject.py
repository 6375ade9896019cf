from pathlib import Path

import click
import yaml
from click.testing import CliRunner

import ablations
from ablations import find_ablations
from ablations.__main__ import main
from study.cli import main as study_main

FILE = Path(ablations.__file__).parents[1] / "MLproject"
HOW = "the file is out of date: write it by python -m ablations --mlproject > MLproject"


def test_the_file_is_what_the_command_prints():
    printed = CliRunner().invoke(main, ["--mlproject"])
    assert printed.exit_code == 0, printed.output
    assert FILE.read_text() == printed.output, HOW


def test_entry_points_and_commands_have_the_same_names():
    points = yaml.safe_load(FILE.read_text())["entry_points"]
    questions = {ablation.entry_point: name for name, ablation in find_ablations().items()}
    commands = {name for name, command in study_main.commands.items() if not isinstance(command, click.Group)}
    assert points.keys() == {"main", "ablate_all", "report", *questions, *commands}
    for point, name in {"main": "lambda", "ablate_all": "all", **questions}.items():
        assert points[point]["command"].startswith(f"python -m ablations {name} --")
    for name in commands:
        assert points[name]["command"].startswith(f"python -m study {name} --")


def test_defaults_are_those_of_the_command_line():
    points = yaml.safe_load(FILE.read_text())["entry_points"]
    assert points["train"]["parameters"]["seed"] == {"type": "string", "default": "0"}
    assert points["train"]["parameters"]["reuse"] == {"type": "string", "default": "1"}
    assert points["predict"]["parameters"]["model"] == {"type": "string"}  # required
    assert points["report"]["parameters"]["output"] == {"type": "string", "default": "outputs/reports"}
