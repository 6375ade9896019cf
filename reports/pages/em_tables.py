"""Table 4 of Huang et al. 2022, neurons in volumes of electron microscopy, from a launch of the ablation `em`."""

from __future__ import annotations

from reports.blocks.one_launch import OneLaunch
from reports.blocks.page import Block, Column, figure_block, heading
from reports.blocks.printed import printed_columns, printed_source, with_printed
from reports.blocks.results import COSTS, figure_table, result_frame, result_table
from study import figures
from study.ablation.statistics import ABOUT_INTERVALS

SHOWS = ("em",)  # ablations
PRINTED = ("voi_split", "voi_merge", "voi", "arand")
REAL = ("volume",)  # data sets beside which printed values may stand: not the synthetic ones


class EmTables(OneLaunch):
    """The table."""

    ABLATION = SHOWS[0]

    def table(self) -> Block:
        """VOI and ARAND of all systems, beside the printed values where the data are real."""
        launch = self.launch
        frame = with_printed(result_frame(launch), launch, "pea_table4", PRINTED, REAL)
        frame.to_csv(self.folder / "table_4.csv", index=False)
        labels = [Column("system", list(frame["label"]), numeric=False), *printed_columns(frame, PRINTED)]
        caption = f"Table 4. {launch.ablation.question} Ours: {launch.measured_on()}{printed_source(frame)}"
        table = result_table(frame, labels, caption, launch.control_rows, COSTS)
        return heading("Table 4: neurons") + table

    def scores(self) -> Block | None:
        """The scores as a figure."""
        launch = self.launch
        if launch.table.empty:
            return None
        ablation, table = launch.ablation, figure_table(launch)
        figure = figures.score_rows(table, ablation.names(), ablation.control, "")
        caption = f"Table 4 as a figure; 0 is best. Bars: {ABOUT_INTERVALS}. {launch.measured_on()}"
        return heading("Scores as a figure") + figure_block(self.folder, "scores", figure, caption, table)
