import io

import mlflow
import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from reports.blocks.printed import printed_key, read_printed
from reports.pages.pea_tables import PARTS, PeaTables, printed_file
from study.ablation.printed import A1, A2, BBBC039
from study.runs.job import variant_name

ML_DE = ("ml-de, method affinity-watershed", "ml-de, method mean-shift")
ON_A1 = {"pea": 0.891, "affinity-learning": 0.871, ML_DE[0]: 0.885, ML_DE[1]: 0.873}
ON_A2 = {"pea": 0.763, "affinity-learning": 0.711, ML_DE[0]: 0.734, ML_DE[1]: 0.712}


def part(made, launch, name):
    """A part of the page as HTML, and its CSV file by the variants."""
    text = PeaTables(made.store, launch.id, str(made.folder)).part(name).html
    return text, pd.read_csv(made.folder / f"{name}.csv").set_index("variant")


def test_every_ablation_has_its_part():
    assert PARTS.keys() == {name for name in find_ablations() if name.partition("_")[0] == "pea"}


def test_a1_is_compared_with_the_half_of_table_2_on_a1(made, tables_of):
    text, frame = part(made, made.pea, "pea")
    for variant in made.pea.ablation.variants():
        run_id = made.pea.children[variant_name(variant), 0]
        table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_test.csv")))
        assert frame.loc[variant_name(variant), "sbd"] == pytest.approx(table["sbd"].mean())
    assert frame[f"printed_sbd ({A1})"].to_dict() == ON_A1
    assert frame[f"printed_sbd ({A2})"].to_dict() == ON_A2
    difference = frame["sbd"] - frame[f"printed_sbd ({A1})"]
    np.testing.assert_allclose(frame[f"sbd_minus_printed ({A1})"], difference)
    assert f"sbd_minus_printed ({A2})" not in frame
    (columns,) = tables_of(text)
    assert columns[0] == ["PEA", "affinity learning", "ML-De, affinity-watershed", "ML-De, mean-shift"]
    assert columns[1] == ["0.891", "0.871", "0.885", "0.873"]
    assert columns[2] == [f"{value:+.3f}".replace("-", "−") for value in difference]
    assert '<td class="number starts soft">0.763</td>' in text
    assert '<td class="number starts">0.891</td>' in text
    assert "true SBD" in text
    assert (made.folder / "pea_scores.pdf").exists()


def test_a2_is_not_compared_with_what_was_printed_of_a1(made):
    text, frame = part(made, made.pea_a2, "pea")
    assert f"sbd_minus_printed ({A1})" not in frame
    np.testing.assert_allclose(frame[f"sbd_minus_printed ({A2})"], frame["sbd"] - pd.Series(ON_A2).reindex(frame.index))
    assert '<td class="number starts soft">0.891</td>' in text
    assert f"On the test images of this launch: {A2}." in text
    assert f"on other test images than ours, {A1}." in text


@pytest.mark.parametrize(
    ("name", "of"), [("pea", "pea_leaves"), ("pea_adaptive", "adaptive"), ("pea_ranges", "ranges")]
)
def test_other_images_are_compared_with_nothing_printed(made, name, of):
    """Synthetic leaves, Table 7 without data.test_subsets=A2, and Fig. 6b on cells."""
    text, frame = part(made, getattr(made, of), name)
    assert not [column for column in frame if "minus_printed" in column]
    assert "ours − printed" not in text
    assert "On the test images of this launch" not in text
    assert "In grey, without a difference: on other test images than ours" in text
    assert 'soft">0.' in text


def test_table_7_is_of_a2(made):
    _, frame = part(made, made.adaptive_a2, "pea_adaptive")
    assert frame[f"printed_sbd ({A2})"].tolist() == [0.763, 0.771, 0.774]
    np.testing.assert_allclose(frame[f"sbd_minus_printed ({A2})"], frame["sbd"] - [0.763, 0.771, 0.774])


def test_a_launch_on_nuclei_is_table_3(made, tables_of):
    text, frame = part(made, made.pea_nuclei, "pea")
    assert "Table 3: " in text
    assert "0.891" not in text
    assert frame.loc["pea", f"aji_minus_printed ({BBBC039})"] == pytest.approx(frame.loc["pea", "aji"] - 0.8674)
    assert frame.loc["pea", f"printed_fbd ({BBBC039})"] == 0.9673
    others = frame["label"].tolist()[4:]
    assert others[0] == "Mask R-CNN"
    assert others[-1] == "PFFNet"
    assert frame[f"printed_pq ({BBBC039})"].tolist()[-1] == 0.833
    (columns,) = tables_of(text)
    assert "0.798" in columns[1]


def test_table_1_is_of_the_leaderboard(made, tables_of):
    text, frame = part(made, made.backbones, "pea_backbones")
    name = "printed_sbd_legacy (CodaLab test A1 (labels private))"
    assert frame[name].tolist()[:4] == [0.923, 0.917, 0.919, 0.667]
    assert not [column for column in frame if "minus_printed" in column]
    (columns,) = tables_of(text)
    assert columns[1][:3] == ["0.923", "0.917", "0.919"]
    assert columns[3][:3] == ["4,700,000", "15,300,000", "34,300,000"]
    assert "not known for a fact" in text


def test_what_is_not_on_the_page(made):
    about = PeaTables(made.store, made.pea.id, str(made.folder)).about().html
    assert "Table 1 (no launch of pea_backbones is given)" in about
    assert f"scores of ours for Table 2 on A2 (no launch of pea is tested on {A2}, as with dataset=cvppp2017" in about
    assert "scores of ours for Table 3" in about
    assert "Table 2 on A1" not in about
    assert "Table 4 (the page em_tables)" in about
    page = PeaTables(made.store, made.ranges.id, str(made.folder))
    assert page.part("pea") is None
    assert "Table 2 (no launch of pea is given)" in page.about().html
    assert "Table 2 on A1" in page.about().html


@pytest.mark.parametrize("name", [name for name in PARTS if name not in ("pea", "pea_ranges")])
def test_printed_values_belong_to_variants(name):
    ablation = find_ablations()[name]
    rows = read_printed(printed_file(PARTS[name])).to_dict("records")
    given = [column for column in rows[0] if "." in column]
    assert given == ablation.names()
    variants = {printed_key(variant, given) for variant in ablation.variants()}
    others = {("",)} if name == "pea_backbones" else set()  # methods of others
    assert {printed_key(row, given) for row in rows} <= variants | others


def test_table_2_has_both_halves():
    rows = read_printed("pea_table2")
    variants = {printed_key(variant, find_ablations()["pea"].names()) for variant in find_ablations()["pea"].variants()}
    for test_set in (A1, A2):
        half = rows[rows["test_set"] == test_set].to_dict("records")
        assert {printed_key(row, ("system", "clustering.method")) for row in half} == variants
