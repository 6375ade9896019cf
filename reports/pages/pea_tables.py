"""Tables 2, 5, 6 and 7 of Huang et al. 2022, and the values of its Fig. 6, from launches of ablations."""

from __future__ import annotations

from pathlib import Path

from reports.blocks.competitors import Competitor, competitors_of
from reports.blocks.launch_results import LaunchResults, load_launches
from reports.blocks.launches import cover
from reports.blocks.page import Block, Column, figure_block, heading, remarks
from reports.blocks.printed import LEAVES, printed_columns, printed_source, with_printed
from reports.blocks.results import figure_table, result_frame, result_table
from study import figures, tracking
from study.ablation.statistics import ABOUT_INTERVALS

PARTS = {  # ablation -> the part of the paper, file of its printed values
    "pea": ("Table 2", "pea_table2"),
    "pea_modules": ("Table 5", "pea_table5"),
    "pea_views": ("Table 6", "pea_table6"),
    "pea_embedding_dim": ("Fig. 6a", "pea_fig6a"),
    "pea_ranges": ("Fig. 6b", "pea_fig6b"),
    "pea_adaptive": ("Table 7", "pea_table7"),
}
SHOWS = tuple(PARTS)  # ablations
PRINTED = ("sbd", "abs_dic")
_FURTHER = ("aji", "pq")


class PeaTables:
    """The tables, for one notebook.

    Parameters
    ----------
    store : str
        Address of the MLflow store.
    run_ids : str
        Parent runs of ablations, joined by commas.
    folder : str
        Where tables are written as CSV, figures as PDF and PNG.
    """

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.found, self.folder = load_launches(run_ids.split(",")), Path(folder)

    def about(self) -> Block:
        """Which launches the page is made of, and which parts of the paper it does not cover."""
        return cover(self.found, {name: part for name, (part, _) in PARTS.items()})

    def part(self, name: str) -> Block | None:
        """Table and figure of an ablation, beside the printed values; nothing without a launch of it."""
        if (launch := self.found.get(name)) is None:
            return None
        part, file = PARTS[name]
        competitors, unread = competitors_of(launch) if name == "pea" else ([], [])
        frame = with_printed(result_frame(launch, competitors, ("dic", *_FURTHER)), launch, file, PRINTED, LEAVES)
        frame.to_csv(self.folder / f"{name}.csv", index=False)
        labels = [Column("variant", list(frame["label"]), numeric=False), *printed_columns(frame, PRINTED)]
        caption = f"{part}. {launch.ablation.question} Ours: {launch.measured_on()}{printed_source(frame)}"
        table = result_table(frame, labels, caption, launch.control_rows, (*_FURTHER, "training_seconds"))
        missing = remarks("Missing here:", [*launch.missing, *unread])
        return heading(f"{part}: {launch.ablation.question}") + table + missing + self._figure(launch, competitors)

    def _figure(self, launch: LaunchResults, competitors: list[Competitor]) -> Block:
        if launch.table.empty:
            return Block("")
        ablation, table = launch.ablation, figure_table(launch, competitors)
        figure = figures.score_rows(table, ablation.names(), ablation.control, "")
        caption = f"{PARTS[ablation.name][0]} as a figure. Bars: {ABOUT_INTERVALS}."
        return figure_block(self.folder, f"{ablation.name}_scores", figure, caption, table)
