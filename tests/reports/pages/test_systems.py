import io

import mlflow
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from reports.pages.systems import Systems
from study.systems import SYSTEMS
from study.tracking import connect, start_run

SCORES = ("sbd", "fbd", "dic", "abs_dic", "ap_50", "ap_75", "map")


def per_image(run_id):
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_test.csv")))


@pytest.fixture
def own(made):
    return Systems(made.store, made.systems.id, str(made.folder))


def test_the_table_holds_systems_and_imports(own, made):
    text = own.table().html
    frame = pd.read_csv(made.folder / "systems.csv").set_index("label")
    assert frame["system"].tolist() == [*SYSTEMS, "Cellpose (imported)", "star-dist (imported)"]
    runs = {system: [made.systems.children[system, seed] for seed in (0, 1)] for system in SYSTEMS}
    runs |= {f"{name} (imported)": [run_id] * 2 for name, run_id in made.labels.items()}  # beside both seeds
    control = [per_image(run) for run in runs["wnet"]]
    for row in frame.to_dict("records"):
        tables = [per_image(run) for run in runs[row["system"]]]
        for score in SCORES:
            assert row[score] == pytest.approx(sum(sum(table[score]) for table in tables) / 10)
        differences = [sum(table["sbd"] - other["sbd"]) for table, other in zip(tables, control, strict=True)]
        wanted = np.nan if row["system"] == "wnet" else sum(differences) / 10
        assert row["sbd_diff"] == pytest.approx(wanted, nan_ok=True)
    thresholds = frame["sbd"] - frame["sbd_paper_thresholds"]
    assert thresholds.tolist() == pytest.approx([0.01] * len(SYSTEMS) + [np.nan] * 2, nan_ok=True)
    assert frame["seeds"].tolist() == pytest.approx([2] * len(SYSTEMS) + [np.nan] * 2, nan_ok=True)
    assert "Imported labels of other software on the same images: Cellpose (foreground: truth), star-dist" in text
    assert "Mask-RCNN" not in text  # of other images


def test_labels_have_the_interval_of_their_images_alone(own, made):
    own.table()
    row = pd.read_csv(made.folder / "systems.csv").set_index("system").loc["Cellpose (imported)"]
    scores = per_image(made.labels["Cellpose"])["sbd"].to_numpy()
    off = stats.t.ppf(0.975, 4) * scores.std(ddof=1) / 5**0.5
    assert [row["sbd_low"], row["sbd_high"]] == pytest.approx([scores.mean() - off, scores.mean() + off])


def test_the_costs_are_those_of_the_trainings(own, made, tables_of):
    (columns,) = tables_of(own.table().html)
    frame = pd.read_csv(made.folder / "systems.csv")
    for row in frame.head(len(SYSTEMS)).to_dict("records"):
        metrics = [made.client.get_run(made.systems.children[row["system"], seed]).data.metrics for seed in (0, 1)]
        for cost in ("training_seconds", "parameters"):
            assert row[cost] == sum(metric[f"perf/{cost}"] for metric in metrics) / 2
    assert columns[-2] == [f"{value:,.0f}" for value in frame["parameters"].dropna()] + ["–", "–"]


def test_figures(own, made):
    own.scores()
    data = pd.read_csv(made.folder / "scores.csv")
    assert data["system"].tolist() == [*SYSTEMS, "Cellpose (imported)", "star-dist (imported)"]
    own.predictions()
    both = pd.concat([pd.read_csv(made.folder / f"labels_{k}.csv") for k in (1, 2)])
    ours, others = both.iloc[:-2], both.iloc[-2:]
    assert ours["variant"].tolist() == [name for name in SYSTEMS for _ in range(2)]
    assert ours["run_id"].drop_duplicates().tolist() == [made.systems.children[name, 0] for name in SYSTEMS]
    assert others["run_id"].tolist() == [made.labels["Cellpose"], made.labels["star-dist"]]
    assert set(others["image"]) == {"test_0"}


def test_an_import_without_scores_is_told(made):
    empty = start_run(connect(), "none", "", {"imported": "Mask R-CNN", "data_digest": "cells", "split": "test"})
    empty.end("FINISHED")
    try:
        about = Systems(made.store, made.systems.id, str(made.folder)).about().html
    finally:
        made.client.delete_run(empty.run_id)
    assert f"Mask R-CNN (imported): run {empty.run_id} keeps no readable scores" in about
