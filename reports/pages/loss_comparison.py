"""Embedding losses and clusterings side by side, from a launch of the ablation `loss`."""

from __future__ import annotations

from reports.blocks.launch_page import BARS, OneLaunch
from reports.blocks.page import Block, text_column
from reports.blocks.pictures import angle_figure, embeddings
from study.figures.names import value_label

SHOWS = ("loss",)  # ablations


class LossComparison(OneLaunch):
    """The comparison."""

    ABLATION = SHOWS[0]

    def table(self) -> Block:
        """Scores of all losses and clusterings."""
        name, variants = "loss.constraints", self.launch.ablation.variants()
        losses = [value_label(name, v[name]) if name in v else "discriminative" for v in variants]
        clusterings = [variant["clustering.method"] for variant in variants]
        caption = (
            "Cosine loss with local and with global constraints (Chen et al. 2019), and the discriminative loss (De "
            f"Brabandere et al. 2017), whose embeddings have no angles. {self.measured_on()}"
        )
        labels = [text_column("loss", losses), text_column("clustering", clusterings)]
        return self.result_block("losses", "Losses and clusterings", caption, labels)

    def scores(self) -> Block | None:
        """The scores as a figure."""
        caption = f"Losses and clusterings. {BARS} {self.measured_on()}"
        return self.score_block("scores", "Scores as a figure", caption)

    def angles(self) -> Block:
        """Angle between neighbours over the training, under local and global constraints."""
        return angle_figure(self.launch, "loss.constraints", None, self.folder)

    def pictures(self) -> Block:
        """Embeddings of the same images by each loss."""
        title = "Embeddings"
        return embeddings(self.launch, "embeddings", title, "Embeddings of test images by each loss.", self.folder)
