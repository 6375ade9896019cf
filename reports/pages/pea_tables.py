"""Tables 1 to 3 and 5 to 7 of Huang et al. 2022, and the values of its Fig. 6, from launches of ablations."""

from __future__ import annotations

from reports.blocks.launch_page import BARS, LaunchPage, LaunchScores
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, remarks
from reports.blocks.printed import ABOUT_LEGACY
from study.ablation.printed import A1, A2, BBBC039, same_test_set

PARTS = {  # ablation -> the part of the paper; its printed values are in a file of that name
    "pea_backbones": "Table 1",
    "pea": "Table 2",
    "pea_modules": "Table 5",
    "pea_views": "Table 6",
    "pea_embedding_dim": "Fig. 6a",
    "pea_ranges": "Fig. 6b",
    "pea_adaptive": "Table 7",
}
NUCLEI = ("bbbc039", "bbbc006", "dsb2018", "synthetic-cells")  # data sets of which a launch of `pea` redoes Table 3
SHOWS = tuple(PARTS)  # ablations
_LEAF_SCORES = ("sbd", "abs_dic")
_PRINTED = {  # part -> scores that it prints, where they are not those of the others
    "Table 1": ("sbd_legacy", "abs_dic", "parameters"),
    "Table 3": ("aji", "fbd", "pq"),
}
_ABOUT = {  # part -> what a reader must know of ours
    "Table 1": " Neither ResNet is pretrained here, which the paper leaves open, and their decoder is ours.",
}
_FURTHER = ("aji", "pq")
_OF_PEA = {  # test set -> what a launch of `pea` on it redoes, and how it is started
    A1: ("Table 2 on A1", "dataset=cvppp2017"),
    A2: ("Table 2 on A2", "dataset=cvppp2017, set=data.test_subsets=A2"),
    BBBC039: ("Table 3", "dataset=bbbc039"),
}


def printed_file(part: str) -> str:
    """The file of the printed values of a part of the paper: `pea_table2`, `pea_fig6a`."""
    return "pea_" + part.lower().replace(".", "").replace(" ", "")


def part_of(launch: LaunchResults) -> str:
    """The part of the paper that a launch redoes: of nuclei, `pea` is Table 3."""
    name = launch.ablation.name
    return "Table 3" if name == "pea" and launch.dataset in NUCLEI else PARTS[name]


class PeaTables(LaunchPage):
    """The tables."""

    PARTS = PARTS
    TRAINED_ON = (
        "The paper trains on all but 20 of the 128 plants of A1, also where it tests on A2; here some of these are "
        "kept apart for thresholds. On nuclei it trains on the 100 listed images of BBBC039."
    )

    def further_absent(self) -> list[str]:
        launch = self.launches.get("pea")
        absent = [
            f"scores of ours for {part} (no launch of pea is tested on {test_set}, as with {options})"
            for test_set, (part, options) in _OF_PEA.items()
            if launch is None or not same_test_set(test_set, launch.dataset, launch.tested)
        ]
        return [*absent, "Table 4 (the page em_tables)", "Fig. 1 to 5 (the page pea_figures)"]

    def part(self, name: str) -> Block | None:
        """Table and figure of an ablation, next to the printed values; nothing without a launch of it."""
        if (launch := self.launches.get(name)) is None:
            return None
        part, scores = part_of(launch), LaunchScores(launch, self.folder, imported=name == "pea")
        printed = _PRINTED.get(part, _LEAF_SCORES)
        legacy = " " + ABOUT_LEGACY.strip() if "sbd_legacy" in printed else ""
        table = scores.result_block(
            name,
            f"{part}: {launch.ablation.question}",
            f"{part}. {launch.ablation.question}{legacy} Ours: {launch.measured_on()}{_ABOUT.get(part, '')}",
            "variant",
            means=("dic", *_FURTHER),
            shown=(*_FURTHER, "training_seconds", *printed),
            printed=(printed_file(part), printed),
        )
        figure = scores.score_block(f"{name}_scores", "", f"{part} as a figure. {BARS}") or Block("")
        return table + remarks("Missing here:", scores.missing) + figure
