"""The answer of an ablation on its parent run: tables, figures, words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from study import figures, tracking
from study.ablation.design import Ablation
from study.ablation.printed import printed_values
from study.ablation.statistics import (
    as_text,
    contrasts,
    contrasts_to_markdown,
    describe_power,
    finding,
    pooled_components,
    summarize,
    to_markdown,
)
from study.ablation.verdicts import (
    needs_trainings,
    training_results,
    verdict_frame,
    verdicts,
    verdicts_in_lines,
    verdicts_to_markdown,
)
from study.figures.names import variant_label
from study.metrics import headline
from study.metrics.registry import kind_of
from study.origin import Origin, as_markdown
from study.runs.environment import mixed_environments
from study.runs.job import Result, intervals_over, variant_name
from study.tracking import Point, TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST_NOTE = 7500  # characters; the store cuts longer descriptions off, without a word


def log_answer(
    parent: TrackedRun,
    ablation: Ablation,
    results: Sequence[Result],
    caption: str,
    note: str,
    dataset: str = "",
    where: str = "",
    origin: Origin | None = None,
) -> str:
    """Log what the results of an ablation, of which there are some, say; gives it in words for the terminal.

    `caption` tells what the numbers are measured on, `note` what was asked, its first paragraph in a sentence. What was
    found stands above that; verdicts on the papers' claims are written below the first paragraph, the answer below
    `note`, and below that `origin`. `where` names data set and profile, the only ones that verdicts are about. By the
    name of the data set it is known whether printed values were measured on the same images.
    """
    table = summarize(ablation, results)
    parent.log_table(table, "answer")
    parent.log_metrics(Point(0, _scores_of_answer(ablation, table)))
    printed = printed_values(ablation, dataset, results)
    over = intervals_over(max(table["seeds"].tolist()), kind_of(table))
    parent.log_figure(score_figure(ablation, table, f"{caption} Bars: {over}.", printed), f"{ablation.name}.png")
    _log_pictures(parent, ablation, results, caption)
    contrasted = contrasts(ablation, results)
    if len(contrasted):
        parent.log_table(contrasted, "contrasts")
    judged = verdicts(ablation, results, where, _trainings(parent, ablation))
    if judged:
        parent.log_table(verdict_frame(judged), "claims")
    components = pooled_components(ablation, results)
    if components is not None:
        parent.set_tags(components.to_tags())
    compared = [seeds for seeds in table["paired_seeds"].tolist() if seeds]
    seeds = min((seeds for seeds in compared if seeds > 1), default=1)
    kind, images = kind_of(table), min(table["images"].tolist())
    label, items = headline(table).label, f"{kind.item}s"
    power = describe_power(components, seeds, images, len(compared), label, items)
    mixed = mixed_environments([text for result in results for text in result.environments])
    question, _, further = note.partition("\n\n")
    answer = to_markdown(ablation, table)
    # the page shows two lines of a description before a click
    parts = (finding(ablation, table), question, verdicts_to_markdown(judged), further, mixed, answer)
    begin = [part for part in parts if part]
    parent.set_note(_joined(begin, contrasts_to_markdown(contrasted), power, origin))
    said = ["\nWhat the papers claim:", *verdicts_in_lines(judged)] if judged else []
    return as_text("\n".join(part for part in (question, answer, mixed, *said) if part))


def _scores_of_answer(ablation: Ablation, table: pd.DataFrame) -> dict[str, float]:
    """Scores for the parent itself, so that table and charts of launches are not empty: the best, and the control's.

    Their names are none of a run's, which would put the parent among the runs where these are sorted.
    """
    score = headline(table)
    values = dict(zip(table["variant"].tolist(), table[score.key].astype(float).tolist(), strict=True))
    known = {name: value for name, value in values.items() if not math.isnan(value)}
    if not known:
        return {}
    found = {f"best/{score.key}": max(known.values(), key=lambda value: score.sign * value)}
    if (control := variant_name(ablation.control)) in known:
        found[f"control/{score.key}"] = known[control]
    return {name: round(value, 4) for name, value in found.items()}


def _with_score(result: Result) -> str:
    """A variant as people say it, and the score of its run."""
    score = headline(result.table)
    values = result.table[score.key].astype(float).tolist() if score.key in result.table else []
    known = [value for value in values if not math.isnan(value)]
    words = f"\n{score.label} {sum(known) / len(known):{score.form}}" if known else ""
    return f"{variant_label(result.variant)}{words}"


def _trainings(parent: TrackedRun, ablation: Ablation) -> list[Result]:
    """Measures of the trainings of the finished runs below a parent, where a claim is about any."""
    if not needs_trainings(ablation.claims):
        return []
    children = tracking.children_of(tracking.stored_run(parent.run_id))
    finished = [child for child in children if child.state == "FINISHED"]
    runs = {(child.tags["variant"], int(child.tags["seed"])): tracking.training_of(child) for child in finished}
    return training_results(ablation, runs)


def _joined(begin: Sequence[str], contrasted: Sequence[str], power: str, origin: Origin | None) -> str:
    """The description, with as many of the tables of contrasts as the page shows without cutting it off.

    Where none fits, the table of departures is left out too.
    """
    end = [power, *([as_markdown(origin)] if origin else [])]
    for count in range(len(contrasted), -1, -1):
        further = ["Further contrasts are in `contrasts.csv`."] if count < len(contrasted) else []
        whole = "\n\n".join([*begin, *contrasted[:count], *further, *end])
        if len(whole) <= _LONGEST_NOTE:
            return whole
    short = [power, *([as_markdown(origin, departures=False)] if origin else [])]
    return "\n\n".join([*begin, *(["Contrasts are in `contrasts.csv`."] if contrasted else []), *short])


def score_figure(ablation: Ablation, table: pd.DataFrame, caption: str, printed: pd.DataFrame | None = None) -> Figure:
    """The scores of `summarize` as curves along the ablation's axis, or else in a row per variant."""
    if ablation.axis:
        hue = next(name for name in ablation.varied if name != ablation.axis)
        return figures.score_curve(table, ablation.axis, hue, caption, printed)
    return figures.score_rows(table, ablation.names(), ablation.control, caption, printed)


def _log_pictures(parent: TrackedRun, ablation: Ablation, results: Sequence[Result], caption: str) -> None:
    """The contact sheet, and the pictures that the ablation asks for."""
    first = min(result.seed for result in results)
    shown = [result for result in results if result.seed == first]
    declared = [result for variant in ablation.variants() for result in shown if result.variant == variant]
    rows = [(_with_score(result), result.panels) for result in declared]
    parent.log_figure(figures.contact_sheet(rows, f"{ablation.question} Seed {first}. {caption}"), "contact_sheet.png")
    for name, variants in ablation.pictures.items():
        panels = {variant_name(result.variant): result.panels for result in shown}
        there = [variant for variant in variants if variant_name(variant) in panels]
        if there:
            strips = [panels[variant_name(variant)] for variant in there]
            parent.log_figure(figures.embedding_figure(there, strips, f"Seed {first}. {caption}"), f"{name}.png")
