"""Embedding losses and clusterings side by side, from a launch of the ablation `loss`."""

from __future__ import annotations

from reports.blocks.angles import angle_figure
from reports.blocks.one_launch import OneLaunch
from reports.blocks.page import Block, Column, figure_block, heading
from reports.blocks.pictures import embeddings
from reports.blocks.results import DIFFERENCES, figure_table, result_frame, result_table
from study import figures
from study.ablation.statistics import ABOUT_INTERVALS
from study.figures.names import value_label

SHOWS = ("loss",)  # ablations
_SCORES = ("sbd", "sbd_paper_thresholds", *DIFFERENCES, "fbd", "abs_dic", "map", "neighbour_angle")


class LossComparison(OneLaunch):
    """The comparison."""

    ABLATION = SHOWS[0]

    def table(self) -> Block:
        """Scores of all losses and clusterings."""
        gathered = self.gathered
        frame = result_frame(gathered)
        frame.to_csv(self.folder / "losses.csv", index=False)
        losses = [
            value_label("loss.constraints", constraints) if isinstance(constraints, str) else "discriminative"
            for constraints in frame["loss.constraints"]
        ]
        labels = [
            Column("loss", losses, numeric=False),
            Column("clustering", list(frame["clustering.method"]), numeric=False),
        ]
        caption = (
            "Cosine loss with local and with global constraints (Chen et al. 2019), and the discriminative loss (De "
            "Brabandere et al. 2017), whose embeddings have no angles to go by. Angle: mean angle between the "
            f"embeddings of neighbours. {gathered.measured_on()}"
        )
        return heading("Losses and clusterings") + result_table(frame, labels, _SCORES, caption, gathered.control_rows)

    def scores(self) -> Block | None:
        """The scores as a figure."""
        gathered = self.gathered
        if gathered.table.empty:
            return None
        ablation, table = gathered.ablation, figure_table(gathered)
        figure = figures.score_rows(table, ablation.names(), ablation.control, "")
        caption = f"Losses and clusterings. Bars: {ABOUT_INTERVALS}. {gathered.measured_on()}"
        return heading("Scores as a figure") + figure_block(self.folder, "scores", figure, caption, table)

    def angles(self) -> Block:
        """Angle between neighbours over the training, under local and global constraints."""
        return angle_figure(self.gathered, "loss.constraints", None, self.folder)

    def pictures(self) -> Block:
        """Embeddings of the same images by each loss."""
        title = "Embeddings"
        return embeddings(self.gathered, "embeddings", title, "Embeddings of test images by each loss.", self.folder)
