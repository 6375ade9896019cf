import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from reports.__main__ import main
from reports.pages.compare import Comparison
from reports.pages.run_card import RunCard
from reports.pages.volume_card import VolumeCard, card_of
from study.em.run import train_em
from study.em.settings import load_volume_settings
from study.tracking import Point, connect, current_store, start_run

STEPS = 12


@pytest.fixture(scope="module")
def _trained(empty_store, tmp_path_factory, work_in):
    folder = tmp_path_factory.mktemp("volumes")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as monkeypatch:
        client = work_in(folder, monkeypatch)
        overrides = f"training.threads=1,training.steps={STEPS},clustering.stride=2"
        assert train_em(load_volume_settings(profile="smoke", overrides=overrides)) == 0
        (run,) = client.search_runs([connect()])
    return folder, run.info.run_id


@pytest.fixture
def card(_trained, work_in, monkeypatch, tmp_path):
    """The card of a run on volumes, its store in use."""
    folder, run_id = _trained
    work_in(folder, monkeypatch)
    return card_of(f"sqlite:///{folder}/mlflow.db", run_id, str(tmp_path))


def test_scores_of_both_methods_stand_beside_each_other(card, tables_of):
    metrics = card.run.metrics
    block = card.scores()
    (columns,) = tables_of(block.html)
    assert columns[:2] == [
        ["test", "test", "validation", "validation"],
        ["affinity watershed", "connected components"] * 2,
    ]
    names = ("n_true", "voi_split", "voi_merge", "voi", "arand", "n_pred")
    for name, column in zip(names, columns[2:], strict=True):
        end = "" if name == "n_true" else "_components"
        wanted = [metrics[f"{split}/{name}{ending}"] for split in ("test", "val") for ending in ("", end)]
        assert [float(cell) for cell in column] == pytest.approx(wanted, abs=5e-4)
    frame = pd.read_csv(card.folder / "scores.csv")
    assert frame["arand"][1] == pytest.approx(metrics["test/arand_components"])
    assert f"threshold {metrics['chosen/component_threshold']:g} of the components" in block.html


def test_settings_are_set_against_those_of_volumes(card, tables_of):
    (columns,) = tables_of(card.settings().html)
    rows = list(zip(*columns, strict=True))
    assert ("network.base_width", "2", "16") in rows
    assert ("clustering.stride", "2", "4") in rows
    assert ("loss.ranges", "1+3", "1+3+9+27") in rows


def test_curves_of_losses_and_errors(card):
    assert "Training losses, and scores of validation sub-volumes." in card.curves().html
    data = pd.read_csv(card.folder / "curves.csv")
    assert set(data["metric"]) == {"train/loss", "train/loss_self", "train/loss_pyramid", "val/arand", "val/voi"}
    assert data[data["metric"] == "train/loss"]["step"].tolist() == list(range(1, STEPS + 1))


def test_planes_are_shown(card):
    block = card.images(1)
    assert block.html.count("<img") == 1
    assert pd.read_csv(card.folder / "planes.csv")["plane"].tolist() == [f"plane {i} of 3" for i in (1, 2, 3)]
    assert card.search() is None


def test_the_page(card):
    ended = CliRunner().invoke(main, ["run_card", "--run_ids", card.run.run_id, "--output", str(card.folder / "pages")])
    assert ended.exit_code == 0, ended.output
    text = (card.folder / "pages" / "run_card" / "run_card.html").read_text()
    assert text.count("<img") == 2
    assert "incomplete" not in text


def test_a_run_that_failed_has_a_card_that_says_why(store, tmp_path):
    run = start_run(connect(), "em", "", {"system": "em"})
    run.end("FAILED", "no memory is left")
    own = card_of(f"sqlite:///{tmp_path}/mlflow.db", run.run_id, str(tmp_path))
    assert isinstance(own, VolumeCard)
    assert "FAILED (no memory is left)" in own.about().html
    assert "no training loss" in own.curves().html
    for block in (own.scores(), own.images(3)):
        assert "keeps no readable scores_test.csv" in block.html
    assert "no settings.json" in own.settings().html


def test_a_run_that_died_while_it_was_logged(store, tmp_path, tables_of):
    run = start_run(connect(), "em", "", {"system": "em"})
    chosen = {"chosen/threshold": 0.5, "chosen/min_size": 50, "chosen/component_threshold": 0.9}
    run.log_metrics(Point(0, chosen | {"val/arand": 0.25}))
    run.log_scores("test", pd.DataFrame({"image": ["test"], "arand": [0.5]}), [])
    own = card_of(f"sqlite:///{tmp_path}/mlflow.db", run.run_id, str(tmp_path))
    (columns,) = tables_of(own.scores().html)
    assert columns[6] == ["–", "–", "0.250", "–"]
    assert "the run keeps no pictures" in own.images(3).html


def test_runs_on_images_have_their_own_card(store, tmp_path):
    run = start_run(connect(), "a run", "", {"system": "wnet"})
    assert type(card_of(f"sqlite:///{tmp_path}/mlflow.db", run.run_id, str(tmp_path))) is RunCard


def test_compare_shows_runs_of_volumes(card, tables_of):
    found = Comparison(current_store(), card.run.run_id, str(card.folder))
    (columns,) = tables_of(found.scores().html)
    assert columns[1] == [f"{card.run.metrics['test/arand']:.3f}"]
