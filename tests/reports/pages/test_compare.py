import numpy as np
import pandas as pd
import pytest

from reports.pages.compare import Comparison
from study.tracking import children_of, stored_run


def comparison(made, *run_ids):
    return Comparison(made.store, ",".join(run_ids), str(made.folder))


def test_differences_are_taken_image_by_image(made, assert_scores_apart):
    runs = [made.concat_layer.children[f"concat_layer {layer}", 0] for layer in ("dfeat.32", "none")]
    own = comparison(made, *runs)
    assert_scores_apart(own.scores().html)
    frame = pd.read_csv(made.folder / "scores.csv")
    first, other = (run.table["sbd"] for run in own.runs)
    assert frame["sbd"].tolist() == pytest.approx([first.mean(), other.mean()])
    assert np.isnan(frame["sbd_diff"][0])
    assert frame["sbd_diff"][1] == pytest.approx(sum(other[image] - first[image] for image in first.index) / 5)
    own.per_image()
    pairs = pd.read_csv(made.folder / "per_image.csv")
    assert pairs["first"].tolist() == first.tolist()
    assert pairs["other"].tolist() == other.tolist()
    own.images(1)
    assert pd.read_csv(made.folder / "images_1.csv")["image"].tolist() == ["test_0"] * 2


def test_settings_that_differ(made):
    runs = [made.concat_layer.children[f"concat_layer {layer}", 0] for layer in ("dfeat.32", "dfeat.8")]
    comparison(made, *runs).settings()
    frame = pd.read_csv(made.folder / "settings.csv")
    assert list(frame.columns) == ["run", "network.concat_layer"]
    assert frame["network.concat_layer"].tolist() == ["dfeat.32", "dfeat.8"]


def test_a_parent_stands_for_its_runs_and_missing_ones_are_told(made):
    own = comparison(made, made.partial.id)
    assert len(own.runs) == 8
    text = own.about().html
    assert "unet, inter_weight 0.5, seed 0: FAILED (no image is left)" in text
    assert "Runs with other test images" not in text


def test_warnings_of_runs_are_told(made):
    runs = [made.concat_layer.children[f"concat_layer {layer}", 0] for layer in ("dfeat.32", "none")]
    assert "Warnings:" not in comparison(made, *runs).about().html
    made.client.set_tag(runs[1], "warning", "3 <of> 4")
    assert "concat_layer none, seed 0: 3 &lt;of&gt; 4" in comparison(made, *runs).about().html
    made.client.delete_tag(runs[1], "warning")


def test_runs_without_common_images_are_not_compared(made):
    on_leaves = made.concat_layer.children["concat_layer none", 0]
    on_others = made.on_cvppp.children["method angular, unet", 0]
    own = comparison(made, on_leaves, on_others)
    assert "Runs with other test images than the first" in own.about().html
    assert "no run has test images in common" in own.per_image().html
    own.scores()
    assert pd.read_csv(made.folder / "scores.csv")["sbd_diff"].isna().all()


def test_nothing_to_compare(made):
    own = comparison(made, made.partial.children["unet, inter_weight 0.5", 0])
    assert "No run has scores to compare" in own.about().html
    assert own.per_image() is own.images(3) is None
    own.settings()
    own.scores()


def test_the_control_of_a_launch_is_what_its_runs_are_compared_with(made):
    own = comparison(made, made.concat_layer.id)
    control = made.client.get_run(made.concat_layer.id).data.tags["control"]
    assert own.runs[0].run.tags["variant"] == control
    started = children_of(stored_run(made.concat_layer.id))  # of each variant a run for each seed
    of_control, others = (
        [run.run_id for run in started if (run.tags["variant"] == control) is which] for which in (True, False)
    )
    assert [run.run.run_id for run in own.runs] == of_control + others
    assert f"difference to {own.runs[0].name}" in own.scores().html


def test_settings_that_follow_from_the_network_are_not_told(made):
    unet, wnet = (made.partial.children[f"{name}, inter_weight 1", 0] for name in ("unet", "wnet"))
    comparison(made, f"{wnet},{unet}").settings()
    differing = pd.read_csv(made.folder / "settings.csv").columns.tolist()
    assert differing == ["run", "network.name", "network.concat_layer"]  # and not those that a U-Net does not have
