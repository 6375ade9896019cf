"""Embedding losses and clusterings side by side, from a launch of the ablation `loss`."""

from __future__ import annotations

from reports.blocks.angles import angle_figure
from reports.blocks.one_launch import OneLaunch
from reports.blocks.page import Block, Column, figure_block, heading
from reports.blocks.pictures import embeddings
from reports.blocks.results import figure_table, result_frame, result_table
from study import figures
from study.ablation.statistics import ABOUT_INTERVALS
from study.figures.names import value_label

SHOWS = ("loss",)  # ablations


class LossComparison(OneLaunch):
    """The comparison."""

    ABLATION = SHOWS[0]

    def table(self) -> Block:
        """Scores of all losses and clusterings."""
        launch = self.launch
        frame = result_frame(launch)
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
            f"Brabandere et al. 2017), whose embeddings have no angles. {launch.measured_on()}"
        )
        return heading("Losses and clusterings") + result_table(frame, labels, caption, launch.control_rows)

    def scores(self) -> Block | None:
        """The scores as a figure."""
        launch = self.launch
        if launch.table.empty:
            return None
        ablation, table = launch.ablation, figure_table(launch)
        figure = figures.score_rows(table, ablation.names(), ablation.control, "")
        caption = f"Losses and clusterings. Bars: {ABOUT_INTERVALS}. {launch.measured_on()}"
        return heading("Scores as a figure") + figure_block(self.folder, "scores", figure, caption, table)

    def angles(self) -> Block:
        """Angle between neighbours over the training, under local and global constraints."""
        return angle_figure(self.launch, "loss.constraints", None, self.folder)

    def pictures(self) -> Block:
        """Embeddings of the same images by each loss."""
        title = "Embeddings"
        return embeddings(self.launch, "embeddings", title, "Embeddings of test images by each loss.", self.folder)
