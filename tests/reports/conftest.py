import html
import re
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ablations import find_ablations
from study.data.sets.cvppp import A1_TEST
from study.profiles import load_settings
from study.runs.gallery import GalleryImage, keep
from study.runs.job import variant_name
from study.tracking import Point, connect, start_run

IMAGES = [f"test_{i}" for i in range(5)]
A2_IMAGES = [f"A2/plant{i:03}" for i in range(1, 32)]
BBBC039_IMAGES = [f"IXMtest_{i:02}" for i in range(50)]
TRUE, LEGACY = (0.2, 0.4), (0.6, 0.8)  # ranges of the scores that are made up, so that it is seen what stands where


def made_up(rng, images=IMAGES, thresholds=False):
    """A table of scores per image whose values tell what they are."""
    table = pd.DataFrame({"image": images})
    for name, (low, high) in {"sbd": TRUE, "sbd_legacy": LEGACY, "fbd": (0.9, 1.0), "map": (0.0, 0.1)}.items():
        table[name] = rng.uniform(low, high, len(images)).round(6)
    table["aji"], table["pq"] = table["map"], table["map"] / 2
    for iou in range(50, 95, 5):
        table[f"ap_{iou}"] = (table["map"] * (100 - iou) / 50).round(6)
    table["dic"] = rng.integers(-3, 3, len(images)).astype(float)
    table["abs_dic"], table["n_true"], table["n_pred"] = 2.0, 7.0, 9.0
    table["neighbour_angle"] = rng.uniform(60, 90, len(images)).round(6)
    if thresholds:
        table["sbd_paper_thresholds"] = table["sbd"] - 0.01
        table["sbd_legacy_paper_thresholds"] = table["sbd_legacy"] - 0.01
    return table


def log_training(run, settings, holders):
    """Log the curves of a made-up training; a run after the first of a training has them from there, by `holders`."""
    digest = settings.digest(groups=("data", "network", "loss", "training"))
    if digest in holders:
        run.set_tags({"network_from": holders[digest]})
        run.log_metrics(Point(0, {"val/neighbour_angle": 1.0}))  # of the final scores
        return
    holders[digest] = run.run_id
    start = 10.0 * len(holders)
    terms = {"train/loss_inter": start, "train/loss_intra": 2.0}
    run.log_metrics(*(Point(s, {"train/loss": 1 / s, **terms, "val/neighbour_angle": start + s}) for s in (1, 2)))
    run.log_metrics(Point(0, {"perf/training_seconds": start, "perf/parameters": 1000 * len(holders)}))


TRUTH = np.array([[0, 1, 1, 0, 2, 2, 0, 3, 3, 3]] * 3, np.int32)


def kept_images(merging, images):
    """Test images that a run keeps: a `merging` run takes objects 1 and 2 for one, any other finds all three."""
    labels = np.where(TRUTH == 2, 1, TRUTH) if merging else TRUTH
    grey = np.linspace(0, 255, TRUTH.size).reshape(TRUTH.shape).astype(np.uint8)
    vectors = np.eye(4, 3, dtype=np.float16)[TRUTH]
    turn = np.where(TRUTH == 3, 60 if merging else 50, 0).astype(np.uint8)
    picture = np.dstack([grey] * 3)
    return [GalleryImage(name, TRUTH, labels, picture, grey, picture[::-1], turn, vectors) for name in images[:3]]


def launch(name, dataset="leaves", seeds=(0,), thresholds=False, skip=(), fates=None, digest="", images=None):
    """A launch of an ablation with made-up scores; `fates` by name of the variant: status and reason of runs."""
    holders = {}
    experiment, ablation, rng = connect(), find_ablations()[name], np.random.default_rng(len(name))
    control = variant_name(ablation.control)
    tags = {
        "ablation": name,
        "dataset": dataset,
        "control": control,
        "split_note": "a fixed split",
        "data_digest": digest,
    }
    parent = start_run(experiment, f"{name} on {dataset}", "Which?", tags)
    children = {}
    for seed in seeds:
        for variant in ablation.variants():
            label = variant_name(variant)
            if label in skip:
                continue
            settings = load_settings(profile="smoke", system=variant.get("system", ablation.system))
            settings = settings.with_({**ablation.settings_of(variant), "seed": seed})
            tags = {"ablation": name, "variant": label, "seed": seed, "dataset": dataset}
            run = start_run(experiment, f"{label}, seed {seed}", "A variant.", tags, settings, variant, parent.run_id)
            status, reason = (fates or {}).get(label, ("FINISHED", ""))
            if status == "FINISHED":
                plants = [f"A1/plant{i:03}" for i in range(5)]
                tested = images or (plants if dataset == "cvppp2017" else IMAGES)
                picture = rng.integers(0, 255, (20, 116, 3), dtype=np.uint8)
                run.log_scores("test", made_up(rng, tested, thresholds), [picture, picture])
                keep(run, kept_images(any(word in label for word in ("unet", "none", "three-class")), tested))
                if digest:
                    log_training(run, settings, holders)
            if status != "RUNNING":
                run.end(status, reason)
            children[label, seed] = run.run_id
    parent.end("FAILED" if fates else "FINISHED", "some have failed" if fates else "")
    return SimpleNamespace(id=parent.run_id, children=children, ablation=ablation)


def labels_of(name, digest, images=IMAGES, foreground="truth"):
    """An import with made-up scores; gives the id of its run."""
    tags = {"imported": name, "data_digest": digest, "split": "test", "foreground": foreground}
    run, rng = start_run(connect(), f"{name} (imported), test", "", tags), np.random.default_rng(len(name))
    run.log_scores("test", made_up(rng, images).assign(neighbour_angle=np.nan), [np.zeros((20, 116, 3), np.uint8)])
    without_maps = dict.fromkeys(("distance", "embedding", "turn", "vectors"))
    keep(run, [replace(image, **without_maps) for image in kept_images(False, images)])
    run.end("FINISHED")
    return run.run_id


FATES = {
    "unet, inter_weight 0.5": ("FAILED", "no image is left"),
    "unet, inter_weight 10": ("KILLED", "its process was killed"),
    "wnet, inter_weight 500": ("RUNNING", ""),
}


NOT_BEGUN = ("constraints local, method mean-shift", "constraints global, method angular")
BROKEN = {
    "constraints local, method angular": ("FAILED", "no image is left"),
    "discriminative, method mean-shift": ("KILLED", "its process was killed"),
}


@pytest.fixture(scope="session")
def make_launch():
    """Makes a launch with made-up scores in the experiment in use, see `launch`."""
    return launch


@pytest.fixture(scope="session")
def _made(empty_store, tmp_path_factory, work_in):
    folder = tmp_path_factory.mktemp("reports")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as monkeypatch:
        client = work_in(folder, monkeypatch)
        made = SimpleNamespace(
            pea=launch("pea", dataset="cvppp2017", thresholds=True, images=A1_TEST),
            pea_a2=launch("pea", dataset="cvppp2017", images=A2_IMAGES),
            pea_leaves=launch("pea", dataset="synthetic-leaves"),
            pea_nuclei=launch("pea", dataset="bbbc039", images=BBBC039_IMAGES),
            backbones=launch("pea_backbones", dataset="cvppp2017", images=A1_TEST),
            adaptive=launch("pea_adaptive", dataset="cvppp2017", images=A1_TEST),
            adaptive_a2=launch("pea_adaptive", dataset="cvppp2017", images=A2_IMAGES),
            ranges=launch("pea_ranges", dataset="cells"),
            on_cells=launch("neighbour_distance", dataset="dsb2018", seeds=(0, 1), thresholds=True, digest="cells"),
            losses=launch("loss", dataset="dsb2018", digest="cells"),
            broken_losses=launch("loss", fates=BROKEN, skip=NOT_BEGUN, digest="x"),
            systems=launch("systems", dataset="dsb2018", seeds=(0, 1), thresholds=True, digest="cells"),
            labels={name: labels_of(name, "cells") for name in ("star-dist", "Cellpose")},
            other_labels=labels_of("Mask-RCNN", "others"),
            cells=launch("cells", dataset="synthetic-cells", seeds=(0, 1), digest="nuclei"),
            sphere=launch("sphere", dataset="synthetic-cells", digest="nuclei"),
            concat_layer=launch("concat_layer", seeds=(0, 1)),
            partial=launch("lambda", fates=FATES, skip=("wnet, inter_weight only",), digest="leaves"),
            on_cvppp=launch("clustering", dataset="cvppp2017", thresholds=True),
            constraints=launch(
                "constraints", skip=tuple(map(variant_name, find_ablations()["constraints"].variants()))
            ),
        )
    return folder, client, made


@pytest.fixture
def made(_made, monkeypatch, work_in, tmp_path):
    """Launches with made-up scores, their store in use.

    `concat_layer` is whole and has two seeds; `partial` (lambda) has runs that failed, were killed, are running or were
    never begun; `on_cvppp` (clustering) has scores with the paper's thresholds; `constraints` has no run. `pea` and
    `adaptive` are on the 20 plants of A1, `pea_a2` and `adaptive_a2` on all of A2. `on_cells` (neighbour_distance),
    `losses`, `broken_losses` and `systems` have curves of trainings; `labels` are imports on the images of those on
    dsb2018, `other_labels` on other images. Of test images that all runs keep, those of U-Nets merge two of three
    objects, see `kept_images`.
    """
    folder, _, found = _made
    found.client = work_in(folder, monkeypatch)
    found.store = f"sqlite:///{folder}/mlflow.db"
    found.folder = tmp_path
    return found


@pytest.fixture
def tables_of():
    """Reads the tables in a piece of HTML: for each a list of columns, each a list of the texts of its cells."""

    def read(text):
        tables = []
        for table in re.findall(r"<table>(.*?)</table>", text, flags=re.S):
            rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table.partition("<tbody>")[2], flags=re.S)
            cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, flags=re.S) for row in rows]
            columns = zip(*cells, strict=True)
            tables.append([[html.unescape(re.sub("<[^>]*>", " ", c)).strip() for c in column] for column in columns])
        return tables

    return read


@pytest.fixture
def assert_scores_apart(tables_of):
    """No column of the tables in a piece of HTML holds both true and legacy scores, and there are both."""

    def check(text):
        kinds = set()
        for table in tables_of(text):
            for column in table:
                values = [float(number) for cell in column for number in re.findall(r"(?<![\d.+−])0\.\d{3}\b", cell)]
                found = {
                    k for k, (low, high) in enumerate((TRUE, (0.55, 0.92))) if any(low <= v < high for v in values)
                }
                assert len(found) < 2, column
                kinds |= found
        assert kinds == {0, 1}

    return check
