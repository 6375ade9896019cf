"""What the pages of MLflow tell of a model: from which run it is, how good, with which thresholds, and for what."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from study.config import in_words
from study.deploy.segmenter import kind_of_images
from study.metrics import drawn_scores, score_of
from study.settings import Settings
from study.tracking import About, StoredRun, tuned_settings

_SPLITS = {"val": "validation", "test": "test"}


def about_model(run: StoredRun, settings: Settings, channels: int, uri: str, facts: Mapping[str, str]) -> About:
    """The name, descriptions, tags and params of a model that `run` becomes."""
    data = settings.data.name
    title = f"{run.name} on {data}"
    family = (
        f"Instance segmentation by pixel embeddings, trained on {data}. Each version is a run of the study, and "
        f"carries its code and the list of its packages: `mlflow models serve -m {uri}` needs no study to be installed."
    )
    thresholds = thresholds_of(settings)
    lines = [
        f"**{title}**: network, {settings.clustering.method} clustering and its thresholds.",
        "",
        *(f"- {words} images: {scores}" for split, words in _SPLITS.items() if (scores := _scores(run, split))),
        f"- thresholds, {_origin(run)}: {', '.join(f'{name} {value}' for name, value in thresholds.items())}",
        f"- foreground: {_foreground(settings)}",
        f"- trained on {kind_of_images(settings, channels)}; profile {settings.profile}",
        "",
        f"Labels of a folder of images: `python -m study predict --model {uri} --images DIR --out DIR`",
    ]
    params = {f"clustering.{name}": value for name, value in thresholds.items()}
    return About(title, family, "\n".join(lines), facts, params, shown_metrics(run))


def thresholds_of(settings: Settings) -> dict[str, str]:
    """Name -> value of what a search of thresholds looks for."""
    clustering = settings.clustering
    searched = (field.name for field in dataclasses.fields(clustering) if field.metadata.get("search"))
    return {name: in_words(getattr(clustering, name)) for name in searched}


def shown_metrics(run: StoredRun) -> list[str]:
    """The metrics of a run that its model carries along."""
    scores = drawn_scores({name.partition("/")[2] for name in run.metrics})
    names = [f"{split}/{score.key}" for split in _SPLITS for score in scores]
    return [name for name in names if name in run.metrics]


def _scores(run: StoredRun, split: str) -> str:
    """Such as `SBD 0.912, mAP 0.790`."""
    found = {name.partition("/")[2]: run.metrics[name] for name in shown_metrics(run) if name.startswith(f"{split}/")}
    return ", ".join(f"{(score := score_of(key)).label} {value:{score.form}}" for key, value in found.items())


def _origin(run: StoredRun) -> str:
    return "found on validation images" if tuned_settings(run.tags) else "not searched"


def _foreground(settings: Settings) -> str:
    if settings.clustering.foreground == "truth":
        return "the thresholds were found inside of the true foreground; without a mask, the predicted one is taken"
    return f"{settings.clustering.foreground}, as in the search of the thresholds"
