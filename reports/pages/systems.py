"""Whole systems and other software side by side, from a launch of the ablation `systems`."""

from __future__ import annotations

from html import escape

import pandas as pd

from reports.blocks.competitors import competitors_of, in_words
from reports.blocks.one_launch import OneLaunch
from reports.blocks.page import Block, Column, figure_block, heading, paragraph, stacked
from reports.blocks.pictures import NO_PICTURES, first_with_pictures, shown_images, strips_of
from reports.blocks.results import COSTS, figure_table, result_frame, result_table
from study import figures
from study.ablation.statistics import ABOUT_INTERVALS
from study.figures.names import variant_label

SHOWS = ("systems",)  # ablations
_AT_ONCE = 5  # systems beside each other in a figure of labels
_FURTHER = ("dic", "ap_50", "ap_75")


class Systems(OneLaunch):
    """The comparison."""

    ABLATION = SHOWS[0]

    def __init__(self, store: str, run_ids: str, folder: str):
        super().__init__(store, run_ids, folder)
        self.competitors, unread = competitors_of(self.launch)
        self.missing += unread

    def table(self) -> Block:
        """Scores and costs of all systems."""
        frame = result_frame(self.launch, self.competitors, _FURTHER)
        frame.to_csv(self.folder / "systems.csv", index=False)
        labels = [Column("system", [escape(label) for label in frame["label"]], numeric=False)]
        caption = (
            f"All systems have the same budget of steps. Training: seconds of the whole training. {self._measured_on()}"
        )
        table = result_table(frame, labels, caption, self.launch.control_rows, (*_FURTHER, *COSTS))
        return heading("Systems") + table

    def _measured_on(self) -> str:
        return self.launch.measured_on() + in_words(self.competitors)

    def scores(self) -> Block | None:
        """The scores as a figure."""
        table = figure_table(self.launch, self.competitors)
        if table.empty:
            return None
        figure = figures.score_rows(table, ["system"], self.launch.ablation.control, "")
        caption = f"Systems. Bars: {ABOUT_INTERVALS}. {self._measured_on()}"
        return heading("Scores as a figure") + figure_block(self.folder, "scores", figure, caption, table)

    def predictions(self) -> Block:
        """Labels of all systems on the first test images."""
        title = "Labels side by side"
        results = [first_with_pictures(self.launch.of(variant)) for variant in self.launch.ablation.variants()]
        shown = [(result, self.launch.run_of(result)) for result in results if result]
        shown += [(other.result, other.run_id) for other in self.competitors]
        shown = [(result, run_id) for result, run_id in shown if result.panels]
        if not shown:
            return heading(title) + paragraph(NO_PICTURES, "soft")
        blocks = []
        for k in range(0, len(shown), _AT_ONCE):
            part = shown[k : k + _AT_ONCE]
            figure = figures.prediction_figure(strips_of({variant_label(result.variant): result for result, _ in part}))
            data = pd.concat([shown_images(*pair) for pair in part], ignore_index=True)
            images, seeds = (", ".join(dict.fromkeys(map(str, data[name]))) for name in ("image", "seed"))
            caption = f"Test images {images}, their truth, and what is found in them; seed {seeds}. "
            caption += f"{self.launch.dataset}."
            blocks.append(figure_block(self.folder, f"labels_{k // _AT_ONCE + 1}", figure, caption, data))
        return stacked([heading(title), *blocks])
