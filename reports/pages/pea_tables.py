"""Tables 2, 5, 6 and 7 of Huang et al. 2022, and the values of its Fig. 6, from launches of ablations."""

from __future__ import annotations

from reports.blocks.launch_page import BARS, LaunchPage, LaunchScores
from reports.blocks.page import Block, remarks
from reports.blocks.printed import LEAVES

PARTS = {  # ablation -> the part of the paper; its printed values are in a file of that name
    "pea": "Table 2",
    "pea_modules": "Table 5",
    "pea_views": "Table 6",
    "pea_embedding_dim": "Fig. 6a",
    "pea_ranges": "Fig. 6b",
    "pea_adaptive": "Table 7",
}
SHOWS = tuple(PARTS)  # ablations
PRINTED = ("sbd", "abs_dic")
_FURTHER = ("aji", "pq")


def printed_file(part: str) -> str:
    """The file of the printed values of a part of the paper: `pea_table2`, `pea_fig6a`."""
    return "pea_" + part.lower().replace(".", "").replace(" ", "")


class PeaTables(LaunchPage):
    """The tables."""

    PARTS = PARTS

    def part(self, name: str) -> Block | None:
        """Table and figure of an ablation, next to the printed values; nothing without a launch of it."""
        if (launch := self.launches.get(name)) is None:
            return None
        part, scores = self.PARTS[name], LaunchScores(launch, self.folder, imported=name == "pea")
        title = f"{part}: {launch.ablation.question}"
        table = scores.result_block(
            name,
            title,
            f"{part}. {launch.ablation.question} Ours: {launch.measured_on()}",
            "variant",
            means=("dic", *_FURTHER),
            shown=(*_FURTHER, "training_seconds"),
            printed=(printed_file(part), PRINTED, LEAVES),
        )
        figure = scores.score_block(f"{name}_scores", "", f"{part} as a figure. {BARS}") or Block("")
        return table + remarks("Missing here:", scores.missing) + figure
