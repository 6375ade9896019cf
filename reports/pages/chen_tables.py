"""Tables 1 and 2, Fig. 3 and 4 of Chen et al. 2019 and curves, from a launch of the ablation `neighbour_distance`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

import pandas as pd

from reports.blocks.chen_pictures import inconsistent_figure, labels_figure, methods, own_run
from reports.blocks.launch_page import BARS, OneLaunch
from reports.blocks.page import Block, Column, heading, missing_columns, number, table_block, text_column
from reports.blocks.pictures import angle_figure
from reports.blocks.printed import about_printed, add_printed, printed_columns, printed_key, read_printed
from reports.blocks.results import ABOUT_DIFFERENCES, ABOUT_THRESHOLDS, difference_columns, result_frame, score_column
from study.ablation.printed import marked
from study.metrics import described, score_of

SHOWS = ("neighbour_distance",)  # ablations
DIMENSIONS, DISTANCE = "network.embedding_dim", "loss.neighbour_distance"
LEAVES = ("cvppp2017", "synthetic-leaves")  # data sets, whose labels Fig. 3 colours one by one
BASELINE = "three-class"  # system
PRECISIONS = (*(f"ap_{percent}" for percent in range(50, 95, 5)), "map")  # of Table 1
COUNTS = ("sbd", "fbd", "dic", "abs_dic")  # of Table 2
_SPELLED = re.compile(r"[-\s]")  # with or without: Mask R-CNN, Mask-RCNN
_ROWS = (
    "U-Net: of three classes; E-LC: embedding learned with local constraints, by dimensions and the distance d within "
    "which objects are neighbours. Means over all images and seeds. Dashes: not printed, or no such labels imported."
)


class ChenTables(OneLaunch):
    """The tables."""

    ABLATION = SHOWS[0]
    IMPORTED = True
    ABSENT = ("Fig. 1 (the page sphere of ablate_sphere)", "Fig. 2 (a drawing of the method)")

    def table_1(self) -> Block:
        """Average precision by overlap."""
        frame = self._with_printed("chen_table1", PRECISIONS)
        columns = _labels(frame)
        for name in PRECISIONS:
            title = "mean" if name == "map" else f".{name.removeprefix('ap_')}"
            columns.append(Column(title, [number(value) for value in frame[name]], "average precision by IoU"))
        caption = (
            "Table 1. Average precision. In the paper an object counts as found above that IoU, here from that IoU on."
        )
        return self._table("Table 1: average precision", caption, [*columns, *printed_columns(frame)], frame)

    def table_2(self) -> Block:
        """Symmetric best Dice, foreground, and number of objects."""
        frame = self._with_printed("chen_table2", COUNTS)
        columns, tuned = _labels(frame), frame["sbd_paper_thresholds"].notna().to_numpy().any()
        columns.append(score_column(frame, "sbd", "ours", intervals=True))
        if tuned:
            columns.append(score_column(frame, "sbd_paper_thresholds", "ours"))
        columns += difference_columns(frame, "ours")
        columns += [score_column(frame, name, "ours") for name in COUNTS[1:]]
        caption = (
            f"Table 2. {described(map(score_of, COUNTS))}. {ABOUT_DIFFERENCES}{ABOUT_THRESHOLDS if tuned else ''} Two "
            "printed values of FBD, 0.334 and 0.350, do not fit their SBD; they stand as in the paper."
        )
        columns += printed_columns(frame)
        return self._table("Table 2: SBD and number of objects", caption, columns, frame)

    def _table(self, title: str, caption: str, columns: list[Column], frame: pd.DataFrame) -> Block:
        frame.to_csv(self.folder / f"{title[:7].lower().replace(' ', '_')}.csv", index=False)
        wanted = self.launch.ablation.control.items()
        control = [i for i, row in enumerate(frame.to_dict("records")) if wanted <= row.items()]
        caption = f"{caption}{about_printed(frame)} {_ROWS} Shaded: the control. Ours: {self.measured_on()}"
        return heading(title) + table_block([*columns, *missing_columns(frame)], caption, control)

    @cached_property
    def _results(self) -> pd.DataFrame:
        return result_frame(self.launch, self.competitors, (*PRECISIONS, *COUNTS[1:]))

    def _with_printed(self, file: str, scores: Sequence[str]) -> pd.DataFrame:
        """Ours in the order of the paper, with the printed values.

        The columns are `method`, `network.embedding_dim`, `loss.neighbour_distance`; the scores, those of SBD with
        interval and difference to the control; `missing`; those of `reports.blocks.printed.add_printed`.
        """
        method = ["U-Net" if "system" in variant else "E-LC" for variant in self.launch.ablation.variants()]
        method += [competitor.name for competitor in self.competitors]
        further = [name for name in self._results if str(name).startswith("sbd_") and "legacy" not in str(name)]
        columns = [DIMENSIONS, DISTANCE, *scores, *(further if "sbd" in scores else ()), "missing"]
        ours = self._results[columns].assign(key=_keys(self._results.assign(method=method)))
        ours.insert(0, "method", method)
        printed = marked(read_printed(file), self.launch.dataset, self.launch.tested)
        keys = _keys(printed)
        partners = dict(zip(keys, printed.to_dict("records"), strict=True))
        alone = printed.assign(key=keys).loc[[key not in set(ours["key"]) for key in keys]]
        ours = pd.concat([ours, alone[["method", "key"]].assign(missing="")], ignore_index=True)
        # other software of which nothing is printed stands below that of which something is
        after = sum(not row[DIMENSIONS] for row in partners.values()) - 0.5
        places = pd.Series([keys.index(key) if key in partners else after for key in ours["key"]])
        ours = ours.iloc[places.argsort(kind="stable")].reset_index(drop=True)
        of_rows = [[partners[key]] if key in partners else [] for key in ours.pop("key")]
        return add_printed(ours, of_rows, printed.to_dict("records"), scores)

    def scores(self) -> Block | None:
        """Scores by the distance of neighbours, a line per dimension."""
        caption = (
            f"Scores by the distance d within which objects are neighbours. {BARS} "
            f"Dashed: methods without neighbours. {self.measured_on()}"
        )
        return self.score_block("scores", "Scores by distance", caption)

    def angles(self) -> Block:
        """Angle between neighbours over the training, a line per distance and dimension."""
        return angle_figure(self.launch, DISTANCE, DIMENSIONS, self.folder)

    def figure_3(self) -> Block:
        """Labels of all methods side by side."""
        runs = methods(self.launch, BASELINE, self.competitors)
        return labels_figure(runs, self.launch.dataset in LEAVES, self.launch.data_and_budget, self.folder)

    def figure_4(self) -> Block:
        """Embeddings that are not consistent within an object."""
        return inconsistent_figure(own_run(self.launch), self.launch.data_and_budget, self.folder)


def _keys(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """What tells rows apart, ours and the paper's: the method however it is spelled, dimensions and distance."""
    names = ("method", DIMENSIONS, DISTANCE)
    rows = [row | {"method": _SPELLED.sub("", row["method"]).lower()} for row in frame.to_dict("records")]
    return [printed_key(row, names) for row in rows]


def _labels(frame: pd.DataFrame) -> list[Column]:
    """The columns that name the rows."""
    columns = [text_column("method", frame["method"])]
    for title, name in (("dim.", DIMENSIONS), ("d, px", DISTANCE)):
        columns.append(Column(title, [f"{value:g}" if pd.notna(value) else "" for value in frame[name]]))
    return columns
