"""`python -m study train | evaluate | search | import-labels | promote | predict | submit | data check`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from study.data.check import check
from study.data.sets.opening import open_dataset
from study.deploy.predict import predict
from study.deploy.promote import load_model, promote
from study.deploy.submit import check_submission, submit
from study.options import exits, reuse_option, settings_options
from study.profiles import SYSTEMS, load_settings, parse_overrides
from study.runs.commands import evaluate_run, search_run, train_one
from study.runs.imported_labels import import_labels
from study.tracking import name_given_run


@click.group()
def main() -> None:
    """Instance segmentation by pixel embeddings: train, evaluate, look at data."""


@main.command("train")
@settings_options
@click.option("--system", default="wnet", show_default=True, help=", ".join(SYSTEMS))
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Of weights, order and flips.")
@reuse_option
@exits
def train_command(seed: int, reuse: bool, **options: str) -> int:
    """Train one network, score it and log both to MLflow."""
    return train_one(load_settings(**options).with_({"seed": seed}), reuse=reuse)


@main.command("evaluate")
@click.option("--run_id", required=True, help="A finished run, from the MLflow page.")
@click.option("--split", default="test", show_default=True, help="train, val or test.")
@click.option("--dataset", default="", help="Another data set than the run's own.")
@click.option("--data_root", default="", help="Folder of the data set.")
@click.option("--set", "overrides", default="", help="Settings of data or clustering: clustering.angle=40.")
@click.option("--allow_training_images", default=False, type=bool, help="1: score even images that the run has used.")
@exits
def evaluate_command(
    run_id: str, split: str, dataset: str, data_root: str, overrides: str, allow_training_images: bool
) -> int:
    """Score the network of a finished run, on its own or other images, none of which it was made with."""
    changes = parse_overrides(overrides)
    changes |= {k: v for k, v in (("data.name", dataset), ("data.root", data_root)) if v}
    return evaluate_run(run_id, split, changes, allow_training_images)


@main.command("search")
@click.option("--run_id", required=True, help="A finished run, from the MLflow page.")
@click.option("--objectives", default="sbd", show_default=True, help="Scores, joined by commas: sbd,abs_dic.")
@click.option("--data_root", default="", help="Folder of the run's own data set, if it has moved.")
@click.option("--set", "overrides", default="", help="Settings: clustering.method=mutex-watershed,tuning.trials=50.")
@exits
def search_command(run_id: str, objectives: str, data_root: str, overrides: str) -> int:
    """Search the thresholds of a finished run on its validation images."""
    changes = parse_overrides(overrides) | ({"data.root": data_root} if data_root else {})
    return search_run(run_id, objectives.split(","), changes)


@main.command("import-labels")
@click.option("--name", required=True, help="Of the software that made them: StarDist.")
@click.option("--labels", required=True, help="Folder with a label image for each image, or one HDF5 file.")
@click.option("--dataset", required=True, help="A key of DATASETS.")
@click.option("--data_root", default="", help="Folder of the data set.")
@click.option("--split", default="test", show_default=True, help="train, val or test.")
@click.option("--foreground", default="auto", show_default=True, help="truth, none, or auto: as the data set gives it.")
@click.option("--set", "overrides", default="", help="Which images: data.subsets=A1+A2,data.images=8.")
@exits
def import_command(
    name: str, labels: str, dataset: str, data_root: str, split: str, foreground: str, overrides: str
) -> int:
    """Score label images that other software has made, as a run beside those of the study."""
    changes = {"data.name": dataset, "data.root": data_root} | parse_overrides(overrides)
    return import_labels(name, labels, split, foreground, changes)


@main.command("promote")
@click.option("--run_id", default="", help="A finished run, from the MLflow page.")
@click.option("--ablation", default="", help="Or an ablation, whose best run on validation images is taken: lambda.")
@click.option("--name", default="", help="Of the model; by default after the data set.")
@click.option("--alias", default="best", show_default=True, help="By which the model is found.")
@exits
def promote_command(**options: str) -> int:
    """Register the network of a finished run, with its clustering and thresholds, as a model."""
    return promote(**options)


_MODEL = click.option("--model", required=True, help="models:/NAME@best, models:/NAME/1, or a folder.")
_DEVICE = click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")


@main.command("predict")
@_MODEL
@click.option("--images", required=True, type=Path, help="Folder of images, or one image: PNG, JPEG, TIFF.")
@click.option("--out", required=True, type=Path, help="Folder for the labels.")
@click.option("--format", default="png", show_default=True, help="png or tif.")
@click.option("--overlay", default=False, type=bool, help="1: pictures of the outlines, too.")
@click.option("--table", default=False, type=bool, help="1: tables of objects and counts, too.")
@click.option("--overwrite", default=False, type=bool, help="1: images that have labels are segmented again.")
@_DEVICE
@exits
def predict_command(model: str, device: str, images: Path, out: Path, **options) -> int:
    """Segment the images of a folder."""
    segmenter = load_model(model, device)
    name_given_run(f"predict: {images.name}", f"Labels of {images} by {model}, in {out}.")
    return predict(segmenter, images, out, **options)


@main.command("submit")
@_MODEL
@click.option("--images", required=True, type=Path, help="CVPPP2017_testing_images.h5, or its folder.")
@click.option("--out", required=True, type=Path, help="HDF5 file to write.")
@click.option("--subsets", default="", help="A1+A4; images of others are submitted without objects. All by default.")
@_DEVICE
@exits
def submit_command(model: str, device: str, images: Path, out: Path, **options) -> int:
    """Label the test images of the leaf challenge, and check the file for its server."""
    segmenter = load_model(model, device)
    name_given_run(f"submit: {out.name}", f"Labels of {images} by {model}, in {out}.")
    return submit(segmenter, images, out, **options)


@main.command("check-submission")
@click.option("--submission", required=True, type=Path, help="HDF5 file.")
@click.option("--images", required=True, type=Path, help="CVPPP2017_testing_images.h5, or its folder.")
@exits
def check_submission_command(submission: Path, images: Path) -> int:
    """List what the server of the leaf challenge would stumble over in a submission."""
    defects = check_submission(submission, images)
    click.echo("\n".join(defects) or "no defects")
    return len(defects)


@main.group("data")
def data_group() -> None:
    """Look at data sets."""


@data_group.command("check")
@settings_options
@exits
def check_command(**options: str) -> int:
    """List counts, sizes, objects per image and every defect of a data set."""
    report = check(open_dataset(load_settings(**options).data))
    click.echo(str(report))
    return len(report.defects)


if __name__ == "__main__":
    sys.exit(main())
