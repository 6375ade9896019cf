import io

import mlflow
import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from reports.pages.loss_comparison import LossComparison
from study.runs.job import variant_name

VARIANTS = [variant_name(variant) for variant in find_ablations()["loss"].variants()]
SCORES = ("sbd", "fbd", "abs_dic", "map", "neighbour_angle")


def per_image(run_id):
    return pd.read_csv(io.StringIO(mlflow.artifacts.load_text(f"runs:/{run_id}/scores_test.csv")))


def page(made, launch):
    return LossComparison(made.store, launch.id, str(made.folder))


def test_the_table_holds_the_scores_of_the_images(made, tables_of):
    (columns,) = tables_of(page(made, made.losses).table().html)
    frame = pd.read_csv(made.folder / "losses.csv")
    assert frame["variant"].tolist() == VARIANTS
    control = "constraints local, method angular"
    of = {name: per_image(run_id) for (name, _), run_id in made.losses.children.items()}
    for row in frame.to_dict("records"):
        for score in SCORES:
            assert row[score] == pytest.approx(sum(of[row["variant"]][score]) / 5)
        differences = of[row["variant"]]["sbd"] - of[control]["sbd"]
        wanted = np.nan if row["variant"] == control else sum(differences) / 5
        assert row["sbd_diff"] == pytest.approx(wanted, nan_ok=True)
    assert columns[0] == ["local constraints"] * 3 + ["global constraints"] * 3 + ["discriminative"] * 2
    assert columns[1] == ["angular", "mutex-watershed", "mean-shift"] * 2 + ["mutex-watershed", "mean-shift"]
    assert [cell.split()[0] for cell in columns[2]] == [f"{value:.3f}" for value in frame["sbd"]]


def test_a_training_that_runs_share_has_one_curve(made):
    page(made, made.losses).angles()
    curves = pd.read_csv(made.folder / "neighbour_angle.csv")
    assert curves["loss.constraints"].tolist() == ["local"] * 2 + ["global"] * 2
    holders = [made.losses.children[f"constraints {kind}, method angular", 0] for kind in ("local", "global")]
    assert curves["run_id"].drop_duplicates().tolist() == holders
    assert curves["step"].tolist() == [1, 2] * 2
    assert (curves["angle"] >= 11).all()  # not the final value at step 0 of those that have their network from others


def test_figures(made):
    own = page(made, made.losses)
    own.scores()
    assert len(pd.read_csv(made.folder / "scores.csv")) == 8
    own.pictures()
    data = pd.read_csv(made.folder / "embeddings.csv")
    assert data["variant"].drop_duplicates().tolist() == [
        "constraints local, method mean-shift",
        "constraints global, method mean-shift",
        "discriminative, method mean-shift",
    ]
    assert data["image"].tolist() == ["test_0", "test_1"] * 3


def test_what_is_missing_is_told_and_the_rest_comes_out(made):
    own = page(made, made.broken_losses)
    about = own.about().html
    for words in (
        "local constraints, angular, seed 0: FAILED (no image is left)",
        "discriminative loss, mean-shift, seed 0: KILLED (its process was killed)",
        "local constraints, mean-shift; global constraints, angular (seed 0): not begun",
    ):
        assert words in about
    own.table()
    frame = pd.read_csv(made.folder / "losses.csv").set_index("variant")
    assert frame["sbd"].notna().sum() == 4
    assert frame["sbd_diff"].isna().all()  # without a control
    failed, killed = "seed 0: FAILED (no image is left)", "seed 0: KILLED (its process was killed)"
    assert frame["missing"].dropna().tolist() == [failed, "no finished run", "no finished run", killed]
    own.scores()
    assert len(pd.read_csv(made.folder / "scores.csv")) == 4
    assert "discriminative loss, mean-shift: no finished run with pictures" in own.pictures().html
    own.angles()
    assert set(pd.read_csv(made.folder / "neighbour_angle.csv")["loss.constraints"]) == {"local", "global"}
