"""What launches say of the papers' claims: the table that pages begin with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, heading, table_block
from study.ablation.verdicts import (
    ABOUT_VERDICTS,
    Verdict,
    lines_of,
    needs_trainings,
    printed_of,
    score_label,
    source_of,
    training_results,
    verdict_frame,
    verdicts,
)

FILE = "claims.csv"
_PRINTED = "Printed values were measured on the papers' own images, and legacy scores are of another kind than SBD."


def verdicts_of(launch: LaunchResults) -> list[Verdict]:
    """The verdicts of a launch on the claims of its question."""
    claims = launch.ablation.claims
    trainings = training_results(launch.ablation, launch.trainings) if needs_trainings(claims) else []
    return verdicts(launch.ablation, launch.results, launch.where, trainings)


def launch_verdicts(launches: Iterable[LaunchResults], folder: Path) -> Block:
    """The verdicts of launches as the beginning of a page; empty where their questions test no claim."""
    judged = [verdict for launch in launches for verdict in verdicts_of(launch)]
    return verdict_table(judged, folder) if judged else Block("")


def verdict_table(judged: Sequence[Verdict], folder: Path) -> Block:
    """Verdicts as a table below a heading; all numbers are written to `claims.csv` in a folder.

    Where all are of the same data set and profile, the caption names them, or else a column.
    """
    verdict_frame(judged).to_csv(folder / FILE, index=False)
    first = [place == 0 or judged[place - 1].claim != verdict.claim for place, verdict in enumerate(judged)]
    wheres = list(dict.fromkeys(verdict.where for verdict in judged if verdict.where))
    columns = [
        Column("no.", [verdict.claim.key if new else "" for verdict, new in zip(judged, first, strict=True)]),
        _words("claim of the paper", [_claim(v) if new else "" for v, new in zip(judged, first, strict=True)]),
        _words("score", [escape(score_label(verdict.score)) for verdict in judged]),
        _words("found", [_found(verdict) for verdict in judged]),
        _words("verdict", [_verdict(verdict) for verdict in judged]),
    ]
    if len(wheres) > 1:
        columns.append(_words("measured on", [escape(verdict.where) for verdict in judged]))
    where = f" Measured on {wheres[0]}: nothing is said of other data." if len(wheres) == 1 else ""
    caption = f"What the papers claim, and what was found.{where} {ABOUT_VERDICTS} {_PRINTED} All comparisons: {FILE}."
    return heading("Claims and verdicts") + table_block(columns, caption, folds=True)


def _words(title: str, cells: Sequence[str]) -> Column:
    return Column(title, cells, numeric=False)


def _claim(verdict: Verdict) -> str:
    about = "; ".join(filter(None, (source_of(verdict.claim), printed_of(verdict.claim))))
    return f'{escape(verdict.claim.statement)}<br><span class="interval">{escape(about)}</span>'


def _found(verdict: Verdict) -> str:
    first, *others = (escape(line) for line in lines_of(verdict))
    small = "".join(f'<br><span class="interval">{line}</span>' for line in others[-1:])
    return "<br>".join([first, *others[:-1]]) + small


def _verdict(verdict: Verdict) -> str:
    return f'<span class="verdict {verdict.word.replace(" ", "-")}">{verdict.word}</span>'
