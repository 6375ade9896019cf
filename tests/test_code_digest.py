"""What counts as another result: each kind of edit of the source, in a copy of it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import study
from study.code_digest import BY_VALUE, LEFT_OUT, MAPS, SCORING, TRAINING, code_digest, digest_of, modules_of
from study.errors import StudyError

PACKAGE = Path(study.__file__).parent
PARTS = {"training": TRAINING, "maps": MAPS, "scoring": SCORING}


@pytest.fixture
def copied(tmp_path):
    """A copy of the package's sources."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "study", ignore=shutil.ignore_patterns("__pycache__")))


def edit(package, file, old, new):
    path, text = package / file, (package / file).read_text()
    assert text.count(old) >= 1, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1))


def changed_parts(package, tmp_path):
    """The parts of the code whose digests differ from those of the package."""
    place = Path(shutil.copytree(package, tmp_path / "edited" / "study"))  # sources are parsed once per place
    return {part for part, roots in PARTS.items() if digest_of(roots, place) != digest_of(roots)}


ALL = {"training", "maps", "scoring"}


@pytest.mark.parametrize(
    ("file", "old", "new", "redone"),
    [
        ("losses/cosine.py", "inter.mean()", "1.5 * inter.mean()", {"training"}),
        ("networks/unet.py", "import torch", "import torch\nimport math", {"training"}),
        ("data/targets.py", "import numpy", "import math\nimport numpy", ALL),
        ("data/sets/cvppp.py", "A1_VAL_SEED = 2020", "A1_VAL_SEED = 2021", ALL),
        ("clustering/angular.py", "import numpy", "import math\nimport numpy", {"scoring"}),
        ("metrics/leaf.py", "import numpy", "import math\nimport numpy", {"scoring"}),
        ("tuning/trials.py", "_MIN_DELTA = 1e-3", "_MIN_DELTA = 1e-4", {"scoring"}),
        ("segmentation.py", "import numpy", "import math\nimport numpy", {"scoring"}),
        ("inference.py", "import ctypes", "import ctypes\nimport math", {"maps", "scoring"}),
        ("clustering/base.py", "angle: float = setting(45.0", "angle: float = setting(46.0", {"scoring"}),
        ("data/settings.py", "setting(512", "setting(256", set()),
        ("training/loop.py", "optimizer.step()", "optimizer.step(); optimizer.step()", {"training"}),
        ("figures/scores.py", "import numpy", "import math\nimport numpy", set()),
        ("tracking/run.py", "import json", "import json\nimport math", set()),
        ("version.py", '"0.1.0"', '"0.2.0"', set()),
        ("errors.py", "did you mean", "is it", set()),
    ],
)
def test_what_an_edit_changes(file, old, new, redone, copied, tmp_path):
    edit(copied, file, old, new)
    assert changed_parts(copied, tmp_path) == redone


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""', '"""In other words: '),
        ("import torch\n", "# why\nimport torch  # another comment\n\n"),
        ("(", "(  # a comment\n    "),
        ("from __future__ import annotations\n", 'from __future__ import annotations\n\n"""Words."""\n'),
    ],
)
def test_words_and_layout_change_nothing(old, new, copied, tmp_path):
    for file in ("losses/objects.py", "training/loop.py"):
        text = (copied / file).read_text()
        if old == "(":  # of a call, not in a docstring
            at = text.index("(", text.index("import torch"))
            body = re.search(r"^def \w+\(", text, re.MULTILINE)
            at = body.end() - 1
            (copied / file).write_text(text[:at] + new + text[at + 1 :])
        else:
            edit(copied, file, old, new)
    assert changed_parts(copied, tmp_path) == set()


def test_annotations_and_imports_for_type_checkers_change_nothing(tmp_path):
    first, second = tmp_path / "first" / "study", tmp_path / "second" / "study"
    for package in (first, second):
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("")
    (first / "a.py").write_text("def double(x):\n    return 2 * x\n")
    (second / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from study.b import B\n"
        "def double(x: 'B') -> 'B':\n    'Twice as much.'\n    return (2\n        * x)\n"
    )
    (second / "b.py").write_text("class B: ...\n")
    assert modules_of(["study.a"], second) == ["study", "study.a"]
    (first / "a.py").write_text("from typing import TYPE_CHECKING\n" + (first / "a.py").read_text())
    assert digest_of(["study.a"], first) == digest_of(["study.a"], second)
    (second / "c.py").write_text("")
    (second / "a.py").write_text((second / "a.py").read_text().replace("2", "3"))
    assert digest_of(["study.c"], second) != digest_of(["study.a"], second)


@pytest.mark.parametrize("part", PARTS)
def test_no_module_that_is_imported_is_left_out(part):
    """Settings are replaced by a stand-in, as they count by their values, and would import all components."""
    program = (
        "import sys, types\nsettings = types.ModuleType('study.settings')\n"
        "settings.Settings = settings.Training = settings.Tuning = object\n"
        f"sys.modules['study.settings'] = settings\nimport {', '.join(PARTS[part])}\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'study'))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    counted = set(modules_of(PARTS[part], PACKAGE))
    assert set(found) - counted <= {*LEFT_OUT, *BY_VALUE}
    assert len(found) > 5
    assert LEFT_OUT == ("study.errors", "study.version")
    assert BY_VALUE == ("study.settings", "study.config", "study.data.settings")


def test_what_draws_and_logs_is_not_counted():
    counted = {name for roots in PARTS.values() for name in modules_of(roots, PACKAGE)}
    for package in ("study.figures", "study.tracking", "study.ablation", "study.deploy"):
        assert not [name for name in counted if name.startswith(package)]
    assert not [name for name in modules_of(TRAINING, PACKAGE) if "clustering" in name or "metrics" in name]


def test_what_training_takes_from_settings_is_in_their_values():
    """No module of the training makes settings of its own, whose defaults would not be in the identity."""
    for name in modules_of(TRAINING, PACKAGE):
        place = PACKAGE.joinpath(*name.split(".")[1:])
        text = (place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py").read_text()
        assert not re.search(r"\b(Settings|Training|Data|Tuning|\w+Loss|\w*UNet|WNet|\w+Network)\(\)", text), name


def test_a_source_that_cannot_be_parsed_or_is_not_there_is_told(copied):
    (copied / "losses" / "cosine.py").write_text("def loss(:\n")
    with pytest.raises(StudyError, match=r"cannot read the source .*cosine\.py .*: fix the file"):
        digest_of(TRAINING, copied)
    with pytest.raises(StudyError, match=r"holds no source of the module study\.nothing"):
        digest_of(["study.nothing"], copied)


def test_relative_imports_are_refused(tmp_path):
    package = tmp_path / "study"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("from . import b\n")
    with pytest.raises(StudyError, match="write the import with its whole name"):
        digest_of(["study.a"], package)


def test_the_digests_are_taken_once(monkeypatch):
    before = code_digest()
    monkeypatch.setattr("study.code_digest._source", None)
    assert code_digest() is before


SIZES = "network.base_width=2,network.depth=1,data.image_size=32,data.images=2,training.threads=1,training.steps=2"
OPTIONS = ["--profile", "smoke", "--report", "0", "--executor", "inline", "--set", f"{SIZES},tuning.trials=2"]


def test_an_edited_clusterer_scores_again_and_an_edited_loss_trains_again(copied, empty_store, tmp_path):
    """With the real command, on a copy of the source that is edited between its launches."""
    shutil.copytree(PACKAGE.parent / "ablations", tmp_path / "ablations")
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(empty_store, folder / "mlflow.db")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(tmp_path), "OMP_NUM_THREADS": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment |= {"MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false", "PYTHONDONTWRITEBYTECODE": "1"}

    def launch(*more):
        ended = subprocess.run(
            [sys.executable, "-m", "ablations", "cells", *OPTIONS, *more],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert "0 are known from before; 2 trainings to do" in launch()
    edit(copied, "losses/cosine.py", '"""', '"""In other words. ')
    assert "cells: answered before, by the same runs and code" in launch("--plan_only", "1")
    edit(copied, "figures/scores.py", "import numpy", "import math\nimport numpy")
    assert "2 are known from before; no training to do" in launch("--plan_only", "1")
    edit(copied, "clustering/angular.py", "import numpy", "import math\nimport numpy")
    told = launch()
    assert "0 are known from before; no training to do" in told
    assert "2 finished results of the same settings and data are skipped, since the code that computes" in told
    edit(copied, "losses/cosine.py", "inter.mean()", "1.5 * inter.mean()")
    told = launch("--plan_only", "1")
    assert "0 are known from before; 2 trainings to do" in told
    assert "4 finished results of the same settings and data are skipped" in told
    (checkpoint,) = list(folder.glob("trainings/*/training.json"))[:1]
    checkpoint.with_name("checkpoint.pt").write_text("of a training that was cut off")
    told = launch("--plan_only", "1")
    assert f"the checkpoint trainings/{checkpoint.parent.name}/checkpoint.pt is of other code" in told
    assert "it is left there and not resumed" in told
