"""Fig. 4 to 8 of Wu et al. 2020, and its tables as figures, from launches of ablations."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.blocks.launch_page import BARS, LaunchPage
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block, heading, paragraph, remarks
from reports.blocks.pictures import NO_PICTURES, embeddings, side_by_side
from reports.blocks.printed import about_printed, score_frame
from reports.blocks.subsets import NETWORKS, TRAINED_ON, control_of
from study import figures
from study.ablation.answer import score_figure
from study.ablation.statistics import ABOUT_INTERVALS, interval
from study.figures.names import value_label
from study.metrics import drawn_scores
from study.runs.job import Result

PARTS = {  # ablation -> what it redoes here
    "concat_layer": "Fig. 4, and Table 1 as a figure",
    "constraints": "Fig. 5, and the constraints of Table 2 as a figure",
    "embedding_dim": "Fig. 6a",
    "lambda": "Fig. 6b and 7",
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
    "figure_4": ("Fig. 4: embeddings without and with distance features", "Fig. 4. Embeddings of test images."),
    "figure_5": ("Fig. 5: embeddings under constraints", "Fig. 5. Embeddings under local and global constraints."),
    "figure_7": ("Fig. 7: embeddings by λ", "Fig. 7. Embeddings by the weight of the between-instance term."),
}


class WnetFigures(LaunchPage):
    """The figures."""

    PARTS, TRAINED_ON = PARTS, TRAINED_ON

    def further_absent(self) -> list[str]:
        return [] if self._asks_both() else ["Fig. 8 (no launch of both networks is given)"]

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

    def _asks_both(self) -> bool:
        return any(control_of(launch, network="unet") for launch in self.launches.values())

    def figure_8(self) -> Block | None:
        """Labels of the U-Net and the W-Net next to the truth."""
        if not self._asks_both():
            return None
        title = heading("Fig. 8: labels of both networks")
        if (both := self._both()) is None:
            words = "Missing: no launch has finished runs of both networks in its control's settings."
            return title + paragraph(words, "soft")
        launch, own = both
        shown = {_label(network): (results[0], launch.run_of(results[0])) for network, results in own.items()}
        strips, data = side_by_side(shown)
        if not strips:
            return title + paragraph(NO_PICTURES, "soft")
        figure = figures.prediction_figure(strips)
        images, seed = ", ".join(image for image, _ in strips), own["wnet"][0].seed
        caption = (
            f"Fig. 8. Test images {images}; seed {seed}, ablation {launch.ablation.name}. "
            f"Over all test images and seeds: {'; '.join(_means(network, own[network]) for network in NETWORKS)}. "
            f"{launch.measured_on()}"
        )
        return title + figure_block(self.folder, "figure_8", figure, caption, data)

    def precision_curves(self) -> Block | None:
        """Average precision of both networks against the overlap."""
        if (both := self._both()) is None:
            return None
        launch, own = both
        curves = pd.concat([_precision(network, results) for network, results in own.items()], ignore_index=True)
        if curves.empty:
            return None
        caption = f"Average precision by IoU; bands: {ABOUT_INTERVALS}. {launch.measured_on()}"
        figure = figures.precision_figure(curves)
        return figure_block(self.folder, "figure_8_precision", figure, caption, curves)


def _label(network: str) -> str:
    return value_label("network.name", network)


def _means(network: str, results: list[Result]) -> str:
    tables = pd.concat([result.table for result in results])
    means = [f"{score.label} {tables[score.key].mean():{score.form}}" for score in drawn_scores(tables)]
    return f"{_label(network)}: {', '.join(means)}"


def _precision(network: str, results: list[Result]) -> pd.DataFrame:
    """Mean precision at each overlap, with its interval."""
    rows = []
    for column in (name for name in results[0].table if name.startswith("ap_")):
        mean = interval(np.stack([result.table[column].to_numpy(float) for result in results]))
        row = {"network": network, "label": _label(network), "iou": int(column.removeprefix("ap_")) / 100}
        rows.append(row | {"ap": mean.mean, "low": mean.low, "high": mean.high})
    return pd.DataFrame(rows)
