"""Tables 1 and 2 of Chen et al. 2019 and curves beside them, from a launch of the ablation `neighbour_distance`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import Any

import pandas as pd

from reports.blocks.angles import angle_figure
from reports.blocks.competitors import competitors_of, in_words
from reports.blocks.one_launch import OneLaunch
from reports.blocks.page import Block, Column, figure_block, heading, number, table_block
from reports.blocks.printed import LEAVES, read_printed
from reports.blocks.results import figure_table, result_frame
from reports.blocks.tables import ABOUT_DIFFERENCES, ABOUT_THRESHOLDS, difference_columns, score_column
from study import figures
from study.ablation.statistics import ABOUT_INTERVALS
from study.metrics import described, score_of

SHOWS = ("neighbour_distance",)  # ablations
DIMENSIONS, DISTANCE = "network.embedding_dim", "loss.neighbour_distance"
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

    def __init__(self, store: str, run_ids: str, folder: str):
        super().__init__(store, run_ids, folder)
        self.competitors, unread = competitors_of(self.launch)
        self.missing += unread
        self.on_leaves = self.launch.dataset in LEAVES

    def table_1(self) -> Block:
        """Average precision by overlap."""
        frame = self._beside_printed("chen_table1", PRECISIONS, not self.on_leaves)
        frame.to_csv(self.folder / "table_1.csv", index=False)
        columns = _labels(frame)
        for name in PRECISIONS:
            cells = [number(value) for value in frame[name]]
            if not self.on_leaves:
                printed = [f'<br><span class="interval">{number(value)}</span>' for value in frame[f"printed_{name}"]]
                cells = [ours + below for ours, below in zip(cells, printed, strict=True)]
            title = "mean" if name == "map" else f".{name.removeprefix('ap_')}"
            columns.append(Column(title, cells, "average precision by IoU"))
        words = (
            "The paper's values are left out: they are of cells, and these are leaves."
            if self.on_leaves
            else "Small print below: the paper's values, measured on its own 230 test images of BBBC006 and DSB2018, "
            "where an object counts as found above that IoU; ours are on other images, and from that IoU on."
        )
        return self._table("Table 1: average precision", f"Table 1. Average precision. {words}", columns, frame)

    def table_2(self) -> Block:
        """Symmetric best Dice, foreground, and number of objects."""
        frame = self._beside_printed("chen_table2", COUNTS, self.on_leaves)
        frame.to_csv(self.folder / "table_2.csv", index=False)
        columns, tuned = _labels(frame), frame["sbd_paper_thresholds"].notna().to_numpy().any()
        columns.append(score_column(frame, "sbd", "ours", intervals=True))
        if tuned:
            columns.append(score_column(frame, "sbd_paper_thresholds", "ours"))
        columns += difference_columns(frame, "ours")
        columns += [score_column(frame, name, "ours") for name in COUNTS[1:]]
        if self.on_leaves:
            columns += [score_column(frame, name, "printed", prefix="printed_") for name in COUNTS]
        words = (
            "Printed: on 162 images of CVPPP2017 A1-4, drawn at random, and without the true foreground; SBD is the "
            "smaller best Dice there too. Two printed values of FBD, 0.334 and 0.350, do not fit their SBD; they stand "
            "as in the paper."
            if self.on_leaves
            else "The paper's values are left out: they are of leaves, and this data set is not."
        )
        caption = (
            f"Table 2. {described(map(score_of, COUNTS))}. "
            f"{ABOUT_DIFFERENCES}{ABOUT_THRESHOLDS if tuned else ''} {words}"
        )
        return self._table("Table 2: SBD and number of objects", caption, columns, frame)

    def _table(self, title: str, caption: str, columns: list[Column], frame: pd.DataFrame) -> Block:
        if any(frame["missing"]):
            columns.append(Column("missing", [escape(words) for words in frame["missing"]], numeric=False))
        control = [i for i, row in enumerate(frame.to_dict("records")) if self._is_control(row)]
        caption = f"{caption} {_ROWS} Shaded: the control. Ours: {self._measured_on()}"
        return heading(title) + table_block(columns, caption, control)

    def _is_control(self, row: dict[str, Any]) -> bool:
        return self.launch.ablation.control.items() <= row.items()

    def _measured_on(self) -> str:
        return self.launch.measured_on() + in_words(self.competitors)

    @cached_property
    def _found(self) -> pd.DataFrame:
        return result_frame(self.launch, self.competitors, (*PRECISIONS, *COUNTS[1:]))

    def _beside_printed(self, file: str, scores: Sequence[str], shown: bool) -> pd.DataFrame:
        """Ours in the order of the paper, the printed values beside them where they are `shown`.

        Returns
        -------
        DataFrame
            `method`, `network.embedding_dim`, `loss.neighbour_distance`; the scores, those of SBD with interval and
            difference to the control; `printed_{score}`; `missing`.
        """
        method = ["U-Net" if "system" in variant else "E-LC" for variant in self.launch.ablation.variants()]
        method += [competitor.name for competitor in self.competitors]
        further = [name for name in self._found if str(name).startswith("sbd_") and "legacy" not in str(name)]
        columns = [DIMENSIONS, DISTANCE, *scores, *(further if "sbd" in scores else ()), "missing"]
        ours = self._found[columns].assign(key=_keys(self._found.assign(method=method)))
        ours.insert(0, "method", method)
        printed = read_printed(file)
        printed["key"] = _keys(printed)
        order = {key: place for place, key in enumerate(printed["key"])}
        after = printed[DIMENSIONS].isna().sum() - 0.5  # of other software, that of which nothing is printed
        if shown:
            names = {name: f"printed_{name}" for name in ("method", *scores)}
            ours = ours.merge(printed.rename(columns=names)[["key", *names.values()]], "outer", "key")
            ours["method"] = ours["method"].fillna(ours.pop("printed_method"))
        places = ours.pop("key").map(order).fillna(after)
        frame = ours.iloc[places.argsort(kind="stable")].reset_index(drop=True)
        return frame.assign(missing=frame.pop("missing").fillna(""))

    def scores(self) -> Block | None:
        """Scores by the distance of neighbours, a line per dimension."""
        table = figure_table(self.launch, self.competitors)
        if table.empty:
            return None
        figure = figures.score_curve(table, DISTANCE, DIMENSIONS, "")
        caption = (
            f"Scores by the distance d within which objects are neighbours. Bars: {ABOUT_INTERVALS}. "
            f"Dashed: methods without neighbours. {self._measured_on()}"
        )
        return heading("Scores by distance") + figure_block(self.folder, "scores", figure, caption, table)

    def angles(self) -> Block:
        """Angle between neighbours over the training, a line per distance and dimension."""
        return angle_figure(self.launch, DISTANCE, DIMENSIONS, self.folder)


def _keys(frame: pd.DataFrame) -> list[str]:
    """What tells rows apart, ours and the paper's: the method however it is spelled, dimensions and distance."""
    columns = zip(frame["method"], frame[DIMENSIONS], frame[DISTANCE], strict=True)
    return [f"{_SPELLED.sub('', method).lower()} {dims:g} {distance:g}" for method, dims, distance in columns]


def _labels(frame: pd.DataFrame) -> list[Column]:
    """The columns that name the rows."""
    columns = [Column("method", [escape(name) for name in frame["method"]], numeric=False)]
    for title, name in (("dim.", DIMENSIONS), ("d, px", DISTANCE)):
        columns.append(Column(title, [f"{value:g}" if pd.notna(value) else "" for value in frame[name]]))
    return columns
