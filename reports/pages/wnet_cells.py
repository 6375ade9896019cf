"""Section 4.8 and Fig. 8 of Wu et al. 2020, nuclei, from a launch of the ablation `cells`."""

from __future__ import annotations

from reports.blocks.gallery import (
    ABOUT_MISTAKES,
    chosen_images,
    common_images,
    data_of,
    missing_gallery,
    mistake_figure,
    mistake_table,
    pictured,
)
from reports.blocks.launch_page import OneLaunch
from reports.blocks.page import Block, figure_block, heading
from reports.blocks.precision import precision_block
from reports.blocks.subsets import NETWORKS

SHOWS = ("cells",)  # ablations
_SCORES = ("sbd", "map")
_SHOWN = 2  # images of Fig. 8, as in the paper
_MARKED = ("merged", "missed")
_FURTHER = ("aji", "ap_50", "ap_75")
_ABOUT_PRINTED = (
    "Printed values are of 377 images of BBBC006, which the paper does not list: no launch can know that it tests on "
    "them, and on BBBC006 ours are another half of it."
)


class WnetCells(OneLaunch):
    """The table and the figure."""

    ABLATION = SHOWS[0]

    def table(self) -> Block:
        """SBD and mean average precision of both networks."""
        caption = f"Section 4.8. Both networks on nuclei. {_ABOUT_PRINTED} Ours: {self.measured_on()}"
        printed = ("wnet_text_cells", _SCORES, (self.launch.dataset,))
        title = "Section 4.8: nuclei"
        return self.result_block("cells", title, caption, "network", means=_FURTHER, shown=_FURTHER, printed=printed)

    def figure_8(self) -> Block:
        """Labels of both networks next to the truth, with what they merge and miss."""
        title = "Fig. 8: what both networks merge and miss"
        variants = [{"network.name": network} for network in NETWORKS]
        runs = pictured(self.launch, variants)
        if not (names := common_images(runs)):
            return missing_gallery(title)
        first = runs[0]
        counts = data_of([first], names).set_index("image")
        wrong = counts["merged"] + counts["missed"]
        images = chosen_images(names, _SHOWN, lambda name: (-wrong[name], first.score(name)))
        table, sums = mistake_table(runs, f"{self.launch.dataset}, seed {first.result.seed}.")
        sums.to_csv(self.folder / "mistakes.csv", index=False)
        caption = (
            f"Fig. 8. Of {len(names)} test images that the runs keep labels of, the {len(images)} in which the "
            f"{first.title} merges and misses most nuclei: {', '.join(images)}; seed {first.result.seed}. "
            f"{ABOUT_MISTAKES} {self.launch.data_and_budget}"
        )
        figure = mistake_figure(runs, images, _MARKED)
        return heading(title) + figure_block(self.folder, "figure_8", figure, caption, data_of(runs, images)) + table

    def precision(self) -> Block | None:
        """Average precision of both networks by the overlap."""
        own = {network: self.launch.of({"network.name": network}) for network in NETWORKS}
        found = {network: results for network, results in own.items() if results}
        return precision_block(self.launch, found, "figure_8_precision", self.folder) if found else None
