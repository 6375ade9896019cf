import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports.pages.wnet_figures import WnetFigures


def page(made, *launches):
    return WnetFigures(made.store, ",".join(launch.id for launch in launches), str(made.folder))


def files_of(folder, name):
    """The PDF, the picture and the data of a figure, checked for content."""
    assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert np.asarray(Image.open(folder / f"{name}.png").convert("L")).std() > 10
    return pd.read_csv(folder / f"{name}.csv", keep_default_na=False, na_values=[""])


def test_figures_of_scores_come_with_their_data(made):
    block = page(made, made.concat_layer).scores("concat_layer")
    assert 'src="data:image/png;base64,' in block.html
    data = files_of(made.folder, "table_1_figure")
    assert len(data) == 7
    assert data["sbd"].between(0.2, 0.4).all()


def test_a_curve_over_a_launch_with_failures(made):
    block = page(made, made.partial).scores("lambda")
    assert "FAILED (no image is left)" in block.html
    data = files_of(made.folder, "figure_6b")
    assert data["sbd"].notna().sum() == 8


def test_pictures_without_some_variants(made):
    block = page(made, made.partial).pictures("lambda", "figure_7")
    assert "W-Net, λ = only: no finished run with pictures" in block.html
    data = files_of(made.folder, "figure_7")
    assert data["image"].tolist() == ["test_0", "test_1"] * 3
    assert set(data["run_id"]) <= set(made.partial.children.values())


def test_both_networks_side_by_side(made):
    own = page(made, made.concat_layer)
    assert "Over all test images and seeds: U-Net: SBD 0." in own.figure_8().html
    data = files_of(made.folder, "figure_8")
    assert data["variant"].tolist() == ["concat_layer none"] * 2 + ["concat_layer dfeat.32"] * 2
    own.precision_curves()
    curves = files_of(made.folder, "figure_8_precision")
    assert curves["iou"].tolist() == [iou / 100 for iou in range(50, 95, 5)] * 2
    results = own.launches["concat_layer"].of({"network.concat_layer": "none"})
    wanted = np.mean([result.table["ap_70"].mean() for result in results])
    assert curves["ap"][4] == pytest.approx(wanted)
    assert (curves["low"] <= curves["ap"]).all()


def test_a_launch_without_results_has_words_for_figures(made):
    own = page(made, made.constraints)
    for block in (own.scores("constraints"), own.pictures("constraints", "figure_5")):
        assert "not begun" in block.html or "no finished run" in block.html
        assert "<img" not in block.html
    assert own.scores("lambda") is own.pictures("lambda", "figure_7") is own.figure_8() is None
    assert "Fig. 8 (no launch of both networks is given)" in own.about().html
    assert not list(made.folder.glob("*.pdf"))
