"""Fig. 2 and 4 to 7 of Wu et al. 2020, and its tables as figures, from launches of ablations."""

from __future__ import annotations

from collections.abc import Callable

from reports.blocks.failures import failure_figure, fooled_figure
from reports.blocks.launch_page import BARS, LaunchPage
from reports.blocks.launch_results import LaunchResults
from reports.blocks.loss_terms import ratio_figure
from reports.blocks.page import Block, figure_block, heading, remarks
from reports.blocks.pictures import embeddings
from reports.blocks.precision import precision_block
from reports.blocks.printed import about_printed, score_frame
from reports.blocks.subsets import NETWORKS, TRAINED_ON, control_of
from study.ablation.answer import score_figure
from study.figures.names import value_label
from study.runs.job import Result

PARTS = {  # ablation -> what it redoes here
    "concat_layer": "Table 1 as a figure",
    "constraints": "Fig. 5, and the constraints of Table 2 as a figure",
    "embedding_dim": "Fig. 6a",
    "lambda": "Fig. 6b and 7, and the ratio of the loss terms of section 4.5",
    "clustering": "the clusterings of Table 2 as a figure",
}
SHOWS = (*PARTS, "subsets")  # ablations
_SCORES = {  # ablation -> name of the files, title, first words of the caption
    "concat_layer": ("table_1_figure", "Table 1 as a figure", "What the first U-Net forwards."),
    "constraints": ("table_2_constraints_figure", "Constraints of Table 2 as a figure", "Constraints and dimensions."),
    "embedding_dim": ("figure_6a", "Fig. 6a: dimensions", "Fig. 6a. Scores by dimensions of the embedding."),
    "lambda": ("figure_6b", "Fig. 6b: weight λ", "Fig. 6b. Scores by the weight of the between-instance term."),
    "clustering": ("table_2_clustering_figure", "Clusterings of Table 2 as a figure", "Clusterings and networks."),
}
_PICTURES = {
    "figure_5": ("Fig. 5: embeddings under constraints", "Fig. 5. Embeddings under local and global constraints."),
    "figure_7": ("Fig. 7: embeddings by λ", "Fig. 7. Embeddings by the weight of the between-instance term."),
}


class WnetFigures(LaunchPage):
    """The figures."""

    PARTS, TRAINED_ON = PARTS, TRAINED_ON

    def further_absent(self) -> list[str]:
        asks_both = any(control_of(launch, network="unet") for launch in self.launches.values())
        absent = [] if asks_both else ["Fig. 2 and 4 (no launch of both networks is given)"]
        return [
            *absent,
            "Fig. 1 and 3 (drawings of the method)",
            "Fig. 8 (nuclei: the page wnet_cells of compare_cells)",
        ]

    def scores(self, name: str) -> Block | None:
        """Scores of all variants of an ablation, next to the printed values."""
        if (launch := self.launches.get(name)) is None:
            return None
        file, title, caption = _SCORES[name]
        missing = remarks("Missing here:", launch.missing)
        if launch.table.empty:
            return heading(title) + missing
        figure = score_figure(launch.ablation, launch.table, "", launch.printed)
        data = score_frame(launch)
        stars = f"{about_printed(data)} Stars stand beside the legacy score only." if about_printed(data) else ""
        caption = f"{caption} {BARS}{stars} {launch.measured_on()}"
        return heading(title) + figure_block(self.folder, file, figure, caption, data) + missing

    def pictures(self, name: str, file: str) -> Block | None:
        """Embeddings of the same test images by some variants."""
        if (launch := self.launches.get(name)) is None:
            return None
        return embeddings(launch, file, *_PICTURES[file], self.folder)

    def _both(self) -> tuple[LaunchResults, dict[str, list[Result]]] | None:
        """The first launch that has the U-Net and the W-Net in its control's settings, and their results."""
        for launch in self.launches.values():
            own = {network: launch.of(control_of(launch, network)) for network in NETWORKS}
            if all(own.values()):
                return launch, own
        return None

    def figure_2(self) -> Block | None:
        """What fools the U-Net, and the W-Net's maps of it."""
        return self._of_both(fooled_figure)

    def figure_4(self) -> Block | None:
        """Embeddings of both networks, where the U-Net fails."""
        return self._of_both(failure_figure)

    def _of_both(self, draw: Callable[..., Block]) -> Block | None:
        """A figure of the U-Net and the W-Net of the first launch that has both, or else of one that asks both."""
        asked = [launch for launch in self.launches.values() if control_of(launch, network="unet")]
        if not asked:
            return None
        launch = both[0] if (both := self._both()) else asked[0]
        variants = [control_of(launch, network) for network in NETWORKS]
        return draw(launch, variants, [value_label("network.name", network) for network in NETWORKS], self.folder)

    def loss_ratio(self) -> Block | None:
        """The ratio of the two terms of the loss over the training."""
        return ratio_figure(self.launches["lambda"], self.folder) if "lambda" in self.launches else None

    def precision_curves(self) -> Block | None:
        """Average precision of both networks against the overlap."""
        return None if (both := self._both()) is None else precision_block(*both, "precision", self.folder)
