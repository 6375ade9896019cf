"""All about one run: settings, curves, scores, worst and best images, the search of its thresholds."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from reports.blocks.launches import day
from reports.blocks.page import (
    Block,
    Column,
    figure_block,
    heading,
    number,
    paragraph,
    picture_block,
    remarks,
    table_block,
    with_interval,
)
from reports.blocks.tables import ABOUT_THRESHOLDS, LEGACY, TRUE
from study import figures, tracking
from study.ablation.statistics import interval
from study.errors import StudyError
from study.runs.job import intervals_over
from study.settings import Settings
from study.tracking import Scores

SHOWN_SCORES = {  # column of a table of scores -> title, group; a legacy score never stands in a column with a true one
    "sbd": ("SBD", TRUE),
    "sbd_paper_thresholds": ("SBD, paper's thresholds", TRUE),
    "sbd_legacy": ("legacy SBD", LEGACY),
    "sbd_legacy_paper_thresholds": ("legacy SBD, paper's thresholds", LEGACY),
    "map": ("mAP", "other scores"),
    "fbd": ("foreground Dice", "other scores"),
    "abs_dic": ("|DiC|", "other scores"),
    "neighbour_angle": ("angle between neighbours, °", "other scores"),
}
FORMS = {"abs_dic": ".2f", "neighbour_angle": ".1f"}  # others are shares, with three digits
_SEARCH = {
    "history.png": "The search, trial by trial.",
    "slices.png": "Score by each setting.",
    "contour.png": "Score by two settings.",
}


class RunCard:
    """The card of a run on images, for one notebook.

    Parameters
    ----------
    store : str
        Address of the MLflow store.
    run_ids : str
        The run.
    folder : str
        Where figures and tables are written.
    """

    paper = Settings().flat()

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.run, self.folder = tracking.stored_run(run_ids), Path(folder)
        self.split = self.run.tags.get("split", "test")
        self.no_scores = ""
        self.kept = tracking.stored_settings(run_ids)

    @cached_property
    def found(self) -> Scores | None:
        """Scores per image and pictures; None where there are none, with the reason in `no_scores`."""
        try:
            found = tracking.stored_scores(self.run.run_id, self.split)
        except StudyError as error:
            self.no_scores = str(error)
            return None
        if found.table.empty:
            self.no_scores = f"there is no {self.split} image"
            return None
        return found

    def about(self) -> Block:
        """What the run is and how it ended."""
        run = self.run
        facts = {
            "run": f"<code>{run.run_id}</code>",
            "state": run.state,
            "data set": escape(run.tags.get("dataset", "unknown")),
            "started (UTC)": day(run.started),
            "training, s": number(run.metrics.get("perf/training_seconds", np.nan), ".1f"),
        }
        columns = [Column(title, [cell], numeric=False) for title, cell in facts.items()]
        block = heading(run.name) + paragraph(run.note.replace("**", "")) + table_block(columns, "The run.")
        told = [
            f"{name}: {run.tags[name]}" for name in ("reused_from", "network_from", "warning") if run.tags.get(name)
        ]
        block += paragraph("; ".join(told), "soft") if told else Block("")
        return block + remarks("This run has not finished:", [] if run.state == "FINISHED" else [run.status_text()])

    def settings(self) -> Block:
        """Settings that are not the paper's."""
        title = heading("Settings that differ from the paper's")
        if not self.kept:
            return title + paragraph("Missing: the run keeps no settings.json.", "soft")
        paper = self.paper
        names = [name for name, value in self.kept.items() if name in paper and value != paper[name]]
        names = [name for name in names if name != "data.root"]
        frame = pd.DataFrame({"setting": names, "value": [self.kept[name] for name in names]})
        frame.assign(paper=[paper[name] for name in names]).to_csv(self.folder / "settings.csv", index=False)
        columns = [
            Column("setting", [f"<code>{name}</code>" for name in names], numeric=False),
            Column("this run", [escape(str(self.kept[name])) for name in names]),
            Column("paper", [escape(str(paper[name])) for name in names]),
        ]
        return title + (table_block(columns, "All other settings are the paper's.") if names else paragraph("None."))

    def curves(self) -> Block:
        """Losses and validation scores over the training."""
        title, shown = heading("Training"), tracking.training_of(self.run)
        holder, names = shown.run_id, sorted(shown.metrics)
        source = f" The training is that of run {holder}." if holder != self.run.run_id else ""
        losses = {n: tracking.metric_curve(holder, n) for n in names if n.startswith("train/loss")}
        scores = {n: tracking.metric_curve(holder, n) for n in ("val/sbd", "val/map") if n in names}
        if not losses:
            return title + paragraph("Missing: the run has logged no training loss.", "soft")
        data = pd.concat([curve.assign(metric=name) for name, curve in (losses | scores).items()], ignore_index=True)
        figure = figures.training_figure(losses, scores)
        caption = f"Training losses{', and scores of validation images' if scores else ''}.{source}"
        return title + figure_block(self.folder, "curves", figure, caption, data)

    def scores(self) -> Block:
        """Means with intervals, and how SBD is spread over the images."""
        title = heading("Scores")
        if self.found is None:
            return title + remarks("Missing here:", [self.no_scores])
        table = self.found.table
        table.to_csv(self.folder / "scores_per_image.csv", index=False)
        columns = [Column("", ["mean", "lowest", "highest"], numeric=False)]
        means = {}
        for name, (label, group) in SHOWN_SCORES.items():
            if name in table:
                values, form = table[name].astype(float), FORMS.get(name, ".3f")
                found = interval(values.to_numpy()[None])
                means |= {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}
                extremes = [number(value, form) for value in values.agg(["min", "max"]).tolist()]
                columns.append(
                    Column(label, [with_interval(found.mean, found.low, found.high, form), *extremes], group)
                )
        pd.DataFrame([means]).to_csv(self.folder / "scores.csv", index=False)
        caption = f"{len(table)} {self.split} images; small print: {intervals_over(1)}."
        caption += ABOUT_THRESHOLDS if "sbd_paper_thresholds" in table else ""
        figure = figures.spread_figure(table["sbd"].tolist(), "SBD")
        block = figure_block(self.folder, "spread", figure, "SBD of each image.", table.filter(["image", "sbd"]))
        return title + table_block(columns, caption) + block

    def images(self, shown: int) -> Block:
        """The `shown` worst and best images by SBD, with their pictures where the run keeps them."""
        title = heading("Worst and best images")
        if self.found is None:
            return title + remarks("Missing here:", [self.no_scores])
        ranked = self.found.table.sort_values("sbd", kind="stable", ignore_index=True)
        worst = ranked.head(min(shown, -(-len(ranked) // 2)))
        best = ranked.iloc[max(len(worst), len(ranked) - shown) :][::-1]
        chosen = pd.concat([worst.assign(rank="worst"), best.assign(rank="best")], ignore_index=True)
        chosen[["rank", "image", "sbd", "n_true", "n_pred"]].to_csv(self.folder / "images.csv", index=False)
        columns = [
            Column("", list(chosen["rank"]), numeric=False),
            Column("image", [escape(name) for name in chosen["image"]], numeric=False),
            Column("SBD", [number(value) for value in chosen["sbd"]]),
            Column("objects", [number(value, ".0f") for value in chosen["n_true"]]),
            Column("found", [number(value, ".0f") for value in chosen["n_pred"]]),
        ]
        block = title + table_block(columns, f"Of {len(ranked)} images.")
        strips = dict(zip(self.found.table["image"], self.found.pictures, strict=False))
        rows = [
            (f"{row['rank']}: {row['image']}, SBD {row['sbd']:.3f}", strips[row["image"]])
            for row in chosen.to_dict("records")
            if row["image"] in strips
        ]
        if rows:
            pictured = chosen.filter(["rank", "image", "sbd"]).query("image in @strips")
            caption = "Those of them that the run keeps pictures of."
            block += figure_block(self.folder, "images", figures.strip_figure(rows), caption, pictured)
        absent = [name for name in chosen["image"] if name not in strips]
        words = f"No pictures of {', '.join(absent)}: a run keeps those of its first {len(strips)} images."
        return block + (paragraph(words, "soft") if absent else Block(""))

    def search(self) -> Block | None:
        """What the search of thresholds has found; nothing where there was none."""
        files = {file.rpartition("/")[2]: file for file in tracking.files_in(self.run.run_id, "search")}
        tuned = tracking.tuned_settings(self.run.tags)
        if not files and not tuned:
            return None
        columns = [
            Column("setting", [f"<code>{escape(name)}</code>" for name in tuned], numeric=False),
            Column("paper", [escape(str(self.paper.get(name, ""))) for name in tuned]),
            Column("tuned", [escape(value) for value in tuned.values()]),
        ]
        block = heading("Search of thresholds")
        if tuned:
            block += table_block(columns, "Thresholds, searched on validation images.")
        for name, caption in _SEARCH.items():
            if name in files:
                block += picture_block(tracking.stored_picture(self.run.run_id, files[name]), caption)
        absent = [name for name in _SEARCH if name not in files]
        return block + (paragraph(f"Not kept: {', '.join(absent)}.", "soft") if absent else Block(""))
