import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports.pages.sphere import Sphere
from study.tracking import stored_scores


@pytest.fixture
def own(made):
    return Sphere(made.store, made.sphere.id, str(made.folder))


def test_an_image_on_the_sphere_under_both_constraints(own, made):
    text = own.figure_1().html
    data = pd.read_csv(made.folder / "figure_1.csv")
    assert data["variant"].tolist() == ["local constraints", "global constraints"]
    runs = [made.sphere.children[f"constraints {of}", 0] for of in ("local", "global")]
    assert data["run_id"].tolist() == runs
    angles = [stored_scores(run, "test").table["neighbour_angle"][0] for run in runs]
    assert data["angle"].tolist() == angles
    assert "Embeddings of the test image test_0, that of most objects among 3" in text
    assert np.asarray(Image.open(made.folder / "figure_1.png").convert("L")).std() > 10


def test_scores_and_angles_of_both(own, made, tables_of):
    (columns,) = tables_of(own.table().html)
    assert columns[0] == ["local constraints", "global constraints"]
    own.angles()
    curves = pd.read_csv(made.folder / "neighbour_angle.csv")
    assert curves["loss.constraints"].tolist() == ["local"] * 2 + ["global"] * 2
