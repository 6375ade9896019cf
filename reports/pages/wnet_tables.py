"""Tables 1, 2 and 3 of Wu et al. 2020, and the values of its Fig. 6, from launches of ablations."""

from __future__ import annotations

from itertools import product

import pandas as pd

from reports.blocks import subsets
from reports.blocks.launch_page import LaunchPage
from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, heading, remarks, stacked, text_column
from reports.blocks.printed import score_frame, score_table
from study.figures.names import setting_label, value_label

PARTS = {  # of the paper: ablation -> what it redoes here
    "concat_layer": "Table 1",
    "constraints": "rows 1 to 4 of Table 2",
    "clustering": "rows 5 to 10 of Table 2",
    "embedding_dim": "the values of Fig. 6a",
    "lambda": "the values of Fig. 6b",
}
SHOWS = (*PARTS, "subsets")  # ablations
_TICK = {"local": "✓", "global": "–"}


class WnetTables(LaunchPage):
    """The tables."""

    PARTS, TRAINED_ON = PARTS, subsets.TRAINED_ON

    def further_absent(self) -> list[str]:
        return [] if self._shows_table_3() else ["Table 3 (for runs on cvppp2017)"]

    def table_1(self) -> Block | None:
        """What the first U-Net forwards."""
        if (launch := self.launches.get("concat_layer")) is None:
            return None
        frame = score_frame(launch)
        labels = [_labels("concatenative layer", "network.concat_layer", frame)]
        caption = f"Table 1. Concatenative layer. Ours: {launch.measured_on()}"
        block = score_table(frame, labels, caption, launch.control_rows)
        return self._written("table_1", "Table 1: concatenative layer", frame, block, launch)

    def table_2(self) -> Block | None:
        """Constraints, dimensions and clustering."""
        there = [self.launches[name] for name in ("constraints", "clustering") if name in self.launches]
        if not there:
            return None
        frame = pd.concat([_rows_of_table_2(launch) for launch in there], ignore_index=True)
        frame = frame.sort_values("row", na_position="last", ignore_index=True, kind="stable")
        labels = [
            Column("row", [f"{row:.0f}" if pd.notna(row) else "" for row in frame["row"]]),
            text_column("local", [_TICK[value] for value in frame["loss.constraints"]]),
            _labels("network", "network.name", frame),
            Column("dim.", [str(value) for value in frame["network.embedding_dim"]]),
            text_column("clustering", frame["clustering.method"]),
        ]
        caption = "Table 2. Constraints, dimensions of the embedding and clustering; rows as numbered in the paper"
        caption += " (without number: compared here, not in that table). Ours: "
        caption += " ".join(dict.fromkeys(launch.measured_on() for launch in there))
        controls = [i for i, control in enumerate(frame.pop("control")) if control]
        block = score_table(frame, labels, caption, controls)
        return self._written("table_2", "Table 2: constraints and clustering", frame, block, *there)

    def figure_6_values(self) -> Block | None:
        """The values behind both curves."""
        blocks = [
            self._curve_values(self.launches[name], part, letter)
            for name, part, letter in (("embedding_dim", "dimensions", "a"), ("lambda", "weight λ", "b"))
            if name in self.launches
        ]
        return stacked(blocks) if blocks else None

    def _curve_values(self, launch: LaunchResults, part: str, letter: str) -> Block:
        frame, axis = score_frame(launch), str(launch.ablation.axis)
        values = [f"{v:g}" if not isinstance(v, str) else v for v in frame[axis]]
        labels = [_labels("network", "network.name", frame), Column(setting_label(axis), values)]
        caption = (
            f"Fig. 6{letter} in numbers. The paper draws a curve, and prints few of its values in tables and text."
        )
        block = score_table(frame, labels, f"{caption} Ours: {launch.measured_on()}", launch.control_rows)
        return self._written(f"figure_6{letter}_values", f"Fig. 6{letter} in numbers: {part}", frame, block, launch)

    def table_3(self) -> Block | None:
        """Subsets of the leaf challenge."""
        if not self._shows_table_3():
            return None
        frame = subsets.subset_frame(self.launches)
        chosen = subsets.subset_results(self.launches).values()
        measured = " ".join(dict.fromkeys(launch.measured_on() for launch, _ in chosen))
        return self._written("table_3", "Table 3: subsets", frame, subsets.subset_table(frame, measured))

    def _shows_table_3(self) -> bool:
        """Not where a single question on other images was asked."""
        on_leaves = any(launch.dataset == subsets.DATASET for launch in self.launches.values())
        return on_leaves or "subsets" in self.launches or PARTS.keys() <= self.launches.keys()

    def _written(self, name: str, title: str, frame: pd.DataFrame, block: Block, *of: LaunchResults) -> Block:
        frame.to_csv(self.folder / f"{name}.csv", index=False)
        missing = list(dict.fromkeys(sentence for launch in of for sentence in launch.missing))
        return heading(title) + block + remarks("Missing here:", missing)


def _labels(title: str, setting: str, frame: pd.DataFrame) -> Column:
    return text_column(title, [value_label(setting, value) for value in frame[setting]])


def _rows_of_table_2(launch: LaunchResults) -> pd.DataFrame:
    """The rows of one of the two ablations, with all settings that the table shows, and their numbers in the paper."""
    variants, frame = launch.ablation.variants(), score_frame(launch)
    control = [variant == launch.ablation.control for variant in variants]
    numbers = [_ROWS.get(tuple(variant.values())) for variant in variants]
    others = {name: value for name, value in _OTHERS.items() if name not in frame}
    return frame.assign(control=control, row=numbers, **others)


_OTHERS = {  # values of settings that one of the ablations does not vary
    "loss.constraints": "local",
    "network.name": "wnet",
    "network.embedding_dim": 8,
    "clustering.method": "angular",
}
_METHODS = ("mutex-watershed", "mean-shift", "hdbscan")
_ROWS = {values: number for number, values in enumerate(  # of the paper's Table 2
    [*product(("local", "global"), (8, 64)), *product(_METHODS, ("unet", "wnet"))], start=1)}  # fmt: skip
