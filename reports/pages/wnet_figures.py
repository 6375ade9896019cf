"""Fig. 4 to 8 of Wu et al. 2020, and its tables as figures, from launches of ablations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults, load_launches
from reports.blocks.launches import cover
from reports.blocks.page import Block, figure_block, heading, paragraph, remarks
from reports.blocks.pictures import NO_PICTURES, embeddings, shown_images, strips_of
from reports.blocks.subsets import NETWORKS, control_of
from reports.blocks.tables import PRINTED, score_frame
from study import figures, tracking
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


class WnetFigures:
    """The figures, for one notebook.

    Parameters
    ----------
    store : str
        Address of the MLflow store.
    run_ids : str
        Parent runs of ablations, joined by commas.
    folder : str
        Where each figure is written as PDF and PNG, with a CSV file of what it shows.
    """

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.found, self.folder = load_launches(run_ids.split(",")), Path(folder)

    def about(self) -> Block:
        """Which launches the page is made of, and which parts of the paper it does not cover."""
        return cover(self.found, PARTS, [] if self._asks_both() else ["Fig. 8 (no launch of both networks is given)"])

    def scores(self, name: str) -> Block | None:
        """Scores of all variants of an ablation, beside the printed values."""
        if (launch := self.found.get(name)) is None:
            return None
        file, title, caption = _SCORES[name]
        missing = remarks("Missing here:", launch.missing)
        if launch.table.empty:
            return heading(title) + missing
        ablation, table = launch.ablation, launch.table
        if ablation.axis:
            hue = next(varied for varied in ablation.varied if varied != ablation.axis)
            figure = figures.score_curve(table, ablation.axis, hue, "", launch.printed)
        else:
            figure = figures.score_rows(table, list(ablation.varied), ablation.control, "", launch.printed)
        data = score_frame(launch, ablation.variants())
        stars = " Printed values stand beside the legacy score only." if data[PRINTED].notna().to_numpy().any() else ""
        caption = f"{caption} Bars: {ABOUT_INTERVALS}.{stars} {launch.measured_on()}"
        return heading(title) + figure_block(self.folder, file, figure, caption, data) + missing

    def pictures(self, name: str, file: str) -> Block | None:
        """Embeddings of the same test images by some variants."""
        if (launch := self.found.get(name)) is None:
            return None
        return embeddings(launch, file, *_PICTURES[file], self.folder)

    def _both(self) -> tuple[LaunchResults, dict[str, list[Result]]] | None:
        """The first launch that has the U-Net and the W-Net in its control's settings, and their results."""
        for launch in self.found.values():
            own = {network: launch.of(control_of(launch, network)) for network in NETWORKS}
            if all(own.values()):
                return launch, own
        return None

    def _asks_both(self) -> bool:
        return any(control_of(launch, network="unet") for launch in self.found.values())

    def figure_8(self) -> Block | None:
        """Labels of the U-Net and the W-Net beside the truth."""
        if not self._asks_both():
            return None
        title = "Fig. 8: labels of both networks"
        if (both := self._both()) is None:
            return heading(title) + paragraph(
                "Missing: no launch has finished runs of both networks in its control's settings.", "soft"
            )
        launch, own = both
        shown = {_label(network): results[0] for network, results in own.items()}
        if not (strips := strips_of(shown)):
            return heading(title) + paragraph(NO_PICTURES, "soft")
        figure = figures.prediction_figure(strips)
        parts = [shown_images(result, launch.run_of(result)) for result in shown.values()]
        data = pd.concat(parts, ignore_index=True)
        images, seed = ", ".join(image for image, _ in strips), own["wnet"][0].seed
        caption = (
            f"Fig. 8. Test images {images}; seed {seed}, ablation {launch.ablation.name}. "
            f"Over all test images and seeds: {'; '.join(_means(network, own[network]) for network in NETWORKS)}. "
            f"{launch.measured_on()}"
        )
        return heading(title) + figure_block(self.folder, "figure_8", figure, caption, data)

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
        found = interval(np.stack([result.table[column].to_numpy(float) for result in results]))
        row = {"network": network, "label": _label(network), "iou": int(column.removeprefix("ap_")) / 100}
        rows.append(row | {"ap": found.mean, "low": found.low, "high": found.high})
    return pd.DataFrame(rows)
