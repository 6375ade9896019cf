import numpy as np
import pandas as pd
import pytest

from reports.pages.run_card import RunCard
from study.tracking import Point, TrackedRun, connect, start_run


def card(made, run_id):
    return RunCard(made.store, run_id, str(made.folder))


@pytest.fixture
def a_run(made):
    return made.concat_layer.children["concat_layer none", 0]


def test_scores_and_settings(made, a_run, assert_scores_apart, tables_of):
    own = card(made, a_run)
    assert_scores_apart(own.scores().html)
    scores, images = (pd.read_csv(made.folder / f"{name}.csv") for name in ("scores", "scores_per_image"))
    assert scores["sbd"][0] == pytest.approx(sum(images["sbd"]) / 5)
    assert scores["sbd_low"][0] < scores["sbd"][0] < scores["sbd_high"][0]
    (columns,) = tables_of(own.settings().html)
    rows = [list(row) for row in zip(*columns, strict=True)]
    assert ["data.image_size", "48", "512", "ours: the text is silent"] in rows
    assert ["network.norm", "batch", "none", ""] in rows
    assert "are ours, as no text has them: data.split_seed, loss.neighbour_distance, " in own.settings().html
    assert "network.name" in columns[0]
    assert "seed" not in columns[0]


def test_what_the_run_is_from(made, a_run):
    text = card(made, a_run).about().html
    assert text.count("<details>") == 1
    assert "Profile smoke on synthetic-leaves, 6 steps (24 images) at 48 px" in text


def test_worst_and_best_images(made, a_run, tables_of):
    block = card(made, a_run).images(2)
    table = card(made, a_run).results.table
    ranked = table.sort_values("sbd")["image"].tolist()
    (columns,) = tables_of(block.html)
    assert columns[0] == ["worst", "worst", "best", "best"]
    assert columns[1] == [*ranked[:2], *ranked[:-3:-1]]
    kept = ["test_0", "test_1", "test_2"]  # with labels, more than there are pictures of
    without = [name for name in columns[1] if name not in kept]
    assert f"No pictures of {', '.join(without)}: the run keeps those of 3 images" in block.html
    pictured = pd.read_csv(made.folder / "images.csv")["image"].tolist()
    assert pictured == [name for name in columns[1] if name in kept]
    (few,) = tables_of(card(made, a_run).images(9).html)
    assert sorted(few[1]) == sorted(ranked)  # each image once


def test_curves_are_those_of_the_training(made, a_run):
    trained = start_run(connect(), "trained", "", {})
    trained.log_metrics(*(Point(step, {"train/loss": 3.0 - step, "train/loss_inter": 1.0}) for step in (0, 1)))
    trained.log_metrics(Point(1, {"val/sbd": 0.5}))
    trained.end("FINISHED")
    TrackedRun(a_run).set_tags({"network_from": trained.run_id})
    assert f"The training is that of run {trained.run_id}" in card(made, a_run).curves().html
    data = pd.read_csv(made.folder / "curves.csv")
    assert data[data["metric"] == "train/loss"]["value"].tolist() == [3.0, 2.0]
    assert data[data["metric"] == "val/sbd"]["step"].tolist() == [1]


def test_a_run_that_failed_has_a_card_that_says_why(made):
    own = card(made, made.partial.children["unet, inter_weight 0.5", 0])
    assert "FAILED (no image is left)" in own.about().html
    assert "keeps no readable scores_test.csv" in own.scores().html
    assert "keeps no readable scores_test.csv" in own.images(3).html
    assert "no training loss" in own.curves().html
    assert own.search() is None


def test_the_search_is_shown_where_there_was_one(made, a_run):
    run = TrackedRun(a_run)
    run.client.log_image(a_run, np.zeros((9, 9, 3), np.uint8), "search/history.png")
    run.set_tags({"tuned.clustering.angle": 52.5})
    text = card(made, a_run).search().html
    assert "clustering.angle" in text
    assert "52.5" in text
    assert "45.0" in text  # the paper's
    assert text.count("<img") == 1
    assert "Not kept: slices.png, contour.png" in text
