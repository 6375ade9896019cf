"""Tables 1, 2 and 3 of Wu et al. 2020, and the values of its Fig. 6, from launches of ablations."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from reports.blocks import subsets
from reports.blocks.launch_results import LaunchResults, load_launches
from reports.blocks.launches import cover
from reports.blocks.page import Block, Column, heading, remarks, stacked
from reports.blocks.tables import score_frame, score_table
from study import tracking
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


class WnetTables:
    """The tables, for one notebook.

    Parameters
    ----------
    store : str
        Address of the MLflow store.
    run_ids : str
        Parent runs of ablations, joined by commas.
    folder : str
        Where a CSV file per table is written.
    """

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.found, self.folder = load_launches(run_ids.split(",")), Path(folder)

    def about(self) -> Block:
        """Which launches the page is made of, and which parts of the paper it does not cover."""
        table_3 = [] if self._shows_table_3() else ["Table 3 (for runs on cvppp2017)"]
        return cover(self.found, PARTS, table_3)

    def table_1(self) -> Block | None:
        """What the first U-Net forwards."""
        if (launch := self.found.get("concat_layer")) is None:
            return None
        frame = score_frame(launch, launch.ablation.variants())
        layers = [value_label("network.concat_layer", layer) for layer in frame["network.concat_layer"]]
        caption = f"Table 1. Concatenative layer. Ours: {launch.measured_on()}"
        labels = [Column("concatenative layer", layers, numeric=False)]
        block = score_table(frame, labels, caption, launch.control_rows)
        return self._written("table_1", "Table 1: concatenative layer", frame, block, launch)

    def table_2(self) -> Block | None:
        """Constraints, dimensions and clustering."""
        there = [self.found[name] for name in ("constraints", "clustering") if name in self.found]
        if not there:
            return None
        frame = pd.concat([_rows_of_table_2(launch) for launch in there], ignore_index=True)
        frame = frame.sort_values("row", na_position="last", ignore_index=True, kind="stable")
        labels = [
            Column("row", [f"{row:.0f}" if pd.notna(row) else "" for row in frame["row"]]),
            Column("local", [_TICK[value] for value in frame["loss.constraints"]], numeric=False),
            Column("network", [value_label("network.name", v) for v in frame["network.name"]], numeric=False),
            Column("dim.", [str(value) for value in frame["network.embedding_dim"]]),
            Column("clustering", list(frame["clustering.method"]), numeric=False),
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
            self._curve_values(self.found[name], part, letter)
            for name, part, letter in (("embedding_dim", "dimensions", "a"), ("lambda", "weight λ", "b"))
            if name in self.found
        ]
        return stacked(blocks) if blocks else None

    def _curve_values(self, launch: LaunchResults, part: str, letter: str) -> Block:
        ablation = launch.ablation
        frame = score_frame(launch, ablation.variants())
        labels = [Column("network", [value_label("network.name", v) for v in frame["network.name"]], numeric=False)]
        values = [f"{v:g}" if not isinstance(v, str) else v for v in frame[ablation.axis]]
        labels.append(Column(setting_label(str(ablation.axis)), values))
        caption = (
            f"Fig. 6{letter} in numbers. The paper draws a curve, and prints few of its values in tables and text."
        )
        block = score_table(frame, labels, f"{caption} Ours: {launch.measured_on()}", launch.control_rows)
        return self._written(f"figure_6{letter}_values", f"Fig. 6{letter} in numbers: {part}", frame, block, launch)

    def table_3(self) -> Block | None:
        """Subsets of the leaf challenge."""
        if not self._shows_table_3():
            return None
        frame = subsets.subset_frame(self.found)
        chosen = subsets.subset_results(self.found).values()
        measured = " ".join(dict.fromkeys(launch.measured_on() for launch, _ in chosen)) or "none."
        return self._written("table_3", "Table 3: subsets", frame, subsets.subset_table(frame, measured))

    def _shows_table_3(self) -> bool:
        """Not where a single question on other images was asked."""
        on_leaves = any(launch.dataset == subsets.DATASET for launch in self.found.values())
        return on_leaves or "subsets" in self.found or PARTS.keys() <= self.found.keys()

    def _written(self, name: str, title: str, frame: pd.DataFrame, block: Block, *of: LaunchResults) -> Block:
        frame.to_csv(self.folder / f"{name}.csv", index=False)
        missing = list(dict.fromkeys(sentence for launch in of for sentence in launch.missing))
        return heading(title) + block + remarks("Missing here:", missing)


def _rows_of_table_2(launch: LaunchResults) -> pd.DataFrame:
    """The rows of one of the two ablations, with all settings that the table shows, and their numbers in the paper."""
    ablation = launch.ablation
    default = {
        "loss.constraints": "local",
        "network.name": "wnet",
        "network.embedding_dim": 8,
        "clustering.method": "angular",
    }
    frame = score_frame(launch, ablation.variants())
    frame["control"] = [variant == ablation.control for variant in ablation.variants()]
    if ablation.name == "constraints":
        numbers = [_ROWS.get((row["loss.constraints"], row["network.embedding_dim"])) for row in ablation.variants()]
    else:
        numbers = [_ROWS.get((row["clustering.method"], row["network.name"])) for row in ablation.variants()]
    return frame.assign(row=numbers, **{name: value for name, value in default.items() if name not in frame})


_ROWS = {  # of the paper's Table 2
    ("local", 8): 1,
    ("local", 64): 2,
    ("global", 8): 3,
    ("global", 64): 4,
    ("mutex-watershed", "unet"): 5,
    ("mutex-watershed", "wnet"): 6,
    ("mean-shift", "unet"): 7,
    ("mean-shift", "wnet"): 8,
    ("hdbscan", "unet"): 9,
    ("hdbscan", "wnet"): 10,
}
