import numpy as np
import pandas as pd
import pytest

from reports.pages.pea_figures import PeaFigures
from study.figures import tiled
from study.runs.job import variant_name
from study.tracking import TrackedRun

SYSTEMS = {"affinity-learning": ("range 1 px", "range 9 px"), "pea": ("range 1 px", "range 3 px", "range 9 px")}


def kept(run_id, name, rows, columns, means=0.0):
    """Let a run have a picture of random tiles; `means` tells the runs apart."""
    tiles = np.random.default_rng(0).integers(0, 255, (len(rows), len(columns), 8, 8, 3), dtype=np.uint8)
    places = [(i, j) for i in range(len(rows)) for j in range(len(columns))]
    table = pd.DataFrame(places, columns=["row", "column"])
    table = table.assign(in_row=[rows[i] for i, _ in places], in_column=[columns[j] for _, j in places])
    affinities = (table["row"] == len(rows) - 1) & (table["column"] > 0)
    table["mean_same"] = np.where(affinities, 0.9 + means, np.nan)
    table["mean_different"] = np.where(affinities, 0.1 + means, np.nan)
    TrackedRun(run_id).log_picture(tiled(tiles), table.assign(image="a plant"), f"affinity_pictures/{name}")


@pytest.fixture
def with_pictures(made):
    """The launch `pea` with pictures in the runs of two of its three systems."""
    for means, (system, ranges) in enumerate(SYSTEMS.items()):
        columns = ["labels or embedding", *ranges]
        kept(made.pea.children[system, 0], "affinities", ["truth", "network"], columns, 0.01 * means)
    kept(made.pea.children["pea", 0], "views", ["image", "affinities, range 3 px"], ["original", "second view"])
    return made


def test_figure_1_has_a_row_per_system_and_says_which_is_missing(with_pictures, tables_of):
    block = PeaFigures(with_pictures.store, with_pictures.pea.id, str(with_pictures.folder)).figure_1()
    data = pd.read_csv(with_pictures.folder / "figure_1.csv")
    assert data["variant"].drop_duplicates().tolist() == ["affinity-learning", "pea"]
    assert set(data["run_id"]) == {with_pictures.pea.children[system, 0] for system in SYSTEMS}
    assert (with_pictures.folder / "figure_1.pdf").exists()
    assert "a plant, seed 0" in block.html
    assert "ml-de: no finished run that keeps such a picture" in block.html
    (columns,) = tables_of(block.html)
    assert columns[0] == ["affinity learning", "PEA"]
    assert columns[1:] == [
        *(["0.90", "0.91"], ["0.10", "0.11"]),  # range 1
        *(["0.90", "0.91"], ["0.10", "0.11"]),  # range 9
        *(["–", "0.91"], ["–", "0.11"]),  # range 3, which one system does not predict
    ]


def test_views_are_shown_and_a_missing_pyramid_is_told(with_pictures, tables_of):
    page = PeaFigures(with_pictures.store, with_pictures.pea.id, str(with_pictures.folder))
    views = page.views().html
    assert "our choice: the paper gives no amounts" in views
    assert tables_of(views) == [[["affinities, range 3 px"], ["0.90"], ["0.10"]]]
    assert (
        list(pd.read_csv(with_pictures.folder / "figure_2_views.csv")["in_column"]) == ["original", "second view"] * 2
    )
    pyramid = page.pyramid().html
    assert "Missing: PEA, no finished run that keeps such a picture" in pyramid
    assert "<img" not in pyramid


def test_labels_of_all_variants_stand_beside_the_truth(made):
    page = PeaFigures(made.store, made.pea.id, str(made.folder))
    assert "The paper shows nuclei of BBBC039" in page.labels("pea").html
    data = pd.read_csv(made.folder / "figure_3.csv")
    assert set(data["variant"]) == {variant_name(variant) for variant in made.pea.ablation.variants()}
    assert page.labels("em") is None
    about = page.about().html
    assert "Fig. 4 (no launch of em is given)" in about
    assert "Fig. 6 (the page pea_tables)" in about


def test_nothing_is_shown_of_pea_without_its_launch(made):
    page = PeaFigures(made.store, made.ranges.id, str(made.folder))
    assert (page.figure_1(), page.views(), page.pyramid(), page.labels("pea")) == (None, None, None, None)
    assert "views and pyramid of Fig. 2 (no launch of pea or pea_modules is given)" in page.about().html
