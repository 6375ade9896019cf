"""What a command imports before it has anything to do."""

import subprocess
import sys
from pathlib import Path

import pytest

import study
from study.cli import main as study_main

HEAVY = {"torch", "mlflow", "pandas", "seaborn", "sklearn", "matplotlib"}
HELP = [["study"], ["ablations"], ["reports"], ["pixel_embedding"], *(["study", name] for name in study_main.commands)]
HELP += [["ablations", "lambda"], ["ablations", "concat_layer"], ["ablations", "all"]]
HELP += [["pixel_embedding", *name.split()] for name in ("ablate", "ablate lambda", "data", "data check", "report")]
PROGRAM = """
import runpy, sys
from contextlib import suppress
sys.argv = [{module!r}, *{arguments!r}, "--help"]
with suppress(SystemExit):
    runpy.run_module({module!r}, run_name="__main__")
print(*{{name.partition(".")[0] for name in sys.modules}})
"""


def told_and_imported(module, arguments):
    """What `python -m` prints of its help, and the packages that it has imported then."""
    program = PROGRAM.format(module=module, arguments=arguments)
    folder = Path(study.__file__).parents[1]
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder)
    told, _, imported = ended.stdout.rstrip().rpartition("\n")
    return told, set(imported.split())


@pytest.mark.parametrize("command", HELP, ids=" ".join)
def test_help_needs_no_heavy_library(command):
    told, imported = told_and_imported(command[0], command[1:])
    assert "Options:" in told
    assert {"click", "study"} <= imported
    assert not imported & HEAVY


def test_a_worker_imports_no_library_of_other_clusterers():
    """Seaborn and scikit-learn take more than a second, which the first run of a launch would wait for."""
    program = "import sys, study.runs.pipeline\nprint(*(name for name in sys.modules if '.' not in name))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = set(ended.stdout.split())
    assert {"torch", "mlflow"} <= imported
    assert not imported & {"seaborn", "sklearn"}
