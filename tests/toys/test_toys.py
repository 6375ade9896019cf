"""Each toy is put into a copy of the program as CONTRIBUTING.md says, and a question about all of them is run there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts, load_dict

from study.clustering import segment
from study.data import DATASETS
from study.data.settings import Data
from study.losses import CosineLoss
from study.networks import build_network
from study.tuning.space import paper_thresholds, space_of
from tests.maps import image_maps
from tests.toys.clusterer import NearestSeed
from tests.toys.dataset import COUNTS, DISCS, SIDE, open_discs
from tests.toys.loss import MarginLoss
from tests.toys.network import Dilated

HERE = Path(__file__).parent
CONTROL, CLUSTERER, ALL = "method angular", "method nearest-seed", "method nearest-seed, dilated, margin"  # variants
LABEL = "nearest-seed, dilated, margin"  # of the last one, for people


class Recipe(NamedTuple):
    """Where the file of a toy goes, and what makes it known: an import, and an entry in a registry."""

    file: str
    registry: str = ""
    begins: str = ""  # the statement that lists what there is
    imports: str = ""
    entry: str = ""


RECIPES = {
    "loss": Recipe(
        "study/losses/margin.py",
        "study/losses/__init__.py",
        "\nLOSSES = registry(",
        "from study.losses.margin import MarginLoss",
        "MarginLoss",
    ),
    "clusterer": Recipe(
        "study/clustering/nearest_seed.py",
        "study/clustering/__init__.py",
        "\nCLUSTERERS = registry(",
        "from study.clustering.nearest_seed import NearestSeed",
        "NearestSeed",
    ),
    "metric": Recipe(
        "study/metrics/merged.py",
        "study/metrics/__init__.py",
        "\nregister(",
        "from study.metrics import merged",
        "merged.METRIC",
    ),
    "network": Recipe(
        "study/networks/dilated.py",
        "study/networks/__init__.py",
        "\nNETWORKS = registry(",
        "from study.networks.dilated import Dilated",
        "Dilated",
    ),
    "dataset": Recipe(
        "study/data/sets/discs.py",
        "study/data/sets/opening.py",
        "\nIMAGES: dict[str, Callable[[Data], Dataset]] = {",
        "from study.data.sets.discs import open_discs",
        '"discs": open_discs',
    ),
    "question": Recipe("ablations/toys.py"),
}


def registered(text, recipe):
    """The text of a registry with one more import and one more entry."""
    begins = text.index(recipe.begins) + len(recipe.begins)
    ends = min(place for bracket in ")}" if (place := text.find(bracket, begins)) > 0)
    entries = text[:ends].rstrip()
    text = f"{entries.rstrip(',')}, {recipe.entry}{text[len(entries) :]}"
    return text.replace("\nfrom study", f"\n{recipe.imports}\nfrom study", 1)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """A copy of the program that holds all toys; `new` has the lines by which others know them, by toy."""
    root, new = tmp_path_factory.mktemp("program"), {}
    for package in ("study", "ablations", "reports"):
        shutil.copytree(HERE.parents[1] / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, recipe in RECIPES.items():
        assert not (root / recipe.file).exists()
        shutil.copyfile(HERE / f"{name}.py", root / recipe.file)
        new[name] = []
        if recipe.registry:
            before = (root / recipe.registry).read_text()
            after = registered(before, recipe)
            (root / recipe.registry).write_text(after)
            new[name] = [line for line in after.splitlines() if line not in before.splitlines()]
    return SimpleNamespace(root=root, new=new)


@pytest.fixture(scope="module")
def launch(program, empty_store):
    """What the question has left, by the names of its variants where it is about runs."""
    shutil.copy(empty_store, program.root / "mlflow.db")
    store = f"sqlite:///{program.root}/mlflow.db"
    tiny = "training.steps=2,training.validations=1,training.threads=1,tuning.trials=0,data.images=2"
    ended = subprocess.run(
        [sys.executable, "-m", "ablations", "toys", "--profile", "smoke", "--executor", "inline", "--set", tiny],
        cwd=program.root,
        env=os.environ | {"PYTHONPATH": str(program.root), "MLFLOW_TRACKING_URI": store},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    client = MlflowClient(store)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.data.tags["variant"]: run for run in runs if run is not parent}
    of_artifact = {"tracking_uri": store}
    answer = download_artifacts(run_id=parent.info.run_id, artifact_path="answer.csv", **of_artifact)
    return SimpleNamespace(
        parent=parent,
        children=children,
        settings={name: load_dict(f"{run.info.artifact_uri}/settings.json") for name, run in children.items()},
        answer=pd.read_csv(answer).set_index("variant"),
        page=(program.root / "outputs" / "reports" / "compare" / "compare.html").read_text(),
    )


def test_a_part_is_one_file_with_an_import_and_an_entry(program):
    assert {name: len(lines) for name, lines in program.new.items()} == dict.fromkeys(RECIPES, 2) | {"question": 0}
    for name, lines in program.new.items():
        assert lines[:1] == [RECIPES[name].imports][: len(lines)]


def test_the_runs_have_the_toys(launch):
    assert launch.children.keys() == {CONTROL, CLUSTERER, ALL}
    assert {run.info.status for run in launch.children.values()} == {"FINISHED"}
    parts = {"network.name": "dilated", "loss.name": "margin", "clustering.method": "nearest-seed"}
    assert parts.items() <= launch.children[ALL].data.params.items()
    own = {"loss.margin": 0.3, "clustering.reach": 20, "network.base_width": 4, "data.name": "discs"}
    assert own.items() <= launch.settings[ALL].items()
    assert not {"loss.margin", "clustering.reach"} & launch.settings[CONTROL].keys()
    assert all("test/merged" in run.data.metrics for run in launch.children.values())


def test_they_stand_in_the_table(launch):
    table = launch.answer
    assert list(table.index) == [CONTROL, CLUSTERER, ALL]
    last = table.loc[ALL, ["clustering.method", "network.name", "loss.name"]]
    assert last.tolist() == ["nearest-seed", "dilated", "margin"]
    assert table["merged"].tolist() == pytest.approx(
        [launch.children[name].data.metrics["test/merged"] for name in table.index], abs=1e-4
    )
    note = launch.parent.data.tags["mlflow.note.content"]
    assert "discs: 2 test images (images drawn anew for each split)" in note
    assert f"| {LABEL} | " in note
    assert f" {table.loc[ALL, 'merged']:.4f} |" in note


def test_they_stand_on_the_page(launch):
    for words in (
        f"{LABEL}, seed 0",
        "discs test",
        ">margin</td>",
        ">nearest-seed</td>",
        ">dilated</td>",
        ">merged</th>",
    ):
        assert words in launch.page
    assert f"{launch.answer.loc[ALL, 'merged']:.4f}" in launch.page


def test_the_loss_leaves_neighbours_alone_within_the_margin():
    labels = torch.tensor([[[1, 1, 2, 2, 3]]])
    embedding = torch.tensor([[1.0, 1.0, 0.8, 0.8, 0.0], [0.0, 0.0, 0.6, 0.6, 1.0]]).view(1, 2, 1, 5).requires_grad_()
    neighbours = torch.ones(1, 4, 4, dtype=torch.bool)
    loss = MarginLoss(margin=0.7, inter_reduction="pair", constraints="global")
    terms = loss.embedding_terms(embedding, labels, neighbours)
    # cosines of the three pairs: 0.8, 0 and 0.6
    assert terms["inter"].item() == pytest.approx(0.1 / 3)
    assert terms["intra"].item() == pytest.approx(0, abs=1e-6)
    (gradient,) = torch.autograd.grad(terms["inter"], embedding)
    assert gradient.isfinite().all()
    assert [bool(pixel.any()) for pixel in gradient[0, :, 0].T] == [True, True, True, True, False]


def test_the_clusterer_takes_the_nearest_seed_within_reach_and_angle():
    distance = np.zeros((5, 24), np.float32)
    distance[2, [3, 12]] = 1
    embedding = np.zeros((5, 24, 2), np.float32)
    embedding[:, :8, 0] = embedding[:, 8:, 1] = 1
    embedding[0, 3] = (0, 1)  # of the other object
    method = NearestSeed(seed_smoothing=0, reach=4, min_size=1, min_distance=0, foreground="none")
    rows, columns = np.mgrid[:5, :24]
    wanted = np.where(np.hypot(rows - 2, columns - 3) <= 4, 1, 0)
    wanted[np.hypot(rows - 2, columns - 12) <= 4] = 2
    wanted[0, 3] = 0
    np.testing.assert_array_equal(segment(image_maps(distance, embedding), method), wanted)


def test_the_clusterer_is_searched():
    assert {"reach", "angle", "seed_threshold", "min_size"} <= space_of(NearestSeed()).keys()
    assert paper_thresholds(NearestSeed(reach=8), NearestSeed()) == NearestSeed()


def test_the_network_gives_its_heads_at_any_size():
    torch.manual_seed(0)
    settings = Dilated(base_width=16, depth=2, embedding_dim=3)
    output = build_network(1, settings, CosineLoss())(torch.randn(2, 1, 7, 9))
    assert {name for name, head in output._asdict().items() if head is not None and len(head)} == {*settings.heads}
    assert output.distance.shape == (2, 1, 7, 9)
    assert (output.distance > 0).all()
    torch.testing.assert_close(output.embedding.norm(dim=1), torch.ones(2, 7, 9))


def test_the_data_set_is_the_same_each_time():
    assert "discs" not in DATASETS
    one, other = open_discs(Data(name="discs")), open_discs(Data(name="discs"))
    assert tuple(map(len, one.splits.values())) == COUNTS
    assert one.digest() == other.digest()
    samples = [record.load() for records in one.splits.values() for record in records]
    assert len({sample.image.tobytes() for sample in samples}) == sum(COUNTS)
    for sample in samples:
        assert (sample.image.shape, sample.labels.shape) == ((SIDE, SIDE, 1), (SIDE, SIDE))
        assert sample.labels.max() == DISCS
