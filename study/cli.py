"""The commands of `python -m study`, each of which is an entry point of MLproject too.

A command imports what it works with when it is called: torch and MLflow take seconds, and `--help` needs neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from study.options import (
    Commands,
    among,
    data_root_option,
    dataset_option,
    executor_options,
    exits,
    reuse_option,
    set_option,
    settings_options,
)
from study.profiles import layers_of, load_settings, parse_overrides
from study.systems import SYSTEMS

_system = click.option(
    "--system",
    default="wnet",
    show_default=True,
    help=f"What is trained: {', '.join(SYSTEMS)}.",
    shell_complete=among(SYSTEMS),
)
_run_id = click.option("--run_id", required=True, help="Id of a finished run, from the MLflow page.")
_split = click.option("--split", default="test", show_default=True, help="Which images: train, val or test.")
_model = click.option(
    "--model", required=True, help="A registered model (models:/NAME@best, models:/NAME/1) or a folder."
)
_device = click.option("--device", default="auto", show_default=True, help="Where to compute: auto, cpu or cuda.")
_test_images = click.option(
    "--images", required=True, type=Path, help="CVPPP2017_testing_images.h5, or the folder that holds it."
)


def _seed(words: str):
    return click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help=words)


@click.group(cls=Commands)
def main() -> None:
    """Instance segmentation by pixel embeddings: train, evaluate, look at data, use a trained network."""


@main.command("train")
@settings_options("synthetic-leaves")
@_system
@_seed("Seed of the initial weights, the order of the images and their augmentation.")
@reuse_option
@exits
def train_command(seed: int, reuse: bool, **options: Any) -> None:
    """Train one network, score it and log both to MLflow."""
    from study.runs.commands import train_one

    run_id = train_one(load_settings(**options).with_({"seed": seed}), reuse=reuse)
    program = click.get_current_context().find_root().info_name  # as the user has called it
    click.echo(
        f"make a model of it for `predict`: {program} promote --run_id {run_id}\n"
        f"score it on other images: {program} evaluate --run_id {run_id} --dataset folder --data_root FOLDER"
    )


@main.command("settings")
@settings_options("synthetic-leaves")
@_system
@exits
def settings_command(system: str, **options: Any) -> None:
    """Print the settings of a training, each with its source, and what the paper has instead."""
    from study.resolved_settings import table_of_settings

    click.echo(table_of_settings(layers_of(**options, system=system, changes={})))


@main.command("evaluate")
@_run_id
@_split
@dataset_option("Another data set than that of the run", default="")
@data_root_option()
@set_option("Settings of data or clustering, joined by commas: clustering.angle=40.")
@click.option("--allow_training_images", default=False, type=bool, help="1: score even images that the run has used.")
@executor_options("inline", "Groups of images")
@exits
def evaluate_command(
    run_id: str,
    split: str,
    dataset: str,
    data_root: str,
    overrides: str,
    allow_training_images: bool,
    executor: str,
    **engine: Any,
) -> None:
    """Score the network of a finished run, on its own or other images, none of which it was made with."""
    from study.executors import opened_executor

    with opened_executor(executor, "study.runs.spread_scoring", **engine) as opened:
        opened.start()  # while it imports what it needs, this process does
        from study.runs.commands import evaluate_run

        changes = parse_overrides(overrides)
        changes |= {k: v for k, v in (("data.name", dataset), ("data.root", data_root)) if v}
        evaluate_run(run_id, split, changes, allow_training_images, opened)


@main.command("search_thresholds")
@_run_id
@click.option("--objectives", default="", help="Scores, joined by commas: sbd,abs_dic; SBD, or ARAND, by default.")
@data_root_option(words="Folder of the data set of the run, if it has moved.")
@set_option("Single settings, joined by commas: clustering.method=mutex-watershed,tuning.trials=50.")
@exits
def search_command(run_id: str, objectives: str, data_root: str, overrides: str) -> None:
    """Search the thresholds of a finished run on its validation images; two objectives give their Pareto front."""
    from study.runs.commands import search_run

    changes = parse_overrides(overrides) | ({"data.root": data_root} if data_root else {})
    search_run(run_id, [name for name in objectives.split(",") if name], changes)


@main.command("import_labels")
@click.option("--name", required=True, help="Name of the software that has made the labels, such as StarDist.")
@click.option("--labels", required=True, help="Folder with a label image for each image, or one HDF5 file.")
@dataset_option(required=True)
@data_root_option()
@_split
@click.option(
    "--foreground",
    default="auto",
    show_default=True,
    help="Mask that labels are cut to: truth, none, or auto, which takes the rule of the data set.",
)
@set_option("Which images: data.subsets=A1+A2,data.images=8.")
@exits
def import_command(
    name: str, labels: str, dataset: str, data_root: str, split: str, foreground: str, overrides: str
) -> None:
    """Score label images that other software has made, as a run next to those of the study."""
    from study.runs.imported_labels import import_labels

    changes = {"data.name": dataset, "data.root": data_root} | parse_overrides(overrides)
    import_labels(name, labels, split, foreground, changes)


@main.command("promote")
@click.option("--run_id", default="", help="Id of a finished run, from the MLflow page.")
@click.option("--ablation", default="", help="Or an ablation, whose best run on validation images is taken: lambda.")
@click.option("--name", default="", help="Name of the model; by default after the data set.")
@click.option("--alias", default="best", show_default=True, help="Alias by which the model is found.")
@exits
def promote_command(**options: str) -> None:
    """Register the network of a finished run, with its clustering and thresholds, as a model."""
    from study.deploy.promote import promote

    promote(**options)


@main.command("predict")
@_model
@click.option(
    "--images",
    required=True,
    type=Path,
    help="Folder of images, or one image: PNG, JPEG, TIFF, OME-Zarr, CZI, ND2, LIF.",
)
@click.option("--out", required=True, type=Path, help="Folder for the labels.")
@click.option("--format", default="png", show_default=True, help="Format of the labels: png or tif.")
@click.option("--overlay", default=False, type=bool, help="1: write pictures of the outlines, too.")
@click.option("--table", default=False, type=bool, help="1: write tables of objects and counts, too.")
@click.option("--also", default="", help="Files for other tools, joined by commas: rois (for Fiji), geojson, coco.")
@click.option("--overwrite", default=False, type=bool, help="1: segment images again that have labels.")
@click.option("--channel", default="", help="Of files of microscopes: the name of a channel, or its number from 0.")
@click.option("--scene", default="", help="Of files of microscopes: the name of a scene, or its number from 0.")
@_device
@executor_options("inline", "Groups of images, or tiles of large ones,")
@exits
def predict_command(
    model: str,
    device: str,
    images: Path,
    out: Path,
    executor: str,
    slots: int,
    scheduler: str,
    cluster: str,
    channel: str,
    scene: str,
    **options: Any,
) -> int:
    """Segment the images of a folder by a model."""
    from study.data.files.microscopy import Part
    from study.executors import Inline, opened_executor

    with opened_executor(executor, "study.deploy.workers", slots, scheduler, cluster) as opened:
        opened.start()  # while it imports what it needs, this process does
        from study.deploy.predict import predict
        from study.deploy.promote import load_model
        from study.deploy.workers import predict_on_workers
        from study.tracking import name_given_run

        here, part = isinstance(opened, Inline), Part(channel, scene)
        segmenter = load_model(model, device if here else "cpu")
        name_given_run(f"predict: {images.name}", f"Labels of {images} by {model}, in {out}.")
        click.echo(f"model: {segmenter.about}")
        if here:
            return predict(segmenter, images, out, part=part, **options)
        return predict_on_workers(segmenter, images, out, opened, device=device, part=part, **options)


@main.command("submit")
@_model
@_test_images
@click.option("--out", required=True, type=Path, help="HDF5 file to write.")
@click.option("--subsets", default="", help="A1+A4: images of others are submitted without objects; empty: all.")
@_device
@exits
def submit_command(model: str, device: str, images: Path, out: Path, **options) -> int:
    """Label the test images of the leaf challenge, and check the file for its server."""
    from study.deploy.promote import load_model
    from study.deploy.submit import submit
    from study.tracking import name_given_run

    segmenter = load_model(model, device)
    name_given_run(f"submit: {out.name}", f"Labels of {images} by {model}, in {out}.")
    return submit(segmenter, images, out, **options)


@main.command("check_submission")
@click.option("--submission", required=True, type=Path, help="HDF5 file.")
@_test_images
@exits
def check_submission_command(submission: Path, images: Path) -> int:
    """List what the server of the leaf challenge would count wrongly in a submission."""
    from study.deploy.submit import check_submission

    defects = check_submission(submission, images)
    click.echo("\n".join(defects) or "no defects")
    return len(defects)


@main.command("check_data")
@settings_options("synthetic-leaves")
@click.option(
    "--figures", default="", help="Folder for figures of sizes, intensities, objects and images with defects."
)
@exits
def check_data_command(figures: str, **options: Any) -> int:
    """List counts, sizes, objects per image and every defect of a data set."""
    from study.data.check import check
    from study.data.sets.opening import VOLUMES, open_dataset
    from study.files import check_writable, given_path

    system = "pea" if options["dataset"] in VOLUMES else "wnet"  # of settings, only those of data matter
    dataset = open_dataset(load_settings(**options, system=system).data)
    if figures:
        check_writable(given_path(figures))  # before all images are read
    report = check(dataset)
    click.echo(str(report))
    if figures:
        from study.figures.data_set import draw_data_set

        click.echo("\n".join(f"figure: {file}" for file in draw_data_set(report, given_path(figures))))
    return len(report.defects)


@main.group("data", cls=Commands)
def data_group() -> None:
    """Look at a data set before anything is trained."""


data_group.add_command(check_data_command, "check")
