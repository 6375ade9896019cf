"""The tutorial is run from its first to its last line."""

import shutil
from pathlib import Path

import nbformat
import pandas as pd
import papermill
import pytest
from mlflow import MlflowClient

from reports.build.kernel import NAME, own_kernel

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"


def test_it_is_kept_without_outputs():
    cells = [cell for cell in nbformat.read(TUTORIAL, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The folder that the tutorial works in, and the notebook with its outputs."""
    folder = tmp_path_factory.mktemp("learning")
    notebook = Path(shutil.copy(TUTORIAL, folder))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        with own_kernel() as kernel:
            made = _made(notebook, folder / "made.ipynb", kernel)
    return folder / "tutorial", made


def _made(notebook, output, kernel):
    return papermill.execute_notebook(
        str(notebook),
        str(output),
        engine_name=NAME,
        kernel=kernel,
        kernel_name=NAME,
        language="python",
        progress_bar=False,
    )


def test_it_asks_its_question_and_shows_the_answer(executed):
    folder, made = executed
    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    (experiment,) = (e for e in client.search_experiments() if e.name != "Default")
    runs = client.search_runs([experiment.experiment_id], "attributes.status = 'FINISHED'")
    parents = [run for run in runs if run.data.tags.get("ablation") and "control" in run.data.tags]
    assert (len(parents), len(runs)) == (1, 5)  # two variants with two seeds each
    shown = [output["data"] for cell in made.cells for output in cell.get("outputs", []) if "data" in output]
    assert parents[0].data.tags["mlflow.note.content"] in [data.get("text/markdown") for data in shown]
    assert sum("image/png" in data for data in shown) == 3  # the scores, the contact sheet, what was found


def test_its_model_segments_new_images(executed):
    folder, _ = executed
    names = [f"new{number}" for number in range(4)]
    assert all((folder / "found" / f"{name}.png").exists() for name in names)
    objects = pd.read_csv(folder / "found" / "objects.csv")
    assert set(objects["image"]) == {f"{name}.png" for name in names}
    assert (folder / "found" / "rois").is_dir()
