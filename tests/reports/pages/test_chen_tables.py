import io
import re
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import ablations
from reports.pages.chen_tables import COUNTS, PRECISIONS, ChenTables
from study.errors import StudyError

E_LC = [(16, 10), (16, 30), (16, 100), (4, 10), (4, 30), (4, 100)]
# in the order of the paper, and then that of which it prints nothing
ON_CELLS = "(230 images of BBBC006 and DSB2018 (not listed))"
ON_LEAVES = "(162 images of CVPPP2017 A1-4 (not listed))"
SOFTWARE = [("U-Net", 0, 0), ("star-dist", 0, 0), ("Mask R-CNN", 0, 0), ("Cellpose", 0, 0)]


def per_image(run_id):
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_test.csv")))


def page(made, launch):
    return ChenTables(made.store, launch.id, str(made.folder))


def rows_of(made, name):
    """Rows of a table by method, dimensions and distance; 0 where there are none."""
    settings = ["network.embedding_dim", "loss.neighbour_distance"]
    frame = pd.read_csv(made.folder / f"{name}.csv").fillna(dict.fromkeys(settings, 0))
    return {tuple(row[column] for column in ("method", *settings)): row for row in frame.to_dict("records")}


def children(made, dims=None, distance=None):
    """Tables of scores of both seeds of a variant of `on_cells`."""
    name = f"embedding_dim {dims}, neighbour_distance {distance}" if dims else "three-class"
    return [per_image(made.on_cells.children[name, seed]) for seed in (0, 1)]


def naive(tables, score):
    values = [value for table in tables for value in table[score]]
    return sum(values) / len(values)


def test_table_1_holds_the_scores_of_the_images_and_the_printed_ones(made):
    own = page(made, made.on_cells)
    text = own.table_1().html
    rows = rows_of(made, "table_1")
    assert list(rows) == [*SOFTWARE, *(("E-LC", *of) for of in E_LC)]
    tables = {(name, 0, 0): [per_image(run_id)] for name, run_id in made.labels.items()}
    tables |= {("E-LC", *of): children(made, *of) for of in E_LC} | {("U-Net", 0, 0): children(made)}
    for key, row in rows.items():
        for score in PRECISIONS:
            wanted = naive(tables[key], score) if key in tables else np.nan
            assert row[score] == pytest.approx(wanted, nan_ok=True), (key, score)
    printed = {"ap_50": 0.8302, "ap_90": 0.2332, "map": 0.6678}
    assert {name: rows["U-Net", 0, 0][f"printed_{name} {ON_CELLS}"] for name in printed} == printed
    assert rows["star-dist", 0, 0][f"printed_map {ON_CELLS}"] == 0.7172  # as the paper spells it otherwise
    assert rows["Mask R-CNN", 0, 0][f"printed_ap_50 {ON_CELLS}"] == 0.882
    assert np.isnan(rows["Cellpose", 0, 0][f"printed_map {ON_CELLS}"])
    assert rows["E-LC", 4, 100][f"printed_ap_75 {ON_CELLS}"] == 0.4828
    assert "above that IoU, here from that IoU on" in text
    assert "Cellpose (foreground: truth), star-dist (foreground: truth)" in text


def test_ours_stand_before_the_printed_ones_in_grey(made, tables_of):
    text = page(made, made.on_cells).table_1().html
    (columns,) = tables_of(text)
    frame = pd.read_csv(made.folder / "table_1.csv")
    names = [*PRECISIONS, *(f"printed_{name} {ON_CELLS}" for name in PRECISIONS)]
    for cells, name in zip(columns[3:], names, strict=True):
        assert cells == [f"{value:.3f}".replace("nan", "–") for value in frame[name]]
    assert '<td class="number starts soft">0.911</td>' in text


def test_no_printed_value_is_of_our_images(made):
    own = page(made, made.on_cells)
    texts = own.table_1().html, own.table_2().html
    for text, where in zip(texts, (ON_CELLS, ON_LEAVES), strict=True):
        assert f"In grey, without a difference: on other test images than ours, {where[1:-1]}." in text
        assert "− printed" not in text
    for k in (1, 2):
        assert not [name for name in pd.read_csv(made.folder / f"table_{k}.csv") if "minus_printed" in name]


def test_table_2(made, tables_of):
    (columns,) = tables_of(page(made, made.on_cells).table_2().html)
    rows = rows_of(made, "table_2")
    assert list(rows) == [*SOFTWARE, *(("E-LC", *of) for of in E_LC)]
    control = children(made, 16, 10)
    for of in E_LC:
        row, own = rows["E-LC", *of], children(made, *of)
        for score in COUNTS:
            assert row[score] == pytest.approx(naive(own, score))
        assert row["sbd_low"] < row["sbd"] < row["sbd_high"]
        assert row["sbd_paper_thresholds"] == pytest.approx(row["sbd"] - 0.01)
        difference = naive(own, "sbd") - naive(control, "sbd") if of != (16, 10) else np.nan
        assert row["sbd_diff"] == pytest.approx(difference, nan_ok=True)
    assert [rows[key][f"printed_sbd {ON_LEAVES}"] for key in SOFTWARE[:3]] == [0.5456, 0.8019, 0.7972]
    assert [rows["E-LC", *of][f"printed_dic {ON_LEAVES}"] for of in E_LC] == [
        -0.179,
        -0.216,
        -0.2593,
        -0.6605,
        -0.6358,
        -0.5432,
    ]
    printed = [f"{row[f'printed_abs_dic {ON_LEAVES}']:.2f}".replace("nan", "–") for row in rows.values()]
    assert columns[-1] == printed
    assert columns[3][2] == "–"  # Mask R-CNN is not imported


def test_the_control_is_shaded(made):
    own = page(made, made.on_cells)
    for block in (own.table_1(), own.table_2()):
        (row,) = re.findall(r'<tr class="marked">(.*?)</tr>', block.html)
        assert re.findall(r"<td[^>]*>(.*?)</td>", row)[:3] == ["E-LC", "16", "10"]


def test_figures(made):
    own = page(made, made.on_cells)
    own.scores()
    data = pd.read_csv(made.folder / "scores.csv")
    assert data["system"].dropna().tolist() == ["three-class", "Cellpose (imported)", "star-dist (imported)"]
    assert len(data) == 7 + 2
    text = own.angles().html
    curves = pd.read_csv(made.folder / "neighbour_angle.csv")
    settings = ["network.embedding_dim", "loss.neighbour_distance"]
    assert sorted(map(tuple, curves[settings].drop_duplicates().to_numpy())) == sorted(E_LC)
    for run_id, curve in curves.groupby("run_id"):
        history = made.client.get_metric_history(run_id, "val/neighbour_angle")
        assert {point.step: point.value for point in history} == dict(zip(curve["step"], curve["angle"], strict=True))
    assert len(curves) == 6 * 2 * 2  # seeds, steps
    assert "Bands: range over seeds" in text
    for name in ("scores", "neighbour_angle"):
        assert (made.folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert np.asarray(Image.open(made.folder / f"{name}.png").convert("L")).std() > 10


def test_a_launch_of_another_ablation_is_refused(made):
    with pytest.raises(StudyError, match="takes one launch of the ablation 'neighbour_distance', not of loss"):
        page(made, made.losses)


def test_printed_values_fit_together():
    one, two = (pd.read_csv(Path(ablations.__file__).parent / "printed" / f"chen_table{k}.csv") for k in (1, 2))
    names = ["method", "network.embedding_dim", "loss.neighbour_distance"]
    pd.testing.assert_frame_equal(one[names], two[names])
    assert list(map(tuple, one[names[1:]].dropna().to_numpy())) == E_LC
    np.testing.assert_allclose(one[list(PRECISIONS[:-1])].mean(axis=1), one["map"], atol=2e-4)
    assert one["source"].str.contains("IoU > t").all()
    assert two["source"].str.contains("true SBD").all()
    assert (two["dic"].abs() <= two["abs_dic"]).all()


def test_labels_of_all_methods_side_by_side(made):
    text = page(made, made.on_cells).figure_3().html
    data = pd.read_csv(made.folder / "figure_3.csv")
    methods = ["three-class U-Net", "Cellpose", "star-dist", "E-LC, 16 dimensions, d = 10 px"]
    assert data["variant"].tolist() == methods * 2
    worst = per_image(made.on_cells.children["three-class", 0]).head(3).sort_values("sbd")["image"].tolist()[:2]
    assert data["image"].drop_duplicates().tolist() == worst
    assert "Blue: labels whose IoU with a true object is above 0.6; red: all others" in text
    assert np.asarray(Image.open(made.folder / "figure_3.png")).std() > 10


def test_labels_of_leaves_have_the_colours_of_the_true_ones(made, monkeypatch):
    monkeypatch.setattr("reports.pages.chen_tables.LEAVES", ("dsb2018",))
    assert "Labels have the colours of the true objects" in page(made, made.on_cells).figure_3().html


def test_what_is_not_on_the_page(made):
    assert (
        "Not on this page: Fig. 1 (the page sphere of ablate_sphere); Fig. 2" in page(made, made.on_cells).about().html
    )


def test_embeddings_that_are_not_consistent(made):
    text = page(made, made.on_cells).figure_4().html
    data = pd.read_csv(made.folder / "figure_4.csv")
    assert data["variant"].tolist() == ["E-LC, 16 dimensions, d = 10 px"] * 2
    assert data["share_apart"].tolist() == pytest.approx([3 / 7] * 2)  # object 3 is 50 degrees off
    assert "test_0 (42.9 %), test_1 (42.9 %); mean over all of them 42.9 %" in text
