import io

import mlflow
import pandas as pd
import pytest

from ablations import find_ablations
from reports.blocks.printed import printed_key, read_printed
from reports.pages.pea_tables import PARTS, PeaTables, printed_file
from study.runs.job import variant_name


def test_every_ablation_has_its_part():
    assert PARTS.keys() == {name for name in find_ablations() if name.partition("_")[0] == "pea"}


def test_table_2_beside_the_printed_values(made, tables_of):
    page = PeaTables(made.store, made.pea.id, str(made.folder))
    text = page.part("pea").html
    frame = pd.read_csv(made.folder / "pea.csv").set_index("variant")
    for variant in made.pea.ablation.variants():
        run_id = made.pea.children[variant_name(variant), 0]
        table = pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_test.csv")))
        assert frame.loc[variant_name(variant), "sbd"] == pytest.approx(table["sbd"].mean())
    printed = frame["printed_sbd"].dropna().to_dict()
    assert printed == {
        "pea": 0.891,
        "affinity-learning": 0.871,
        "ml-de, method mutex-watershed": 0.885,
        "ml-de, method mean-shift": 0.873,
    }
    (columns,) = tables_of(text)
    assert columns[0] == ["PEA", "affinity learning", "W-Net", "ML-De, mutex-watershed", "ML-De, mean-shift"]
    assert columns[1] == ["0.891", "0.871", "–", "0.885", "0.873"]
    assert "true SBD" in text
    assert (made.folder / "pea_scores.pdf").exists()


def test_printed_values_of_leaves_stay_away_from_cells(made):
    page = PeaTables(made.store, made.ranges.id, str(made.folder))
    assert "0.891" not in page.part("pea_ranges").html
    assert pd.read_csv(made.folder / "pea_ranges.csv")["printed_sbd"].isna().all()
    assert page.part("pea") is None
    assert "Table 2 (no launch of pea is given)" in page.about().html


@pytest.mark.parametrize("name", [name for name in PARTS if name not in ("pea", "pea_ranges")])
def test_printed_values_belong_to_variants(name):
    ablation = find_ablations()[name]
    rows = read_printed(printed_file(PARTS[name]), dtype=str, keep_default_na=False).to_dict("records")
    given = [column for column in rows[0] if column not in ("sbd", "abs_dic", "source")]
    assert given == ablation.names()
    variants = {printed_key(variant, given) for variant in ablation.variants()}
    printed = {tuple(row[column] for column in given) for row in rows}
    assert printed <= variants
