"""The answer of an ablation on its parent run: table, figures, words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from study import figures
from study.ablation import Ablation, Result, variant_name
from study.statistics import answer, found
from study.tracking import TrackedRun


def log_answer(parent: TrackedRun, ablation: Ablation, results: Sequence[Result], caption: str, note: str) -> None:
    """Log what the results of an ablation say.

    Parameters
    ----------
    parent : TrackedRun
    ablation : Ablation
    results : sequence of Result
        Not empty.
    caption : str
        What the numbers are measured on.
    note : str
        What was asked; what was found is written below it.
    """
    table = answer(ablation, results)
    parent.log_table(table, "answer")
    printed = pd.read_csv(ablation.printed) if ablation.printed else None
    if ablation.axis:
        hue = next(name for name in ablation.varied if name != ablation.axis)
        figure = figures.score_curve(table, ablation.axis, hue, caption, printed)
    else:
        figure = figures.score_rows(table, ablation.names(), ablation.control, caption, printed)
    parent.log_figure(figure, f"{ablation.name}.png")
    first = min(result.seed for result in results)
    shown = [result for result in results if result.seed == first]
    rows = [(variant_name(result.variant), result.panels) for result in shown]
    parent.log_figure(figures.contact_sheet(rows, f"{ablation.question} Seed {first}."), "contact_sheet.png")
    for name, variants in ablation.pictures.items():
        panels = {variant_name(result.variant): result.panels for result in shown}
        there = [variant for variant in variants if variant_name(variant) in panels]
        if there:
            strips = [panels[variant_name(variant)] for variant in there]
            parent.log_figure(figures.embedding_figure(there, strips, f"Seed {first}. {caption}"), f"{name}.png")
    parent.set_note(f"{note}\n\n{found(ablation, table)}")
