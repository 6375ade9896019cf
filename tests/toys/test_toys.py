"""Each toy is put into a copy of the program as CONTRIBUTING.md says, and a question about them is run there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import mlflow
import pandas as pd
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class Recipe(NamedTuple):
    """Where the file of a toy goes, and what makes it known: an import, and a name in a registry."""

    file: str
    registry: str = ""
    begins: str = ""  # the registry's line
    imports: str = ""
    entry: str = ""


RECIPES = {
    "loss": Recipe(
        "study/losses/margin.py",
        "study/losses/__init__.py",
        "LOSSES = registry(",
        "from study.losses.margin import MarginLoss",
        "MarginLoss",
    ),
    "clusterer": Recipe(
        "study/clustering/nearest_seed.py",
        "study/clustering/__init__.py",
        "CLUSTERERS = registry(",
        "from study.clustering.nearest_seed import NearestSeed",
        "NearestSeed",
    ),
    "network": Recipe(
        "study/networks/dilated.py",
        "study/networks/__init__.py",
        "NETWORKS = registry(",
        "from study.networks.dilated import Dilated",
        "Dilated",
    ),
    "dataset": Recipe(
        "study/data/sets/discs.py",
        "study/data/sets/opening.py",
        "IMAGES: dict[str, Callable[[Data], Dataset]] = {",
        "from study.data.sets.discs import open_discs",
        '"discs": open_discs',
    ),
    "metric": Recipe(
        "study/metrics/merged.py",
        "study/metrics/__init__.py",
        "\nregister(",
        "from study.metrics import merged",
        "merged.METRIC",
    ),
    "question": Recipe("ablations/toys.py"),
}


def install(name, recipe, root):
    """Put a toy into the program below `root` by one file, one import and one entry."""
    shutil.copyfile(HERE / f"{name}.py", root / recipe.file)
    if not recipe.registry:
        return
    path = root / recipe.registry
    text = path.read_text()
    begins = text.index(recipe.begins) + len(recipe.begins)
    ends = min(place for bracket in ")}" if (place := text.find(bracket, begins)) > 0)
    text = f"{text[:ends].rstrip().rstrip(',')}, {recipe.entry}{text[ends:]}"
    first = text.index("\nfrom study.")
    path.write_text(f"{text[:first]}\n{recipe.imports}{text[first:]}")


@pytest.fixture(scope="module")
def launch(empty_store, tmp_path_factory):
    """The question about the toys, run from a copy of the program that holds them."""
    root = tmp_path_factory.mktemp("program")
    for package in ("study", "ablations", "reports"):
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, recipe in RECIPES.items():
        install(name, recipe, root)
    shutil.copy(empty_store, root / "mlflow.db")
    store = f"sqlite:///{root}/mlflow.db"
    tiny = "training.steps=2,training.threads=1,tuning.trials=2,data.images=2"
    ended = subprocess.run(
        [sys.executable, "-m", "ablations", "toys", "--profile", "smoke", "--executor", "inline", "--set", tiny],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root), "MLFLOW_TRACKING_URI": store},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    client = mlflow.MlflowClient(store)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.data.tags["variant"]: run for run in runs if run is not parent}
    folder = client.download_artifacts(parent.info.run_id, "answer.csv")
    return SimpleNamespace(
        output=ended.stdout,
        children=children,
        note=parent.data.tags["mlflow.note.content"],
        answer=pd.read_csv(folder),
        page=(root / "outputs" / "reports" / "compare" / "compare.html").read_text(),
    )


def test_it(launch):
    print(launch.output)
    print(launch.answer.T)
    print(launch.note)
    print(launch.page[:10000])
    for k, v in launch.children.items():
        print(k, v.data.params, v.data.metrics)
    assert 0
