import gzip
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ablations import all_claims, find_ablations
from ablations._study import SCORES, Row, published_in
from reports.publish.making import make_study
from reports.publish.records import RUNS
from reports.publish.scores import read_scores, verdicts_from
from study.ablation.verdicts import MEASURES, verdict_frame
from study.errors import StudyError

NUCLEI = Row("nuclei", "Nuclei", True, True, 1, "clustering", "dsb2018", "", "", ("0", "1"))
TWICE = Row("nuclei", "Nuclei", True, True, 2, "clustering", "dsb2018", "", "", ("0",))
LEAVES = Row("leaves", "Leaves", True, False, 1, "lambda", "cvppp2017", "", "", ("0",), "Only their green is here.")
ABSENT = Row("cells", "Cells", False, True, 1, "cells", "synthetic-cells", "", "", ("0",))
ROWS = (NUCLEI, TWICE, LEAVES, ABSENT)


@pytest.fixture(scope="module")
def stores(empty_store, tmp_path_factory, work_in, make_launch):
    """Two stores: of nuclei with two budgets, and of leaves; made-up scores."""
    made = SimpleNamespace()
    for name, rows in {"first": (NUCLEI, TWICE), "second": (LEAVES,)}.items():
        folder = tmp_path_factory.mktemp(name)
        shutil.copy(empty_store, folder / "mlflow.db")
        with pytest.MonkeyPatch.context() as monkeypatch:
            work_in(folder, monkeypatch)
            for row in rows:
                monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", row.experiment)
                seeds = tuple(map(int, row.seeds))
                make_launch(row.question, row.dataset, seeds, thresholds=True, digest=row.key)
        setattr(made, name, str(folder / "mlflow.db"))
    return made


@pytest.fixture(scope="module")
def folder(stores, tmp_path_factory):
    """The study of both stores, beside files that were written by hand."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "protocol.md").write_text("By hand.")
    (folder / "remarks.md").write_text("## What surprised\n\nNothing.")
    make_study([stores.first, stores.second], folder, ROWS)
    return folder


def contents(folder):
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_a_second_call_gives_the_same_bytes(stores, folder, tmp_path):
    for name in ("protocol.md", "remarks.md"):
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "nuclei").mkdir()
    (tmp_path / "nuclei" / "of_before.csv").write_text("gone")
    make_study([stores.first, stores.second], tmp_path, ROWS)
    assert contents(tmp_path) == contents(folder)


def test_the_numbers_of_claims_follow_from_the_scores_alone(folder):
    questions, frames = find_ablations(), []
    for key, data in {"nuclei": "Nuclei", "leaves": "Leaves"}.items():
        for (times, name), results in read_scores(folder / key / SCORES).items():
            if times == 1:
                frames.append(verdict_frame(verdicts_from(results, questions[name], data)))
    (folder / "again.csv").unlink(missing_ok=True)
    pd.concat(frames).to_csv(folder / "again.csv", index=False)
    assert (folder / "again.csv").read_bytes() == (folder / "claims.csv").read_bytes()
    (folder / "again.csv").unlink()


def test_paired_differences_are_those_of_a_plain_table(folder):
    """Not by the code of the study: claim 18 in its first comparison, claim 16 as a mean over trainings."""
    claims = pd.read_csv(folder / "claims.csv", dtype={"key": str})
    scores = pd.read_csv(folder / "nuclei" / SCORES)
    scores = scores[scores["times"] == 1].set_index(["seed", "image"])
    own, other = (scores.loc[scores["variant"] == f"method angular, {name}", "sbd"] for name in ("wnet", "unet"))
    of_claim = claims[(claims["key"] == "18") & (claims["score"] == "sbd")].iloc[0]
    assert of_claim["value"] == pytest.approx((own - other).mean(), abs=1e-12)
    assert (of_claim["seeds"], of_claim["images"]) == (2, 5)
    trained = pd.read_csv(folder / "leaves" / SCORES)
    ratios = trained.loc[trained["variant"] == "wnet, inter_weight 1", "inter_over_intra"]
    of_claim = claims[(claims["key"] == "16") & claims["comparison"].str.contains("W-Net")].iloc[0]
    assert of_claim["value"] == pytest.approx(ratios.mean())


def test_the_first_page_counts_every_claim(folder):
    text = (folder / "README.md").read_text()
    lines = [line for line in text.splitlines() if re.match(r"\| (\*\*real images|Nuclei|Leaves) ?", line)][:3]
    for line in lines:
        assert sum(map(int, re.findall(r"\| +(\d+)", line))) == len(all_claims())
    for claim in all_claims():
        assert claim.statement.replace("|", "\\|") in text
    assert "## What surprised\n\nNothing." in text
    assert "Cells: no launch of cells." in text
    assert (folder / "protocol.md").read_text() == "By hand."
    ended = "4 of 5 have ended (Nuclei with seeds 0, 1; Nuclei, 2 × the steps with seed 0; Leaves with seed 0)"
    assert ended in text


def test_what_must_be_known_of_images_stands_on_their_pages(folder):
    assert "- Leaves: only their green is here." in (folder / "README.md").read_text()
    assert "Only their green is here." in (folder / "leaves" / "wnet_figures" / "README.md").read_text()
    assert "green" not in (folder / "nuclei" / "wnet_figures" / "README.md").read_text()


def test_links_lead_to_files_that_are_there(folder):
    for page in folder.rglob("*.md"):
        text = page.read_text()
        links = re.findall(r"\]\(([^)#]+)\)", text) + re.findall(r'src="([^"]+)"', text)
        for link in links:
            assert link.startswith("../../ablations") or (page.parent / link).exists(), (page, link[:80])


def test_images_that_may_not_be_shown_are_left_out(folder):
    shown = {file.name for file in (folder / "nuclei" / "wnet_figures").glob("*.png")}
    withheld = {file.name for file in (folder / "leaves" / "wnet_figures").glob("*.png")}
    assert "figure_4.png" in shown
    assert "figure_6b.png" in withheld
    assert not {"figure_2.png", "figure_4.png", "figure_7.png"} & withheld
    assert "The terms of this data set" in (folder / "leaves" / "wnet_figures" / "README.md").read_text()


def test_the_control_compares_one_seed_at_each_budget(folder):
    control = pd.read_csv(folder / "control.csv", dtype={"claim": str})
    assert control.groupby("claim")["times"].agg(list).to_dict() == {"17": [1, 2], "18": [1, 2]}
    assert set(control["data"]) == {"Nuclei"}
    scores = pd.read_csv(folder / "nuclei" / SCORES)
    of_one = scores[(scores["times"] == 2) & (scores["seed"] == 0)].set_index("image")
    own, other = (of_one.loc[of_one["variant"] == f"method angular, {name}", "sbd"] for name in ("wnet", "unet"))
    value = control.loc[(control["claim"] == "18") & (control["times"] == 2), "value"].item()
    assert value == pytest.approx((own - other).mean())


def test_trainings_that_questions_share_cost_once(folder):
    costs = pd.read_csv(folder / "costs.csv")
    of_nuclei = costs[costs["data"] == "Nuclei"]
    assert of_nuclei["runs"].tolist() == [16, 8]
    assert of_nuclei["trainings"].tolist()[0] == 4  # two networks, two seeds; the clusterings share them
    assert np.isfinite(costs["hours"]).all()


def test_measures_of_trainings_are_rows_of_their_own(folder):
    scores = pd.read_csv(folder / "leaves" / SCORES)
    trainings = scores[scores["image"] == "training"]
    assert trainings["sbd"].isna().all()
    assert trainings["inter_over_intra"].notna().all()
    assert "inter_over_intra" in MEASURES


def test_what_is_published_stays_without_its_stores(folder, empty_store, tmp_path):
    shutil.copytree(folder, tmp_path / "study")
    make_study([str(empty_store)], tmp_path / "study", ROWS)
    assert contents(tmp_path / "study") == contents(folder)


def test_records_name_no_place_of_the_machine(folder, stores):
    for file in folder.rglob(RUNS):
        text = gzip.decompress(file.read_bytes()).decode()
        assert str(Path(stores.first).parent.parent) not in text
        assert '"data.root": ""' in text


def test_another_store_adds_a_seed(folder, empty_store, tmp_path, work_in, monkeypatch, make_launch):
    shutil.copytree(folder, tmp_path / "study")
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    work_in(tmp_path, monkeypatch)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", LEAVES.experiment)
    make_launch(LEAVES.question, LEAVES.dataset, (1,), thresholds=True, digest=LEAVES.key)
    make_launch(LEAVES.question, LEAVES.dataset, (7,), thresholds=True, digest=LEAVES.key)  # no seed of the study
    rows = [replace(row, seeds=("0", "1")) if row is LEAVES else row for row in ROWS]
    make_study([str(tmp_path / "mlflow.db")], tmp_path / "study", rows)
    scores = pd.read_csv(tmp_path / "study" / "leaves" / SCORES)
    assert set(scores["seed"]) == {0, 1}
    before = pd.read_csv(folder / "leaves" / SCORES)
    pd.testing.assert_frame_equal(scores[scores["seed"] == 0].reset_index(drop=True), before)
    page = (tmp_path / "study" / "leaves" / "wnet_figures" / "README.md").read_text()
    assert "seeds 0, 1" in page
    untouched = {name: data for name, data in contents(folder).items() if name.startswith("nuclei/")}
    assert untouched.items() <= contents(tmp_path / "study").items()
    assert set(published_in(tmp_path / "study", rows)) >= {(rows[2], "0"), (rows[2], "1"), (NUCLEI, "0")}


def test_a_store_of_the_control_alone_leaves_pages_as_they_are(
    folder, empty_store, tmp_path, work_in, monkeypatch, make_launch
):
    shutil.copytree(folder, tmp_path / "study")
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    work_in(tmp_path, monkeypatch)
    four_times = replace(TWICE, times=4)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", four_times.experiment)
    make_launch(NUCLEI.question, NUCLEI.dataset, (0,), thresholds=True, digest=NUCLEI.key)
    page = tmp_path / "study" / "nuclei" / "wnet_figures" / "embeddings.png"  # of an earlier store
    page.write_text("a picture that this store has no run for")
    before = contents(tmp_path / "study")
    make_study([str(tmp_path / "mlflow.db")], tmp_path / "study", [*ROWS, four_times])
    after = contents(tmp_path / "study")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {f"nuclei/{SCORES}", f"nuclei/{RUNS}", "control.csv"} <= changed
    assert not {name for name in changed if "/" in name} - {f"nuclei/{SCORES}", f"nuclei/{RUNS}"}
    assert set(pd.read_csv(tmp_path / "study" / "nuclei" / SCORES)["times"]) == {1, 2, 4}


def test_seeds_of_other_settings_are_refused(folder, empty_store, tmp_path, work_in, monkeypatch, make_launch):
    shutil.copytree(folder, tmp_path / "study")
    file = tmp_path / "study" / "leaves" / RUNS
    text = gzip.decompress(file.read_bytes()).decode().replace('"training.steps": 6', '"training.steps": 7')
    file.write_bytes(gzip.compress(text.encode()))
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    work_in(tmp_path, monkeypatch)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", LEAVES.experiment)
    make_launch(LEAVES.question, LEAVES.dataset, (1,), thresholds=True, digest=LEAVES.key)
    rows = [replace(row, seeds=("0", "1")) if row is LEAVES else row for row in ROWS]
    with pytest.raises(StudyError, match=r"study-leaves: the seeds of lambda, .* differ in training\.steps"):
        make_study([str(tmp_path / "mlflow.db")], tmp_path / "study", rows)
    assert '"system": "wnet"' in text
    other_name = text.replace('"training.steps": 7', '"training.steps": 6').replace(
        '"system": "wnet"', '"system": "unet"'
    )
    file.write_bytes(gzip.compress(other_name.encode()))  # which is no setting
    make_study([str(tmp_path / "mlflow.db")], tmp_path / "study", rows)
    assert set(pd.read_csv(tmp_path / "study" / "leaves" / SCORES)["seed"]) == {0, 1}


def test_a_study_without_launches_is_told(empty_store, tmp_path):
    with pytest.raises(StudyError, match=r"neither sqlite:.* nor .* has finished launches of the study"):
        make_study([str(empty_store)], tmp_path, [ABSENT])
