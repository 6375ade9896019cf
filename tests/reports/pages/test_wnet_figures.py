import numpy as np
import pandas as pd
import pytest
from PIL import Image

from reports.pages.wnet_figures import WnetFigures
from study.tracking import stored_scores


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


def test_what_fools_a_u_net(made):
    text = page(made, made.concat_layer).figure_2().html
    assert "Test images that fool the U-Net: of the 3 among 3 test images in which it merges or splits" in text
    data = files_of(made.folder, "figure_2")
    assert data["variant"].tolist() == ["U-Net", "W-Net"] * 3
    assert data["merged"].tolist() == [2, 0] * 3
    sbd = data["sbd"].to_numpy().reshape(3, 2)
    assert (np.diff(sbd[:, 0] - sbd[:, 1]) > 0).all()  # the worst comes first
    assert set(data["run_id"]) == {
        made.concat_layer.children[f"concat_layer {layer}", 0] for layer in ("none", "dfeat.32")
    }


def test_embeddings_of_the_worst_images(made):
    text = page(made, made.concat_layer).figure_4().html
    assert "in which the U-Net merges objects, those of its lowest SBD. Numbered: the objects" in text
    data = files_of(made.folder, "figure_4")
    table = stored_scores(made.concat_layer.children["concat_layer none", 0], "test").table.head(3)
    worst = table.sort_values("sbd")["image"].tolist()[:2]
    assert data["image"].tolist() == [image for image in worst for _ in range(2)]
    assert f"{worst[0]} (SBD: U-Net {table['sbd'].min():.3f}, W-Net 0." in text


def test_the_ratio_of_the_loss_terms(made):
    text = page(made, made.partial).loss_ratio().html
    assert "Dotted: about 10" in text
    assert "Cosine of the between-instance term here: squared" in text  # of the profile
    data = files_of(made.folder, "loss_ratio")
    assert data["step"].tolist() == [1, 2] * 8
    assert data["ratio"].tolist() == [ratio for k in range(1, 9) for ratio in [5.0 * k] * 2]
    assert page(made, made.concat_layer).loss_ratio() is None


def test_precision_of_both_networks(made):
    own = page(made, made.concat_layer)
    own.precision_curves()
    curves = files_of(made.folder, "precision")
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
    assert own.scores("lambda") is own.pictures("lambda", "figure_7") is own.figure_2() is own.figure_4() is None
    assert "Fig. 2 and 4 (no launch of both networks is given)" in own.about().html
    assert not list(made.folder.glob("*.pdf"))
