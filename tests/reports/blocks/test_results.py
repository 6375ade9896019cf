import re

import pandas as pd
import pytest

from ablations import find_ablations
from reports.blocks.launch_results import load_launch
from reports.blocks.results import result_frame
from reports.pages.chen_tables import ChenTables
from reports.pages.loss_comparison import LossComparison
from reports.pages.systems import Systems
from study.tracking import connect, start_run

PAGES = {"neighbour_distance": ChenTables, "loss": LossComparison, "systems": Systems}


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", PAGES)
def test_a_launch_without_results_has_words_for_everything(name, tmp_path, tables_of):
    tags = {"ablation": name, "dataset": "leaves", "control": "c"}
    parent = start_run(connect(), name, "", tags)
    parent.end("FAILED", "the disk is full")
    page = PAGES[name](f"sqlite:///{tmp_path}/mlflow.db", parent.run_id, str(tmp_path))
    assert "not begun" in page.about().html
    parts = [
        of for of in ("table", "table_1", "table_2", "scores", "angles", "pictures", "predictions") if hasattr(page, of)
    ]
    for part in parts:
        if block := getattr(page, part)():
            for table in tables_of(block.html):
                assert set(table[-1]) == {"no finished run"} | ({""} if "Mask R-CNN" in block.html else set())
            assert "<img" not in block.html
            assert re.search("[Mm]issing|no finished run", block.html)
    assert not list(tmp_path.glob("*.pdf"))


def test_a_frame_has_a_row_for_every_variant(made):
    frame = result_frame(load_launch([made.broken_losses.id], "loss"), further=("ap_50",))
    variants = find_ablations()["loss"].variants()
    settings = frame[["loss.constraints", "clustering.method", "system"]].to_dict("records")
    assert [{name: value for name, value in row.items() if pd.notna(value)} for row in settings] == variants
    assert not [name for name in frame if name.endswith("_seeds")]
    assert (frame["ap_50"].notna() == (frame["missing"] == "")).all()
