"""Tables 2, 5, 6 and 7 of Huang et al. 2022, and the values of its Fig. 6, from launches of ablations."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import ablations
from reports.blocks.launches import cover
from reports.blocks.page import Block, Column, figure_block, heading, number, remarks
from reports.blocks.results import DIFFERENCES, figure_table, result_frame, result_table
from reports.competitors import Competitor, competitors_of
from reports.launch_results import Gathered, gather
from study import figures, tracking
from study.ablation.statistics import ABOUT_INTERVALS

PARTS = {  # ablation -> the part of the paper, file of its printed values
    "pea": ("Table 2", "pea_table2"),
    "pea_modules": ("Table 5", "pea_table5"),
    "pea_views": ("Table 6", "pea_table6"),
    "pea_embedding_dim": ("Fig. 6a", "pea_fig6a"),
    "pea_ranges": ("Fig. 6b", "pea_fig6b"),
    "pea_adaptive": ("Table 7", "pea_table7"),
}
SHOWS = tuple(PARTS)  # ablations
LEAVES = ("cvppp2017", "synthetic-leaves")
PRINTED = ("sbd", "abs_dic")
_PRINTED = Path(ablations.__file__).parent / "printed"
_SCORES = ("sbd", "sbd_paper_thresholds", *DIFFERENCES, "fbd", "abs_dic", "aji", "pq", "map", "training_seconds")


class PeaTables:
    """The tables, for one notebook.

    Parameters
    ----------
    store : str
        Address of the MLflow store.
    run_ids : str
        Parent runs of ablations, joined by commas.
    folder : str
        Where tables are written as CSV, figures as PDF and PNG.
    """

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.found, self.folder = gather(run_ids.split(",")), Path(folder)

    def about(self) -> Block:
        """Which launches the page is made of, and which parts of the paper it does not cover."""
        return cover(self.found, {name: part for name, (part, _) in PARTS.items()})

    def part(self, name: str) -> Block | None:
        """Table and figure of an ablation, beside the printed values; nothing without a launch of it."""
        if (gathered := self.found.get(name)) is None:
            return None
        part, file = PARTS[name]
        competitors, unread = competitors_of(gathered) if name == "pea" else ([], [])
        frame = with_printed(result_frame(gathered, competitors, ("dic", "aji", "pq")), gathered, file)
        frame.to_csv(self.folder / f"{name}.csv", index=False)
        labels = [Column("variant", list(frame["label"]), numeric=False)]
        caption = f"{part}. {gathered.ablation.question} Ours: {gathered.measured_on()} AJI: aggregated Jaccard index."
        if frame["printed_sbd"].notna().to_numpy().any():
            titles = {"sbd": ("SBD", ".3f"), "abs_dic": ("|DiC|", ".2f")}
            for score, (title, form) in titles.items():
                labels.append(Column(title, [number(v, form) for v in frame[f"printed_{score}"]], "printed"))
            caption += f" Printed: {frame['printed_source'].dropna().iloc[0]}."
        table = result_table(frame, labels, _SCORES, caption, gathered.control_rows)
        missing = remarks("Missing here:", [*gathered.missing, *unread])
        return heading(f"{part}: {gathered.ablation.question}") + table + missing + self._figure(gathered, competitors)

    def _figure(self, gathered: Gathered, competitors: list[Competitor]) -> Block:
        if gathered.table.empty:
            return Block("")
        ablation, table = gathered.ablation, figure_table(gathered, competitors)
        figure = figures.score_rows(table, ablation.names(), ablation.control, "")
        caption = f"{PARTS[ablation.name][0]} as a figure. Bars: {ABOUT_INTERVALS}."
        return figure_block(self.folder, f"{ablation.name}_scores", figure, caption, table)


def with_printed(frame: pd.DataFrame, gathered: Gathered, file: str) -> pd.DataFrame:
    """A `result_frame` with columns `printed_sbd`, `printed_abs_dic` and `printed_source`, NaN where none is printed.

    The paper's values are true SBDs of leaves: on other images they stay away.
    """
    rows = pd.read_csv(_PRINTED / f"{file}.csv", dtype=str, keep_default_na=False).to_dict("records")
    given = [name for name in gathered.ablation.names() if name in rows[0]]
    printed = {tuple(row[name] for name in given): row for row in rows if gathered.dataset in LEAVES}
    found = [printed.get(_key(row, given), {}) for row in frame.to_dict("records")]
    columns = {f"printed_{score}": [float(row.get(score, "nan")) for row in found] for score in PRINTED}
    return frame.assign(**columns, printed_source=[row.get("source") for row in found])


def _key(row: dict, names: list[str]) -> tuple[str, ...]:
    """The values of a row as they stand in a file of printed ones; numbers that are whole may have lost that."""
    return tuple("" if pd.isna(row[name]) else _text(row[name]) for name in names)


def _text(value: object) -> str:
    whole = isinstance(value, float) and value.is_integer() and value > 1
    return str(int(value)) if whole else str(value)  # type: ignore[arg-type]
