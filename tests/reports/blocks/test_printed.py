import io

import mlflow
import numpy as np
import pandas as pd
import pytest

from reports.blocks.launch_results import load_launches
from reports.blocks.printed import score_columns, score_frame
from reports.pages.wnet_tables import WnetTables
from study.ablation.statistics import interval


def per_image(run_id):
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_test.csv")))


def page(made, *launches):
    return WnetTables(made.store, ",".join(launch.id for launch in launches), str(made.folder))


def test_the_values_are_those_of_the_tables_per_image(made):
    page(made, made.concat_layer).table_1()
    found = pd.read_csv(made.folder / "table_1.csv").set_index("network.concat_layer")
    of = {key: per_image(run_id) for key, run_id in made.concat_layer.children.items()}
    printed = {"none": 0.794, "coordinate": 0.798, "distmap": 0.824, "dfeat.8": 0.864, "dfeat.32": 0.879}
    printed |= {"efeat.32": 0.847, "dfeat.16+efeat.16": 0.873}
    assert found["printed_sbd_legacy"].to_dict() == printed
    for layer, row in found.iterrows():
        name = f"concat_layer {layer}"
        for score in ("sbd", "sbd_legacy"):
            values = [value for seed in (0, 1) for value in of[name, seed][score]]
            assert row[score] == pytest.approx(sum(values) / len(values))
            found = interval(np.reshape(values, (2, 5)))
            assert (row[f"{score}_low"], row[f"{score}_high"]) == pytest.approx((found.low, found.high))
            control = [value for seed in (0, 1) for value in of["concat_layer dfeat.32", seed][score]]
            differences = [a - b for a, b in zip(values, control, strict=True)]
            if layer == "dfeat.32":
                assert np.isnan(row[f"{score}_diff"])
            else:
                assert row[f"{score}_diff"] == pytest.approx(sum(differences) / len(differences))
        assert row["sbd_legacy_minus_printed"] == pytest.approx(row["sbd_legacy"] - printed[layer])


def test_the_page_shows_the_values(made, tables_of):
    block = page(made, made.concat_layer).table_1()
    (columns,) = tables_of(block.html)
    frame = pd.read_csv(made.folder / "table_1.csv")
    assert columns[1] == [f"{value:.3f}" for value in frame["printed_sbd_legacy"]]
    assert [cell.split()[0] for cell in columns[2]] == [f"{value:.3f}" for value in frame["sbd_legacy"]]
    assert [cell.split()[0] for cell in columns[4]] == [f"{value:.3f}" for value in frame["sbd"]]
    assert "leaves, 5 test images (a fixed split); seeds 0, 1; foreground at test time: auto" in block.html
    assert "Legacy: the larger" in block.html


def test_no_legacy_score_shares_a_column_with_a_true_one(made, assert_scores_apart):
    own = page(made, made.concat_layer, made.partial, made.on_cvppp)
    for block in (own.table_1(), own.table_2(), own.figure_6_values()):
        assert_scores_apart(block.html)
    assert "A1-3" in own.table_3().html


def test_the_papers_thresholds_stand_beside_tuned_ones(made):
    untuned = load_launches([made.constraints.id])["constraints"]
    columns = score_columns(score_frame(untuned))
    assert "tuned" not in [column.title for column in columns]
    launch = load_launches([made.on_cvppp.id])["clustering"]
    frame = score_frame(launch)
    np.testing.assert_allclose(frame["sbd"] - frame["sbd_paper_thresholds"], 0.01)
    assert frame["sbd_diff_p_adjusted"].isna().all()  # of a single seed
    columns = [(column.group, column.title) for column in score_columns(frame)]
    for group in ("true SBD", "legacy score"):
        assert {(group, "tuned"), (group, "paper's thresholds")} <= set(columns)
    differences = [title for group, title in columns if group == "true SBD"][-4:]
    assert differences == [
        "difference to the control",
        "adjusted p",
        "difference to the control, paper's thresholds",
        "adjusted p, paper's thresholds",
    ]


def test_table_2_has_the_papers_rows(made):
    page(made, made.on_cvppp, made.constraints).table_2()
    frame = pd.read_csv(made.folder / "table_2.csv")
    assert frame["row"].dropna().tolist() == list(range(1, 11))
    assert frame["printed_sbd_legacy"].tolist()[:10] == [
        0.879, 0.854, 0.835, 0.823, 0.719, 0.771, 0.679, 0.733, 0.631, 0.681
    ]  # fmt: skip
    assert frame["sbd"].isna().tolist()[:10] == [True] * 4 + [False] * 6
    assert (frame["missing"][:4] == "no finished run").all()


def test_what_is_missing_is_told_and_the_rest_comes_out(made):
    own = page(made, made.partial)
    text = own.figure_6_values().html
    for words in (
        "unet, inter_weight 0.5, seed 0: FAILED (no image is left)",
        "unet, inter_weight 10, seed 0: KILLED (its process was killed)",
        "wnet, inter_weight 500, seed 0: RUNNING",
        "wnet, inter_weight only (seed 0): not begun",
    ):
        assert words in text
    frame = pd.read_csv(made.folder / "figure_6b_values.csv", keep_default_na=False, na_values=[""])
    assert frame["sbd"].notna().sum() == 12 - 4
    missing = frame.set_index(["network.name", "loss.inter_weight"])["missing"]
    assert missing["unet", "0.5"] == "seed 0: FAILED (no image is left)"
    assert missing["wnet", "only"] == "no finished run"
    assert own.table_1() is own.table_2() is own.table_3() is None
    about = own.about().html
    assert "8 of 12" in about
    assert "Table 1 (no launch of concat_layer is given)" in about
    assert "lambda is given" not in about
