import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image

from reports.pages.compare import Comparison
from reports.pages.run_card import RunCard
from study.cli import main
from study.data import open_dataset
from study.data.sets.cvppp import A1_TEST
from study.data.settings import Data
from study.errors import StudyError
from study.evaluation import REFERENCE_SCORES
from study.figures.panels import tile_of
from study.metrics import scores
from study.runs import imported_labels
from study.runs.gallery import gallery_of, images_of
from study.runs.imported_labels import import_labels
from study.settings import Settings
from study.tracking import connect, imported_runs, stored_scores

LEAVES = {"data.name": "synthetic-leaves", "data.images": "4"}
COUNT = 4


def samples(changes, split="test"):
    return [record.load() for record in open_dataset(Settings().with_(changes).data).splits[split]]


def shifted(labels):
    return np.roll(labels, (3, -5), axis=(0, 1))


def export(folder, changes=LEAVES, altered=lambda labels: labels, split="test"):
    """Write the altered true labels of a split as 16-bit TIFF files."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in samples(changes, split):
        tifffile.imwrite(folder / f"{sample.name}_cp_masks.tif", altered(sample.labels).astype(np.uint16))
    return folder


def bring_in(folder, changes=LEAVES, name="StarDist", split="test", foreground="auto"):
    import_labels(name, str(folder), split, foreground, changes)


def runs(client):
    return client.search_runs([connect()])


@pytest.mark.parametrize("foreground", ["truth", "none"])
def test_the_truth_has_perfect_scores(store, tmp_path, foreground, capsys):
    bring_in(export(tmp_path / "labels"), foreground=foreground)
    (run,) = runs(store)
    perfect = {"sbd", "sbd_legacy", "best_dice_true", "best_dice_pred", "fbd", "map", "ap_50", "ap_90"}
    table = stored_scores(run.info.run_id, "test").table
    assert (table[sorted(perfect)] == 1).all(axis=None)
    assert (table[["dic", "abs_dic"]] == 0).all(axis=None)
    assert (table["n_true"] == table["n_pred"]).all()
    assert run.data.metrics["test/sbd"] == 1
    told = capsys.readouterr().out.splitlines()
    assert told == [f"4 test images: SBD 1.000, FBD 1.000, |DiC| 0.00, mAP 1.000; foreground: {foreground}"]


@pytest.mark.parametrize("foreground", ["truth", "none"])
def test_a_row_holds_the_scores_of_the_labels_at_the_original_size(store, tmp_path, foreground):
    bring_in(export(tmp_path / "labels", altered=shifted), foreground=foreground)
    (run,) = runs(store)
    table = stored_scores(run.info.run_id, "test").table
    for row, sample in zip(table.to_dict("records"), samples(LEAVES), strict=True):
        labels = shifted(sample.labels)
        rules = {
            "truth": scores(sample.labels, np.where(sample.labels > 0, labels, 0)),
            "none": scores(sample.labels, labels),
        }
        assert row.pop("image") == sample.name
        assert np.isnan([row.pop(name) for name in ("neighbour_angle", "distinct_axes")]).all()
        assert row == rules.pop(foreground)
        (other,) = rules.values()
        assert 0 < row["sbd"] != other["sbd"] < 1
    for name in ("sbd", "map", "abs_dic"):
        assert run.data.metrics[f"test/{name}"] == pytest.approx(table[name].mean(), abs=1e-4)
    assert "test/neighbour_angle" not in run.data.metrics


def test_what_is_logged(store, tmp_path):
    dataset = open_dataset(Settings().with_(LEAVES).data)
    bring_in(export(tmp_path / "labels"), name=" Mask R-CNN ")
    (run,) = runs(store)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "Mask R-CNN (imported), test")
    tags = {
        "imported": "Mask R-CNN",
        "dataset": "synthetic-leaves",
        "data_digest": dataset.digest(),
        "split": "test",
        "split_note": dataset.split_note,
        "foreground": "truth",
    }
    assert tags.items() <= run.data.tags.items()
    note = run.data.tags["mlflow.note.content"]
    assert note.startswith("Labels made by Mask R-CNN, scored on the 4 test images of synthetic-leaves")
    assert "Foreground: truth, that is, labels outside of the true foreground are dropped." in note
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("synthetic-leaves", dataset.digest())
    assert [found.run_id for found in imported_runs(dataset.digest())] == [run.info.run_id]
    _, pictures = stored_scores(run.info.run_id, "test")
    assert len(pictures) == 3
    kept = gallery_of(run.info.run_id)
    assert [image.name for image in kept] == [sample.name for sample in samples(LEAVES)]
    assert all(image.embedding is None and (image.labels > 0).any() for image in kept)
    for picture in pictures:
        assert (tile_of(picture, "distance") == 128).all()
        assert (tile_of(picture, "embedding") == 128).all()
        np.testing.assert_array_equal(tile_of(picture, "prediction"), tile_of(picture, "truth"))


def test_one_file_of_all_labels_as_of_the_leaf_challenge(store, tmp_path, capsys):
    """The file of the true labels has the layout of a submission."""
    names = {"images": ("rgb", np.arange(36, dtype=np.uint8).reshape(3, 4, 3)), "truth": ("label", np.eye(3, 4, 1))}
    for kind, (leaf, values) in names.items():
        with h5py.File(tmp_path / f"CVPPP2017_training_{kind}.h5", "w") as file:
            for plant in (*A1_TEST, "A1/plant001", "A1/plant003"):
                file[f"{plant}/{leaf}"] = values
    truth = tmp_path / "CVPPP2017_training_truth.h5"
    bring_in(truth, {"data.name": "cvppp2017", "data.root": str(tmp_path)})
    (run,) = runs(store)
    table = stored_scores(run.info.run_id, "test").table
    assert (table[["sbd", "n_true"]] == 1).all(axis=None)
    assert table["image"].tolist() == list(A1_TEST)
    assert capsys.readouterr().out.splitlines()[0] == f"2 others in {truth} are of no test image and are skipped"


def test_ids_may_be_large(store, tmp_path):
    for sample in samples(LEAVES):
        large = np.where(sample.labels > 0, 2**31 - 1 - sample.labels, 0).astype(np.int32)
        tifffile.imwrite(tmp_path / f"{sample.name}.tif", large)
    bring_in(tmp_path)
    assert runs(store)[0].data.metrics["test/sbd"] == 1


def test_other_splits_and_images_that_are_skipped(store, tmp_path, capsys):
    every = {"data.name": "synthetic-leaves"}
    folder = export(tmp_path / "labels", every, split="val")
    bring_in(folder, split="val")
    (run,) = runs(store)
    assert run.data.tags["split"] == "val"
    assert run.data.metrics["val/sbd"] == 1
    assert capsys.readouterr().out.splitlines()[0] == f"12 others in {folder} are of no val image and are skipped"
    assert imported_runs(run.data.tags["data_digest"]) == []  # of test images alone


def test_the_foreground_is_the_truth_where_the_data_set_gives_it(store, tmp_path, write_folder):
    cells = {"data.name": "folder", "data.root": str(write_folder(tmp_path / "cells", count=8))}
    bring_in(export(tmp_path / "of_cells", cells), cells)
    bring_in(export(tmp_path / "of_leaves"))
    leaves, cells = runs(store)
    assert (leaves.data.tags["foreground"], cells.data.tags["foreground"]) == ("truth", "none")
    assert "Foreground: none, that is, labels are taken as they are." in cells.data.tags["mlflow.note.content"]


def test_the_test_images_of_another_subset(store, tmp_path):
    for name in ("A1/plant201", "A1/plant202", "A2/plant001"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        for kind in ("rgb", "label"):
            Image.fromarray(np.eye(16, dtype=np.uint8)).save(tmp_path / f"{name}_{kind}.png")
    bring_in(tmp_path, {"data.name": "cvppp2017", "data.root": str(tmp_path), "data.test_subsets": "A2"})
    assert stored_scores(runs(store)[0].info.run_id, "test").table["image"].tolist() == ["A2/plant001"]


def three_colours(path):
    path.unlink()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)).save(path)


DEFECTS = {
    "missing": (lambda path: path.unlink(), "has no labels of 1 of 4 images (test_0006)"),
    "damaged": (lambda path: path.write_bytes(path.read_bytes()[:99]), "replace the file, it is damaged"),
    "size": (lambda path: tifffile.imwrite(path, np.zeros((9, 96), np.uint8)), "labels of 9 x 96 px, but image test_0"),
    "floats": (lambda path: tifffile.imwrite(path, np.full((96, 96), 0.5)), "labels that are not whole numbers"),
    "colours": (three_colours, "marks objects by colours"),
    "doubled": (lambda path: path.with_suffix(".png").write_bytes(path.read_bytes()), "are both labels of test_0006"),
}


def invoke(folder, *options):
    """The command's line of output, once it has failed, before any list of names; later options win."""
    given = ["--name", "StarDist", "--labels", str(folder), "--dataset", "synthetic-leaves", "--set", "data.images=4"]
    found = CliRunner().invoke(main, ["import_labels", *given, *options])
    assert isinstance(found.exception, SystemExit), found.exception
    assert found.exit_code == 1
    line, *names = found.stderr.splitlines()
    assert not names or line.endswith(" Choose one of these:")
    return line


@pytest.mark.parametrize("defect", DEFECTS)
def test_defects_of_files_are_told_before_a_run_is_started(store, tmp_path, defect):
    damage, words = DEFECTS[defect]
    damage(export(tmp_path / "labels") / "test_0006_cp_masks.tif")
    assert words in invoke(tmp_path / "labels")
    assert runs(store) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--name", " "), "--name is empty: give the name of the software"),
        (("--labels", ""), "--labels is empty: give the folder"),
        (("--labels", "nowhere"), "nowhere is neither a folder nor an HDF5 file"),
        (("--labels", "empty"), "empty holds no label image"),
        (("--split", "tset"), "unknown split 'tset', did you mean test? Choose one of test, train, val"),
        (("--dataset", "leafs"), "unknown data set 'leafs'"),
        (("--dataset", "folder"), "data set folder needs data_root"),
        (("--foreground", "predicted"), "unknown value of --foreground 'predicted': choose one of auto, none, truth"),
        (("--set", "data.image_size=64"), "data.image_size has no effect on labels that are there: --set takes data.s"),
        (("--set", "data.imges=4"), "unknown setting 'data.imges'"),
        (("--set", "data.images=x"), "data.images must be a whole number"),
    ],
)
def test_options_that_do_not_fit(store, tmp_path, options, words):
    (tmp_path / "empty").mkdir()
    assert words in invoke(export(tmp_path / "labels"), *options)
    assert runs(store) == []


def test_a_split_without_images(store, tmp_path, write_folder):
    cells = {"data.name": "folder", "data.root": str(write_folder(tmp_path / "cells", count=1))}
    with pytest.raises(StudyError, match="data set folder has no test image to score labels on: 15 % of the images"):
        bring_in(tmp_path, cells)
    assert runs(store) == []


def test_a_run_that_cannot_be_logged_has_failed(store, tmp_path, monkeypatch):
    def broken(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(imported_labels, "log_dataset", broken)
    with pytest.raises(OSError, match="the disk is full"):
        bring_in(export(tmp_path / "labels"))
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["failure"]) == ("FAILED", "OSError: the disk is full")


@pytest.fixture
def beside(asked, tmp_path):
    """A trained run, and imported labels of the same images in its store."""
    bring_in(export(tmp_path / "labels", altered=shifted), name="Shifted", foreground="none")
    (run,) = asked.client.search_runs(
        [asked.experiment.experiment_id], "tags.imported = 'Shifted'", max_results=1, order_by=["start_time DESC"]
    )
    return asked.children["wnet"], run


def test_an_import_and_launches_on_the_same_images_have_one_data_digest(asked, beside):
    for run in (asked.parent, *asked.children.values()):
        assert (
            run.data.tags["data_digest"]
            == beside[1].data.tags["data_digest"]
            == open_dataset(Data(images=COUNT)).digest()
        )


@pytest.mark.parametrize("order", [1, -1])
def test_an_import_is_compared_with_a_trained_run(asked, beside, tmp_path, order):
    pages = tmp_path / "pages"
    pages.mkdir()
    ids = [run.info.run_id for run in beside][::order]
    own = Comparison(asked.client.tracking_uri, ",".join(ids), str(pages))
    assert own.missing == []
    text = own.about().html
    assert "Runs with other test images" not in text
    assert [run.foreground() for run in own.runs] == ["truth", "none"][::order]
    assert text.index(">truth<") * order < text.index(">none<") * order
    own.scores()
    tables = [run.table for run in own.runs]
    frame = pd.read_csv(pages / "scores.csv")
    assert frame["sbd_diff"][1] == pytest.approx((tables[1]["sbd"] - tables[0]["sbd"]).mean())
    own.per_image()
    assert len(pd.read_csv(pages / "per_image.csv")) == COUNT
    own.images(3)
    assert len(pd.read_csv(pages / "images_1.csv")) == 6
    assert "No setting." in own.settings().html
    assert all(f"{score}_paper_thresholds" in frame for score in REFERENCE_SCORES if score != "arand")


def test_settings_of_trained_runs_are_compared_beside_an_import(asked, beside, tmp_path):
    ids = [beside[1].info.run_id, *(run.info.run_id for run in asked.children.values())]
    Comparison(asked.client.tracking_uri, ",".join(ids), str(tmp_path)).settings()
    frame = pd.read_csv(tmp_path / "settings.csv")
    assert len(frame) == 2
    assert list(frame.columns) == ["run", "network.name", "network.concat_layer"]


def test_an_import_has_a_card(asked, beside, tmp_path):
    card = RunCard(asked.client.tracking_uri, beside[1].info.run_id, str(tmp_path))
    assert "Labels made by Shifted, scored on" in card.about().html
    assert "keeps no settings.json" in card.settings().html
    assert "no training loss" in card.curves().html
    card.scores()
    assert pd.read_csv(tmp_path / "scores.csv")["neighbour_angle"].isna().all()
    assert "test_0000" in card.images(2).html
    assert card.search() is None


def test_the_worst_image_is_kept_wherever_it_is(store, tmp_path, monkeypatch):
    monkeypatch.setattr("study.runs.imported_labels.IMAGES", 1)
    monkeypatch.setattr("study.runs.gallery.IMAGES", 1)
    monkeypatch.setattr("study.runs.gallery.EXTREMES", 1)
    export(tmp_path / "labels")
    last = sorted((tmp_path / "labels").iterdir())[-1]
    tifffile.imwrite(last, np.ones_like(tifffile.imread(last)))  # one object all over the image
    bring_in(tmp_path / "labels", foreground="none")
    (run,) = runs(store)
    table = stored_scores(run.info.run_id, "test").table
    assert images_of(run.info.run_id)[-1].name == table["image"].iloc[-1] == table.sort_values("sbd")["image"].iloc[0]
    assert len(gallery_of(run.info.run_id)) == 1
