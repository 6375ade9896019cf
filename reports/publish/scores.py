"""Scores of every run as one table: what all numbers of the study are computed from again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from ablations import find_ablations
from reports.blocks.launch_results import LaunchResults
from study.ablation.design import Ablation
from study.ablation.verdicts import Verdict, needs_trainings, training_results, verdicts
from study.runs.job import Result, variant_name

_NAMES = ("times", "question", "variant", "seed", "image")  # of a row; the other columns are scores
_TRAINING = "training"  # in the place of an image: measures of a whole training


def score_rows(launch: LaunchResults, times: int) -> pd.DataFrame:
    """All scores of a launch: a row per run and image, or training."""
    claims = launch.ablation.claims
    trainings = training_results(launch.ablation, launch.trainings) if needs_trainings(claims) else []
    tables = [_rows(result, launch.ablation.name, times) for result in (*launch.results, *trainings)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(_NAMES))


def _rows(result: Result, question: str, times: int) -> pd.DataFrame:
    about = {"times": times, "question": question, "variant": variant_name(result.variant), "seed": result.seed}
    table = result.table.assign(**about)
    return table.loc[:, [*_NAMES, *(name for name in result.table if name != "image")]]


def write_scores(tables: Iterable[pd.DataFrame], file: Path) -> None:
    """Write tables of `score_rows` as one, which has the same bytes each time."""
    # without a time in its head, which gzip writes by default; numbers are written so that they are read back the same
    pd.concat(tables, ignore_index=True).to_csv(file, index=False, compression={"method": "gzip", "mtime": 0})


def read_scores(file: Path) -> dict[tuple[int, str], list[Result]]:
    """The results in a file of `write_scores`, by times and question; measures of trainings are the last of each."""
    questions = find_ablations()
    found: dict[tuple[int, str], list[Result]] = {}
    for (times, question, variant, seed, _), rows in _runs(file):
        variants = {variant_name(of): of for of in questions[question].variants()}
        if variant in variants:
            table = rows.dropna(axis="columns", how="all")
            found.setdefault((times, question), []).append(Result(variants[variant], seed, table, []))
    return found


def tables_by_run(file: Path) -> dict[tuple[int, str, str, int], pd.DataFrame]:
    """The scores of images in a file of `write_scores`, by times, question, variant and seed: a row per image."""
    return {of[:4]: rows for of, rows in _runs(file) if not of[4]}


def _runs(file: Path) -> Iterator[tuple[tuple[int, str, str, int, bool], pd.DataFrame]]:
    """What is in a file of each run, and of each training: what it is of, and its scores with the columns of all."""
    whole = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""])  # an image may be named NA
    words = ("question", "variant", "image")
    # exact, unlike pandas' parser
    whole = whole.astype({name: float for name in whole if name not in words}).astype({"times": int, "seed": int})
    whole["training"] = whole["image"] == _TRAINING
    by = [*_NAMES[:-1], "training"]
    for (times, question, variant, seed, training), rows in whole.groupby(by, sort=False):  # type: ignore[misc]
        yield (times, question, variant, seed, training), rows.drop(columns=by).reset_index(drop=True)


def verdicts_from(results: Sequence[Result], ablation: Ablation, where: str) -> list[Verdict]:
    """The verdicts on the claims of a question by results of `read_scores`."""
    trainings = [result for result in results if _of_training(result)]
    return verdicts(ablation, of_images(results), where, trainings)


def of_images(results: Sequence[Result]) -> list[Result]:
    """Those of `read_scores` that have scores of images, and not measures of a training."""
    return [result for result in results if not _of_training(result)]


def _of_training(result: Result) -> bool:
    return result.table["image"].tolist() == [_TRAINING]
