import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from reports.blocks import launch_results
from reports.pages.compare import Comparison
from reports.pages.em_tables import EmTables
from reports.pages.run_card import RunCard
from study.ablation.answer import log_answer
from study.ablation.design import Ablation
from study.errors import StudyError
from study.runs.job import Result
from study.tracking import Point, StoredRun, TrackedRun, connect, current_store, start_run, stored_run

EM = Ablation("em", "Which system finds neurons best?", {"system": ["pea", "ml-de"]}, {"system": "pea"})
MEANS = {"pea": 0.2, "ml-de": 0.4}  # ARAND


def table_of(system, seed):
    """Scores of eight sub-volumes."""
    rng = np.random.default_rng([seed, len(system)])
    arand = MEANS[system] + rng.normal(0, 0.01, 8)
    names = [f"planes {i}" for i in range(8)]
    return pd.DataFrame(
        {"image": names, "voi_split": 1.5, "voi_merge": 0.5, "voi": 2.0, "arand": arand, "n_true": 9.0, "n_pred": 8.0}
    )


@pytest.fixture
def launch(store, monkeypatch):
    """Makes a launch with made-up scores on a data set; gives its id and those of its runs."""
    known = {**find_ablations(), "em": EM}
    monkeypatch.setattr(launch_results, "find_ablations", lambda: known)

    def make(dataset):
        tags = {"ablation": "em", "dataset": dataset}
        parent = start_run(connect(), "em", "", tags | {"control": "pea"})
        runs = []
        for system in MEANS:
            for seed in (0, 1, 2):
                tags |= {"variant": system, "seed": seed}
                run = start_run(connect(), f"{system}, seed {seed}", "", tags, parent_id=parent.run_id)
                run.log_scores("test", table_of(system, seed), [np.zeros((20, 116, 3), np.uint8)])
                run.log_metrics(Point(5, {"train/loss": 1.0, "val/arand": 0.3, "val/voi": 2.5}))
                run.end("FINISHED")
                runs.append(run.run_id)
        parent.end("FINISHED")
        return parent.run_id, runs

    return make


def page(launched, tmp_path):
    return EmTables(current_store(), launched[0], str(tmp_path))


@pytest.mark.parametrize("dataset", ["volume", "neurites"])
def test_printed_values_are_of_another_volume(launch, tmp_path, tables_of, dataset):
    own = page(launch(dataset), tmp_path)
    text = own.table().html
    (columns,) = tables_of(text)
    assert columns[0] == ["PEA", "ML-De", "SuperHuman", "MALA"]
    assert columns[4] == ["0.094", "0.196", "0.122", "0.120"]
    assert columns[5][2:] == ["–", "–"]
    assert '<td class="number soft">0.094</td>' in text
    assert "ours − printed" not in text
    assert "than ours, AC3, its first 100 sections." in text
    assert "segmented by multicut" in text
    assert ("If test.h5 holds" in text) == (dataset == "volume")  # a synthetic one is none of the paper's
    assert "8 test sub-volumes" in text
    assert "SBD" not in text
    assert "<img" in own.scores().html


def test_the_user_says_that_the_volume_is_that_of_the_paper(launch, tmp_path):
    launched = launch("volume")
    own = EmTables(current_store(), launched[0], str(tmp_path), "AC3")
    text = own.table().html
    frame = pd.read_csv(tmp_path / "table_4.csv").set_index("label")
    difference = frame["arand_minus_printed (AC3, its first 100 sections)"]
    assert difference["ML-De"] == pytest.approx(frame.loc["ML-De", "arand"] - 0.1964)
    assert '<td class="number">0.094</td>' in text
    assert "means over quarters of the volume" in text


def test_only_that_volume_can_be_named(launch, tmp_path):
    with pytest.raises(StudyError, match="test_set is 'AC4', but values are printed of AC3"):
        EmTables(current_store(), launch("volume")[0], str(tmp_path), "AC4")
    with pytest.raises(StudyError, match="the launch is on neurites"):
        EmTables(current_store(), launch("neurites")[0], str(tmp_path), "AC3")


def test_the_answer_of_a_launch_prefers_the_lower_error(launch):
    parent = TrackedRun(launch("neurites")[0])
    results = [Result({"system": system}, seed, table_of(system, seed), []) for system in MEANS for seed in (0, 1, 2)]
    results = [Result(r.variant, r.seed, r.table, [np.zeros((20, 116, 3), np.uint8)]) for r in results]
    log_answer(parent, EM, results, "neurites", "")
    stored: StoredRun = stored_run(parent.run_id)
    assert "Asked: ARAND (lower is better) by system" in stored.note
    assert stored.note.startswith("**Best of 2: PEA: ARAND 0.2")
    assert "**, the control itself." in stored.note
    assert "- worse than the control: ML-De" in stored.note
    assert "a difference in ARAND of" in stored.note


def test_the_card_of_a_run_on_volumes(launch, tmp_path, tables_of):
    _, runs = launch("neurites")
    card = RunCard(current_store(), runs[0], str(tmp_path))
    table = table_of("pea", 0).sort_values("arand")
    assert "ARAND of each sub-volume." in card.scores().html
    (columns,) = tables_of(card.images(2).html)
    assert columns[1] == [*table["image"][::-1][:2], *table["image"][:2]]  # the worst first
    assert "validation sub-volumes" in card.curves().html
    assert card.search() is None


def test_runs_on_volumes_side_by_side(launch, tmp_path):
    _, runs = launch("neurites")
    own = Comparison(current_store(), f"{runs[0]},{runs[3]}", str(tmp_path))
    own.scores()
    frame = pd.read_csv(tmp_path / "scores.csv")
    difference = table_of("ml-de", 0)["arand"] - table_of("pea", 0)["arand"]
    assert frame["arand_diff"][1] == pytest.approx(difference.mean())
    assert "higher, which is worse," in own.per_image().html
