import os
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny tensors; threads only wait for each other
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "false"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A fresh SQLite store; making its tables takes seconds, so that tests copy it."""
    from mlflow import MlflowClient

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


def _work_in(folder, monkeypatch):
    """Make `folder` the working folder and its store the one in use; gives a client to it."""
    import mlflow

    monkeypatch.chdir(folder)
    for name in ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    return mlflow.MlflowClient()


@pytest.fixture(scope="session")
def work_in():
    """Makes a folder the working folder, as `_work_in`."""
    return _work_in


@pytest.fixture
def store(empty_store, tmp_path, monkeypatch):
    """A working folder with an empty store of its own; gives a client to it."""
    import mlflow

    shutil.copy(empty_store, tmp_path / "mlflow.db")
    yield _work_in(tmp_path, monkeypatch)
    mlflow.end_run()


@pytest.fixture(scope="session")
def _asked(empty_store, tmp_path_factory):
    """An ablation of two variants, run once for all tests that look at what it left."""
    import study.__main__
    from study.ablation.design import Ablation
    from study.ablation.launch import run_ablations
    from study.executors import Inline
    from study.profiles import load_settings

    folder = tmp_path_factory.mktemp("finished")
    shutil.copy(empty_store, folder / "mlflow.db")
    printed = folder / "printed.csv"
    printed.write_text("network.name,loss.inter_weight,value,source\nwnet,1.0,0.9,a table\nwnet,500.0,0.8,a table\n")
    ablation = Ablation(
        name="two",
        question="Which network?",
        varied={"network.name": ["unet", "wnet"], "loss.inter_weight": [1.0]},
        control={"network.name": "wnet", "loss.inter_weight": 1.0},
        axis="loss.inter_weight",
        printed=printed,
    )
    settings = load_settings(profile="smoke", overrides="training.threads=1")
    with pytest.MonkeyPatch.context() as monkeypatch:
        client = _work_in(folder, monkeypatch)
        monkeypatch.setattr(sys, "argv", [study.__main__.__file__])  # MLflow looks for the commit there
        failed = run_ablations([ablation], lambda _, variant: settings.with_(variant), [0], Inline()).failed
        experiment = client.get_experiment_by_name("pixel-embeddings")
        runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.data.params["network.name"]: run for run in runs if run is not parent}
    return folder, SimpleNamespace(
        failed=failed, ablation=ablation, settings=settings, experiment=experiment, parent=parent, children=children
    )


@pytest.fixture
def asked(_asked, monkeypatch):
    """A finished ablation, its store in use.

    Has `client`, `failed` (what `run_ablations` returned), `ablation`, `settings` (of all variants), `experiment`, and
    the runs `parent` and `children` (by the network's name).
    """
    import mlflow

    folder, found = _asked
    found.client = _work_in(folder, monkeypatch)
    yield found
    mlflow.end_run()


@pytest.fixture(scope="session")
def write_folder():
    """Write a data set of the `folder` layout: images with two objects each."""

    def write(root, count=4, shape=(16, 16), channels=3):
        rng = np.random.default_rng(0)
        labels = np.zeros(shape, np.uint8)
        labels[: shape[0] // 2, : shape[1] // 2], labels[shape[0] // 2 + 1 :] = 1, 2
        for kind in ("images", "labels"):
            (root / kind).mkdir(parents=True)
        for i in range(count):
            image = rng.integers(0, 255, (*shape, channels), dtype=np.uint8)
            Image.fromarray(image.squeeze()).save(root / "images" / f"cell{i}.png")
            Image.fromarray(labels).save(root / "labels" / f"cell{i}.png")
        return root

    return write
