"""Table 4 of Huang et al. 2022, neurons in volumes of electron microscopy, from a launch of the ablation `em`."""

from __future__ import annotations

from reports.blocks.launch_page import BARS, OneLaunch
from reports.blocks.page import Block
from reports.blocks.results import COSTS

SHOWS = ("em",)  # ablations
PRINTED = ("voi_split", "voi_merge", "voi", "arand")
REAL = ("volume",)  # data sets next to which printed values may stand: not the synthetic ones


class EmTables(OneLaunch):
    """The table."""

    ABLATION = SHOWS[0]

    def table(self) -> Block:
        """VOI and ARAND of all systems, next to the printed values where the data are real."""
        caption = f"Table 4. {self.launch.ablation.question} Ours: {self.measured_on()}"
        printed = ("pea_table4", PRINTED, REAL)
        return self.result_block("table_4", "Table 4: neurons", caption, "system", shown=COSTS, printed=printed)

    def scores(self) -> Block | None:
        """The scores as a figure."""
        caption = f"Table 4 as a figure; 0 is best. {BARS} {self.measured_on()}"
        return self.score_block("scores", "Scores as a figure", caption)
