import pandas as pd
import pytest

from ablations import all_claims
from reports.pages.claims import Claims
from reports.pages.compare import Comparison
from reports.pages.systems import Systems
from reports.pages.wnet_tables import WnetTables
from study.ablation.verdicts import CANNOT_TELL, NOT_TESTED


@pytest.fixture
def page(made):
    launches = (made.concat_layer, made.partial, made.systems, made.on_cells)
    return Claims(made.store, ",".join(launch.id for launch in launches), str(made.folder))


def test_the_table_has_every_claim(page, made, tables_of):
    text = page.about().html
    (columns,) = tables_of(text)
    assert [key for key in columns[0] if key] == [claim.key for claim in all_claims()]
    assert f"{len(all_claims())} claims" in text
    assert set(columns[4]) <= {"reproduced", "not reproduced", CANNOT_TELL, NOT_TESTED}
    frame = pd.read_csv(made.folder / "claims.csv", dtype={"key": str})
    assert frame["key"].drop_duplicates().tolist() == [claim.key for claim in all_claims()]


def test_verdicts_are_of_the_launch_of_their_question(page):
    judged = {verdict.claim.key: verdict for verdict in page.verdicts()}
    assert judged["1"].where == "leaves"
    assert judged["24"].where == "dsb2018"
    assert judged["1"].found[0].seeds == judged["24"].found[0].seeds == 2
    assert (judged["7"].word, judged["7"].reason) == (NOT_TESTED, "no launch of constraints in this store")
    assert (judged["20"].word, judged["19"].word) == (NOT_TESTED, NOT_TESTED)
    assert judged["13"].word == CANNOT_TELL  # of one seed
    assert judged["14"].word == NOT_TESTED  # some runs of either slope have no scores
    assert judged["14"].reason.startswith("no seed has finished runs of all its variants: slope per tenfold")
    assert "no question of this suite" in judged["20"].reason


def test_several_data_sets_stand_in_a_column(page, made, tables_of):
    (columns,) = tables_of(page.about().html)
    assert {"leaves", "dsb2018", ""} == set(columns[5])
    only = Claims(made.store, made.systems.id, str(made.folder))
    assert "Measured on dsb2018: nothing is said of other data." in only.about().html
    assert made.systems.id in only.about_launches().html


def test_pages_begin_with_verdicts(made):
    ids = f"{made.concat_layer.id},{made.partial.id}"
    for text in (
        WnetTables(made.store, ids, str(made.folder)).about().html,
        Systems(made.store, made.systems.id, str(made.folder)).about().html,
        Comparison(made.store, made.concat_layer.id, str(made.folder)).about().html,
    ):
        assert text.startswith("<h2>Claims and verdicts</h2>")
        assert text.index("cannot be told</span>") < text.index("<code>")  # above the table of runs
    one = next(iter(made.concat_layer.children.values()))
    other = made.systems.children["wnet", 0]
    assert "Claims and verdicts" not in Comparison(made.store, f"{one},{other}", str(made.folder)).about().html
