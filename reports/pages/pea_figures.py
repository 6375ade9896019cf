"""Fig. 1 to 5 of Huang et al. 2022 from launches of ablations; its Fig. 6 is on the page of its tables."""

from __future__ import annotations

from typing import Any

import pandas as pd

from reports.blocks.affinities import WITHOUT, Pictured, mean_affinities, of_systems, pictured
from reports.blocks.launch_page import LaunchPage
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, figure_block, heading, paragraph, remarks
from reports.blocks.pictures import NO_PICTURES, first_with_pictures, side_by_side
from study import figures
from study.figures.names import variant_label

PARTS = {  # ablation -> what it redoes here
    "pea": "Fig. 1 and 3",
    "pea_modules": "Fig. 5",
    "em": "Fig. 4",
}
SHOWS = tuple(PARTS)  # ablations
_SYSTEMS = ("affinity-learning", "ml-de", "pea")  # in the order of Fig. 1
_LABELS = {  # ablation -> name of the files, title, what the paper shows
    "pea": (
        "figure_3",
        "Fig. 3: labels of all systems",
        "The paper shows nuclei of BBBC039, and its own method alone.",
    ),
    "em": ("figure_4", "Fig. 4: neurons in planes of a volume", "The paper shows ten neurons of AC3/AC4 in space."),
    "pea_modules": ("figure_5", "Fig. 5: labels with and without modules", "The paper shows leaves of CVPPP A1."),
}
_AFFINITY = (
    "Affinities are drawn from black, 0 or less, to white, 1: at each pixel the least of those to the pixels that far "
    "above and to its left; grey where the image has neither."
)
_MEANS = (
    "Mean affinity of pairs of pixels in one object, which is to be 1, and of two, which is to be 0 (the background is "
    "an object),"
)
_COLOURS = "A colour of an embedding stands for a direction, the same in all pictures."


class PeaFigures(LaunchPage):
    """The figures."""

    PARTS = PARTS

    def further_absent(self) -> list[str]:
        absent = [] if self._of_images() else ["views and pyramid of Fig. 2 (no launch of pea or pea_modules is given)"]
        return [*absent, "Fig. 6 (the page pea_tables)"]

    def _of_images(self) -> LaunchResults | None:
        """The first launch whose control has learned from views and pyramid."""
        return next((self.launches[name] for name in ("pea", "pea_modules") if name in self.launches), None)

    def figure_1(self) -> Block | None:
        """Embedding, labels and affinities of the three systems below the truth, on one test image."""
        if (launch := self.launches.get("pea")) is None:
            return None
        title, shown = heading("Fig. 1: embedding, labels and affinities"), of_systems(launch, _SYSTEMS)
        if not shown:
            return title + paragraph(f"Missing: {WITHOUT}.", "soft")
        ranges = shown[-1].titles("column")[1:]
        rows = [_row_of_truth(shown[-1]), *(_row_of_system(one, ranges) for one in shown)]
        figure = figures.tile_figure(["image or embedding", "labels", *ranges], rows)
        absent = [s for s in _SYSTEMS if not any(one.result.variant.get("system") == s for one in shown)]
        data = pd.concat([one.table for one in shown], ignore_index=True)
        caption = (
            f"Fig. 1. Test image {data['image'].iloc[0]}, seed {shown[-1].result.seed}. {_AFFINITY} Of embeddings they "
            "are cosines (Eq. 2). Affinity learning has no embedding: the features before its last layer, less their "
            "mean, stand for it (the paper takes such features, and does not say how they become colours). "
            f"{_COLOURS} {launch.measured_on()}"
        )
        block = title + figure_block(self.folder, "figure_1", figure, caption, data)
        means = mean_affinities([(one.label, one.row(1)) for one in shown], f"{_MEANS} in the image of Fig. 1.")
        return block + means + remarks("Missing here:", [f"{system}: {WITHOUT}" for system in absent])

    def views(self) -> Block | None:
        """Two views of an image, and what comes back."""
        caption = (
            "Fig. 2, the cross correlation. One image, a second view of it, and that view brought back to its pixels; "
            "below, their embeddings, and affinities within the image, within the view, and between the two (Eq. 4). "
            "The view is drawn from a seed, which was chosen for one that is turned by a quarter. How much brightness, "
            "contrast and gamma change, and size and number of the holes, are our choice: the paper gives no amounts, "
            "and has no gamma."
        )
        return self._grid("views", "Fig. 2: two views of an image", caption, "figure_2_views")

    def pyramid(self) -> Block | None:
        """Labels, embedding and affinities at each scale."""
        caption = (
            "Fig. 2, the embedding pyramid: the labels at each scale, the embedding of its head, and the affinities to "
            "the next pixels at that scale, all enlarged."
        )
        return self._grid("pyramid", "Fig. 2: embedding pyramid", caption, "figure_2_pyramid")

    def _grid(self, name: str, title: str, caption: str, file: str) -> Block | None:
        """A picture that the run of a launch's control has kept."""
        if (launch := self._of_images()) is None:
            return None
        if (shown := pictured(launch, launch.ablation.control, name)) is None:
            return heading(title) + paragraph(f"Missing: {variant_label(launch.ablation.control)}, {WITHOUT}.", "soft")
        rows = list(zip(shown.titles("row"), shown.tiles, strict=True))
        figure = figures.tile_figure(shown.titles("column"), rows)
        words = (
            f"{caption} {_AFFINITY} {_COLOURS} {shown.label}, seed {shown.result.seed}; of test image "
            f"{shown.table['image'].iloc[0]} the largest square that the network takes. {launch.data_and_budget}"
        )
        last = len(rows) - 1
        means = mean_affinities([(rows[last][0], shown.row(last))], f"{_MEANS} in the last row of the figure.")
        return heading(title) + figure_block(self.folder, file, figure, words, shown.table) + means

    def labels(self, name: str) -> Block | None:
        """Labels of all variants of an ablation next to the truth."""
        if (launch := self.launches.get(name)) is None:
            return None
        file, title, of_paper = _LABELS[name]
        strips, data = side_by_side(
            {
                variant_label(variant): (result, launch.run_of(result))
                for variant in launch.ablation.variants()
                if (result := first_with_pictures(launch.of(variant))) is not None
            }
        )
        if not strips:
            return heading(title) + paragraph(NO_PICTURES, "soft")
        figure = figures.prediction_figure(strips)
        caption = f"{title.partition(':')[0]}. {of_paper} Here: {launch.measured_on()}"
        missing = remarks("Missing here:", launch.missing)
        return heading(title) + figure_block(self.folder, file, figure, caption, data) + missing


def _row_of_truth(shown: Pictured) -> tuple[str, list[Any]]:
    labels, *affinities = shown.tiles[0]
    return "truth", [figures.tile_of(shown.result.panels[0], "image"), labels, *affinities]


def _row_of_system(shown: Pictured, ranges: list[str]) -> tuple[str, list[Any]]:
    """Embedding, labels and the affinities of these ranges; None for those that a system does not predict."""
    embedding, *affinities = shown.tiles[1]
    own = dict(zip(shown.titles("column")[1:], affinities, strict=True))
    labels = figures.tile_of(shown.result.panels[0], "prediction")
    return shown.label, [embedding, labels, *(own.get(name) for name in ranges)]
