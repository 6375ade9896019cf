"""A metric in one file appears in tables, Markdown, figures, the view of MLflow and pages without another edit."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from reports.pages.compare import Comparison
from reports.pages.loss_comparison import LossComparison
from reports.pages.run_card import RunCard
from study.ablation.statistics import summarize, to_markdown
from study.figures import score_rows
from study.metrics import objectives, registry, scores, summary_scores
from study.runs.job import Result, variant_name
from study.tracking import connect, current_store, start_run
from study.tracking.page_view import shared_view

ABLATION = find_ablations()["loss"]
TOY = Path(__file__).parents[2] / "toys" / "metric.py"
OLD = 0  # the place of the variant whose run is older than the metric


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    monkeypatch.setattr(registry, "METRICS", list(registry.METRICS))
    runpy.run_path(str(TOY))


def tables():
    """A table of scores for each variant; the first lacks the new score."""
    rng = np.random.default_rng(0)
    for place, variant in enumerate(ABLATION.variants()):
        table = pd.DataFrame({"image": ["a", "b"], "sbd": rng.uniform(0.5, 0.9, 2), "map": [0.5, 0.6]})
        yield variant, table if place == OLD else table.assign(merged=[0.1111, 0.1111])


def results():
    return [Result(variant, 0, table, []) for variant, table in tables()]


def test_it_is_computed():
    true, pred = np.array([[1, 1, 2, 2, 0, 3]]), np.array([[1, 1, 1, 0, 0, 2]])
    assert scores(true, pred)["merged"] == 0.5
    assert "merged" in objectives("images")


def test_it_is_in_the_table_and_in_the_description():
    table = summarize(ABLATION, results())
    assert table["merged"].isna().tolist() == [True, *[False] * (len(table) - 1)]
    assert table["merged"].iloc[-1] == pytest.approx(0.1111)
    lines = [line for line in to_markdown(ABLATION, table).splitlines() if line.startswith("|")]
    assert "| merged |" in lines[0]
    assert "0.1111" in lines[-1]
    assert "0.1111" not in lines[2]


def test_it_is_in_figures_and_in_the_view():
    table = summarize(ABLATION, results())
    figure = score_rows(table, ABLATION.names(), ABLATION.control, "")
    assert [axis.get_xlabel() for axis in figure.axes] == ["SBD", "mAP", "merged"]
    view = shared_view("abc", [], [], 0, summary_scores(table))
    assert "metrics.`test/merged`" in view["selectedColumns"]


@pytest.mark.usefixtures("store")
def test_it_is_on_pages_and_older_runs_have_pages_too(tmp_path):
    name = variant_name(ABLATION.control)
    tags = {"ablation": "loss", "dataset": "leaves"}
    parent = start_run(connect(), "loss", "", tags | {"control": name})
    runs = []
    for variant, table in tables():
        tags |= {"variant": variant_name(variant), "seed": 0}
        run = start_run(connect(), variant_name(variant), "", tags, parent_id=parent.run_id)
        run.log_scores("test", table, [])
        run.end("FINISHED")
        runs.append(run.run_id)
    parent.end("FINISHED")
    store, folder = current_store(), str(tmp_path)
    assert "merged" in LossComparison(store, parent.run_id, folder).table().html
    assert "0.1111" in LossComparison(store, parent.run_id, folder).table().html
    assert "merged" in Comparison(store, ",".join(runs), folder).scores().html
    assert "0.1111" in RunCard(store, runs[-1], folder).scores().html
    assert "merged" not in RunCard(store, runs[OLD], folder).scores().html
