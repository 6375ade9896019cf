import numpy as np
import pandas as pd
import pytest

from reports.blocks.launch_results import load_launches
from reports.blocks.subsets import PRINTED, group_scores, subset_frame, subset_table
from reports.pages.wnet_tables import WnetTables
from study.ablation.statistics import interval

SIZES = {"A1": 4, "A2": 2, "A3": 3}


def table(seed=0, sizes=SIZES):
    rng = np.random.default_rng(seed)
    rows = [(f"{name}/plant{i:03}", rng.random()) for name, count in sizes.items() for i in range(count)]
    return pd.DataFrame(rows, columns=["image", "sbd"])


def test_a_group_is_the_unweighted_mean_of_its_subsets():
    tables = [table(0), table(1)]
    found = group_scores(tables, "sbd")
    means = []
    for name in SIZES:
        values = [v for t in tables for image, v in zip(t["image"], t["sbd"], strict=True) if image.startswith(name)]
        means.append(sum(values) / len(values))
    assert found["A1"][0] == pytest.approx(means[0])
    assert found["A1-3"][0] == pytest.approx(sum(means) / 3)
    for group in ("A1", "A1-3"):
        mean, low, high = found[group]
        assert low < mean < high
    assert found.keys() == {"A1", "A2", "A3", "A1-3"}


def test_a_missing_subset_is_never_guessed():
    assert group_scores([table(sizes={"A2": 3})], "sbd").keys() == {"A2"}


def test_the_mean_of_arabidopsis_leaves_tobacco_out():
    tables = [table(sizes={"A1": 4, "A2": 2, "A3": 3, "A4": 5})]
    found = group_scores(tables, "sbd")
    assert found["A1+A2+A4"][0] == pytest.approx((found["A1"][0] + found["A2"][0] + found["A4"][0]) / 3)
    assert "A1-5" not in found


def test_the_interval_keeps_subsets_apart():
    tables = [table(0), table(1)]
    of = {name: np.stack([t[t["image"].str.startswith(name)]["sbd"] for t in tables]) for name in SIZES}
    found = interval(of["A1"], of["A2"], of["A3"])
    assert group_scores(tables, "sbd")["A1-3"] == (found.mean, found.low, found.high)
    together = interval(np.concatenate(list(of.values()), axis=1))
    assert found.mean != pytest.approx(together.mean)


def test_ours_stand_below_the_printed_methods(made):
    frame = subset_frame(load_launches([made.on_cvppp.id, made.concat_layer.id])).set_index("method")
    assert list(frame.index[-2:]) == ["our U-Net", "our W-Net"]
    launch = load_launches([made.on_cvppp.id])["clustering"]
    for network in ("unet", "wnet"):
        (result,) = launch.of({"clustering.method": "angular", "network.name": network})
        row = frame.loc[{"unet": "our U-Net", "wnet": "our W-Net"}[network]]
        assert row["legacy_A1"] == pytest.approx(result.table["sbd_legacy"].mean())
        assert row["true_sbd_A1"] == pytest.approx(result.table["sbd"].mean())
        assert row["missing"] == "no test images of A2, A3, A4"
        assert row[["trained_on", "aug", "emb", "fg"]].tolist() == ["A1", "yes", "cos", "yes"]
    printed = frame.loc["W-Net", [f"printed_legacy_{group}" for group in PRINTED]].tolist()
    assert printed == [0.919, 0.77, 0.917, 0.870, 0.879]
    assert frame.loc["second best of the leaderboard", "printed_legacy_A1+A2+A4"] == 0.883
    assert frame.loc["first of the leaderboard on A3", "printed_legacy_A3"] == 0.89
    assert frame.loc["DiscLoss", ["aug", "emb", "fg"]].tolist() == ["yes", "euc", "yes"]


def test_table_3_is_without_a_difference_and_a1_5_is_not_ours(made, tables_of):
    frame = subset_frame(load_launches([made.on_cvppp.id]))
    assert not [name for name in frame if "minus" in name or name.endswith(("legacy_A1-5_low", "sbd_A1-5"))]
    text = subset_table(frame, "x").html
    columns, legacy, true = tables_of(text)
    assert columns[3][9] == "✓"  # DiscLoss, augmentation
    assert len(columns[0]) == 15
    for own, prefix in ((legacy, "legacy"), (true, "true_sbd")):
        assert own[0] == ["our U-Net", "our W-Net"]
        assert [cell.split()[0] for cell in own[6]] == [f"{value:.3f}" for value in frame[f"{prefix}_A1"][-2:]]
    assert [columns[i][12] for i in range(6, 11)] == ["0.919", "0.770", "0.917", "0.870", "0.879"]
    assert '<td class="number starts soft">0.919</td>' in text
    assert "A1-5 can never be ours" in text


def test_printed_true_scores_stand_apart(made):
    """Three methods' values were taken over from Chen et al. 2019, who measured true SBD."""
    frame = subset_frame(load_launches([made.on_cvppp.id])).set_index("method")
    assert frame["printed_true_sbd_A1-3"].dropna().to_dict() == {"Mask R-CNN": 0.797, "StarDist": 0.802, "E-LC": 0.831}
    assert frame.loc[["Mask R-CNN", "StarDist", "E-LC"], "printed_legacy_A1-3"].isna().all()


def test_other_images_than_leaves_have_no_subsets(made, tables_of):
    frame = subset_frame(load_launches([made.concat_layer.id]))
    assert frame["missing"].tolist()[-2:] == ["missing: the data set is leaves, not cvppp2017"] * 2
    text = subset_table(frame, "").html
    assert len(tables_of(text)) == 1  # the printed ones
    assert "There are no values of ours: the data set is leaves, not cvppp2017." in text
    assert WnetTables(made.store, made.concat_layer.id, str(made.folder)).table_3() is None
    assert WnetTables(made.store, made.on_cvppp.id, str(made.folder)).table_3() is not None
