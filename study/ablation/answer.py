"""The answer of an ablation on its parent run: tables, figures, words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from study import figures
from study.ablation.design import Ablation
from study.ablation.statistics import (
    contrasts,
    contrasts_to_markdown,
    describe_power,
    pooled_components,
    summarize,
    to_markdown,
)
from study.metrics import headline
from study.metrics.registry import kind_of
from study.runs.environment import mixed_environments
from study.runs.job import Result, variant_name
from study.tracking import TrackedRun

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST_NOTE = 7500  # characters; the store cuts longer descriptions off, without a word


def log_answer(
    parent: TrackedRun, ablation: Ablation, results: Sequence[Result], caption: str, note: str, *, origin: str = ""
) -> None:
    """Log what the results of an ablation, of which there are some, say.

    `caption` tells what the numbers are measured on, `note` what was asked, and `origin` what they are from; the answer
    is written between the two.
    """
    table = summarize(ablation, results)
    parent.log_table(table, "answer")
    _log_figures(parent, ablation, results, table, caption)
    contrasted = contrasts(ablation, results)
    if len(contrasted):
        parent.log_table(contrasted, "contrasts")
    components = pooled_components(ablation, results)
    if components is not None:
        parent.set_tags(components.to_tags())
    compared = [seeds for seeds in table["paired_seeds"].tolist() if seeds]
    seeds = min((seeds for seeds in compared if seeds > 1), default=1)
    kind, images = kind_of(table), min(table["images"].tolist())
    label, items = headline(table).label, f"{kind.item}s"
    power = describe_power(components, seeds, images, len(compared), label, items)
    mixed = mixed_environments([text for result in results for text in result.environments])
    begin = [part for part in (note, mixed, to_markdown(ablation, table)) if part]
    parent.set_note(_joined(begin, contrasts_to_markdown(contrasted), [part for part in (power, origin) if part]))


def _joined(begin: Sequence[str], contrasted: Sequence[str], end: Sequence[str]) -> str:
    """The description, with as many of the tables of contrasts as the page shows without cutting it off."""
    for count in range(len(contrasted), -1, -1):
        further = ["Further contrasts are in `contrasts.csv`."] if count < len(contrasted) else []
        whole = "\n\n".join([*begin, *contrasted[:count], *further, *end])
        if len(whole) <= _LONGEST_NOTE:
            break
    return whole


def score_figure(ablation: Ablation, table: pd.DataFrame, caption: str, printed: pd.DataFrame | None = None) -> Figure:
    """The scores of `summarize` as curves along the ablation's axis, or else in a row per variant."""
    if ablation.axis:
        hue = next(name for name in ablation.varied if name != ablation.axis)
        return figures.score_curve(table, ablation.axis, hue, caption, printed)
    return figures.score_rows(table, ablation.names(), ablation.control, caption, printed)


def _log_figures(
    parent: TrackedRun, ablation: Ablation, results: Sequence[Result], table: pd.DataFrame, caption: str
) -> None:
    """Scores, the contact sheet, and the pictures that the ablation asks for."""
    printed = pd.read_csv(ablation.printed) if ablation.printed else None
    parent.log_figure(score_figure(ablation, table, caption, printed), f"{ablation.name}.png")
    first = min(result.seed for result in results)
    shown = [result for result in results if result.seed == first]
    rows = [(variant_name(result.variant), result.panels) for result in shown]
    parent.log_figure(figures.contact_sheet(rows, f"{ablation.question} Seed {first}. {caption}"), "contact_sheet.png")
    for name, variants in ablation.pictures.items():
        panels = {variant_name(result.variant): result.panels for result in shown}
        there = [variant for variant in variants if variant_name(variant) in panels]
        if there:
            strips = [panels[variant_name(variant)] for variant in there]
            parent.log_figure(figures.embedding_figure(there, strips, f"Seed {first}. {caption}"), f"{name}.png")
