import io
from types import SimpleNamespace

import mlflow
import numpy as np
import pandas as pd
import pytest

from reports.blocks.launch_results import load_launches
from reports.blocks.printed import printed_in, printed_key, read_printed, score_columns, score_frame, with_printed
from reports.pages.wnet_tables import WnetTables
from study.ablation.printed import A1
from study.ablation.statistics import interval
from study.data.sets.cvppp import A1_TEST

CODALAB = "printed_sbd_legacy (CodaLab test A1-5 (labels private))"


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
    assert found[CODALAB].to_dict() == printed
    assert not [name for name in found if "minus_printed" in name]  # labels of CodaLab are private, never ours
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


def test_the_page_shows_the_values(made, tables_of):
    block = page(made, made.concat_layer).table_1()
    (columns,) = tables_of(block.html)
    frame = pd.read_csv(made.folder / "table_1.csv")
    assert columns[1] == [f"{value:.3f}" for value in frame[CODALAB]]
    assert [cell.split()[0] for cell in columns[2]] == [f"{value:.3f}" for value in frame["sbd_legacy"]]
    assert [cell.split()[0] for cell in columns[3]] == [f"{value:.3f}" for value in frame["sbd"]]
    assert "leaves, 5 test images (a fixed split); seeds 0, 1; foreground at test time: auto" in block.html
    assert "Legacy: the larger" in block.html
    assert "not known for a fact" in block.html


@pytest.mark.parametrize("of", ["concat_layer", "on_cvppp"])
def test_the_leaderboard_is_in_grey_and_without_a_difference(made, of):
    """Neither synthetic images nor plants of A1 are those of the challenge."""
    own = page(made, getattr(made, of))
    text = (own.table_1() or own.table_2()).html
    assert "− printed" not in text
    assert '<td class="number starts soft">0.879</td>' in text
    assert "In grey, without a difference: on other test images than ours, CodaLab test A1-5 (labels private)." in text


def test_what_is_trained_on_stands_beside_the_paper(made):
    about = page(made, made.on_cvppp).about().html
    assert "Training images: an unknown number of images of cvppp2017 (A1). The paper trains on all 810" in about
    assert "set=data.subsets=A1+A2+A3+A4" in about


def beside(dataset, tested, file, scores, rows, told=()):
    """A frame with `rows` (of the settings and scores of variants) and the printed values of a file."""
    frame = pd.DataFrame(rows).assign(label="", missing="")
    names = [name for name in frame if "." in name or name == "system"]
    launch = SimpleNamespace(dataset=dataset, tested=set(tested), ablation=SimpleNamespace(names=lambda: names))
    return with_printed(frame, launch, read_printed(file), scores, told)


def test_backbones_have_legacy_scores_and_parameters_beside_and_no_difference():
    networks = {"network.name": ["residual", "resnet-101"], "sbd_legacy": [0.9, 0.8], "parameters": [4.7e6, 35e6]}
    frame = beside("cvppp2017", A1_TEST, "pea_table1", ("sbd_legacy", "abs_dic", "parameters"), networks)
    where = "(CodaLab test A1 (labels private))"
    assert frame[f"printed_sbd_legacy {where}"].tolist()[:3] == [0.923, 0.919, 0.667]
    assert frame[f"printed_parameters {where}"].tolist()[:2] == [4.7e6, 34.3e6]
    assert frame["label"].tolist()[2:4] == ["MSU", "Nottingham"]
    assert "PEA, ResNet-50" in frame["label"].tolist()  # a network that is not of this launch
    assert len(frame) == 2 + 12
    assert not [name for name in frame if "minus_printed" in name]
    assert {(score, same) for _, score, _, same in printed_in(frame)} == {
        ("sbd_legacy", False), ("abs_dic", False), ("parameters", False)
    }  # fmt: skip


def test_a_variant_with_further_settings_is_not_the_printed_one():
    rows = {"system": ["pea", "pea"], "clustering.method": [np.nan, "components-watershed"], "voi": [2.0, 3.0]}
    frame = beside("volume", ["planes 0"], "pea_table4", ("voi",), rows)
    assert frame["printed_voi (AC3, its first 100 sections)"].tolist()[:2] == pytest.approx(
        [1.0844, np.nan], nan_ok=True
    )


def test_half_of_the_plants_are_another_test_set():
    rows = {"system": ["pea"], "clustering.method": [np.nan], "sbd": [0.9]}
    whole = beside("cvppp2017", A1_TEST, "pea_table2", ("sbd",), rows)
    half = beside("cvppp2017", A1_TEST[:10], "pea_table2", ("sbd",), rows)
    other = beside("folder", A1_TEST, "pea_table2", ("sbd",), rows)
    assert whole[f"sbd_minus_printed ({A1})"].tolist() == pytest.approx([0.9 - 0.891])
    assert not [name for name in (*half, *other) if "minus_printed" in name]


def test_settings_are_matched_in_one_spelling():
    names = ("a", "b", "c", "d")
    assert printed_key({"a": 1.0, "b": True, "c": "1+3", "d": np.nan}, names) == ("1", "True", "1+3", "")
    assert printed_key({"a": "1.0", "b": "True", "c": "1+3"}, names) == ("1", "True", "1+3", "")


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
    assert frame[CODALAB].tolist()[:10] == [
        0.879, 0.854, 0.835, 0.823, 0.719, 0.771, 0.679, 0.733, 0.631, 0.681
    ]  # fmt: skip
    assert frame["sbd"].isna().tolist()[:10] == [True] * 4 + [False] * 6
    assert (frame["missing"][:4] == "no finished run").all()


def test_what_is_missing_is_told_and_the_rest_comes_out(made):
    own = page(made, made.partial)
    text = own.figure_6_values().html
    for words in (
        "U-Net, λ = 0.5, seed 0: FAILED (no image is left)",
        "U-Net, λ = 10, seed 0: KILLED (its process was killed)",
        "W-Net, λ = 500, seed 0: RUNNING",
        "W-Net, λ = only (seed 0): not begun",
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
