"""Table 4 of Huang et al. 2022, neurons in volumes of electron microscopy, from a launch of the ablation `em`."""

from __future__ import annotations

from reports.blocks.launch_page import BARS, OneLaunch
from reports.blocks.page import Block
from reports.blocks.printed import read_printed
from reports.blocks.results import COSTS
from study.errors import StudyError

SHOWS = ("em",)  # ablations
PRINTED = ("voi_split", "voi_merge", "voi", "arand")
REAL = "volume"  # the data set whose test volume may be that of the paper: only the user knows


class EmTables(OneLaunch):
    """The table.

    Parameters
    ----------
    test_set : str
        `AC3` says that the launch's test volume is that of the paper, so that printed values may be compared with.
        Others as in `LaunchPage`.

    Raises
    ------
    StudyError
        If nothing is printed of that test set, or the launch is on other data than the user's own.
    """

    ABLATION = SHOWS[0]

    def __init__(self, store: str, run_ids: str, folder: str, test_set: str = ""):
        super().__init__(store, run_ids, folder)
        sets = read_printed("pea_table4")["test_set"].unique()
        self.told = [name for name in sets if test_set and name.partition(",")[0] == test_set]
        if test_set and not self.told:
            raise StudyError(
                f"test_set is {test_set!r}, but values are printed of {'; '.join(sets)}: name AC3, or none"
            )
        if test_set and self.launch.dataset != REAL:
            raise StudyError(
                f"test_set is {test_set}, but the launch is on {self.launch.dataset}: only one on your own volumes, "
                f"dataset={REAL}, can be tested on it"
            )

    def table(self) -> Block:
        """VOI and ARAND of all systems, next to the printed values."""
        caption = f"Table 4. {self.launch.ablation.question} Ours: {self.measured_on()}"
        if self.told:
            caption += " Ours are means over quarters of the volume, the printed values are of the whole."
        elif self.launch.dataset == REAL:
            caption += " If test.h5 holds those sections of AC3, make the page by --set test_set=AC3."
        printed = ("pea_table4", PRINTED)
        return self.result_block(
            "table_4", "Table 4: neurons", caption, "system", shown=COSTS, printed=printed, told=self.told
        )

    def scores(self) -> Block | None:
        """The scores as a figure."""
        caption = f"Table 4 as a figure; 0 is best. {BARS} {self.measured_on()}"
        return self.score_block("scores", "Scores as a figure", caption)
