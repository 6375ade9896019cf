"""Scores of every run as one table: what all numbers of the study are computed from again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ablations import find_ablations
from reports.blocks.launch_results import LaunchResults
from study.ablation.design import Ablation
from study.ablation.verdicts import Verdict, needs_trainings, training_results, verdicts
from study.metrics import summary_scores
from study.runs.job import Result, variant_name

FILE = "scores.csv.gz"
_NAMES = ("times", "question", "variant", "seed", "image")  # of a row; the other columns are scores
_TRAINING = "training"  # in the place of an image: measures of a whole training


def score_rows(launch: LaunchResults, times: int) -> pd.DataFrame:
    """The scores of a launch that summaries show or claims are judged by: a row per run and image, or training."""
    claims = launch.ablation.claims
    trainings = training_results(launch.ablation, launch.trainings) if needs_trainings(claims) else []
    claimed = {score for claim in claims for score in claim.scores}
    tables = [_rows(result, launch.ablation.name, times, claimed) for result in (*launch.results, *trainings)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(_NAMES))


def _rows(result: Result, question: str, times: int, claimed: set[str]) -> pd.DataFrame:
    shown = {score.key for score in summary_scores(result.table)}
    scores = [column for column in result.table if column in shown | claimed]
    about = {"times": times, "question": question, "variant": variant_name(result.variant), "seed": result.seed}
    return result.table[["image", *scores]].assign(**about)[[*_NAMES, *scores]]


def write_scores(tables: Iterable[pd.DataFrame], file: Path) -> None:
    """Write tables of `score_rows` as one, which has the same bytes each time."""
    # without a time in its head, which gzip writes by default; numbers are written so that they are read back the same
    pd.concat(tables, ignore_index=True).to_csv(file, index=False, compression={"method": "gzip", "mtime": 0})


def read_scores(file: Path) -> dict[tuple[int, str], list[Result]]:
    """The results in a file of `write_scores`, by times and question; measures of trainings are the last of each."""
    whole = pd.read_csv(file, dtype={"image": str, "question": str, "variant": str})
    questions = find_ablations()
    found: dict[tuple[int, str], list[Result]] = {}
    for (times, question, variant, seed, _), rows in _runs(whole):
        variants = {variant_name(of): of for of in questions[question].variants()}
        if variant in variants:
            table = (
                rows.drop(columns=[*_NAMES[:-1], "training"]).dropna(axis="columns", how="all").reset_index(drop=True)
            )
            results = found.setdefault((times, question), [])
            results.append(Result(variants[variant], int(seed), table, []))
    return found


def _runs(whole: pd.DataFrame) -> Iterator[tuple[Any, pd.DataFrame]]:
    """The rows of each run, and the one of each training, with what is the same in them."""
    whole = whole.assign(training=whole["image"] == _TRAINING)
    yield from whole.groupby([*_NAMES[:-1], "training"], sort=False)


def verdicts_from(results: Sequence[Result], ablation: Ablation, where: str) -> list[Verdict]:
    """The verdicts on the claims of a question by results of `read_scores`."""
    trainings = [result for result in results if result.table["image"].tolist() == [_TRAINING]]
    runs = [result for result in results if result.table["image"].tolist() != [_TRAINING]]
    return verdicts(ablation, runs, where, trainings)
