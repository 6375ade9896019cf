"""All about one run: settings, curves, scores, worst and best images, the search of its thresholds."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from reports.blocks.gallery import ABOUT_MISTAKES, KINDS, embedding_tile, label_tile, truth_tile
from reports.blocks.origin import origin_block
from reports.blocks.page import (
    Block,
    Column,
    day,
    figure_block,
    heading,
    number,
    paragraph,
    picture_block,
    remarks,
    stacked,
    table_block,
    text_column,
    with_interval,
)
from reports.blocks.results import ABOUT_THRESHOLDS
from study import figures, tracking
from study.ablation.statistics import interval
from study.choices import is_ours, mark
from study.errors import StudyError
from study.figures import Tile
from study.metrics import Score, described, drawn_scores, headline, kind_of, score_of, summary_scores
from study.origin import departures_in_words, origin_of
from study.paper import paper_settings
from study.runs.gallery import GalleryImage, images_of, ranked
from study.runs.job import intervals_over
from study.settings import Settings
from study.tracking import Scores

_SEARCH = {
    "history.png": "The search, trial by trial.",
    "slices.png": "Score by each setting.",
    "contour.png": "Score by two settings.",
}
_TERMS = {"": "sum", "inter": "between instances", "intra": "within instances", "distance": "distance map"}
_TITLES = ("image", "embedding", "truth", "prediction")


class RunCard:
    """The card of the run `run_ids`, for one notebook; `store` and `folder` are those of `LaunchPage`."""

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.run, self.folder = tracking.stored_run(run_ids), Path(folder)
        self.split = self.run.tags.get("split", "test")
        self.no_scores = ""
        self.stored = tracking.stored_settings(run_ids)

    @cached_property
    def results(self) -> Scores | None:
        """Scores per image and pictures; None where there are none, with the reason in `no_scores`."""
        try:
            stored = tracking.stored_scores(self.run.run_id, self.split)
        except StudyError as error:
            self.no_scores = str(error)
            return None
        if headline(stored.table).key not in stored.table:
            self.no_scores = f"there is no score of a {self.split} image"
            return None
        return stored

    def about(self) -> Block:
        """What the run is, how it ended, and what its numbers are from."""
        run = self.run
        facts = {
            "run": f"<code>{run.run_id}</code>",
            "state": run.state,
            "data set": escape(run.tags.get("dataset", "unknown")),
            "started (UTC)": day(run.started),
            "training, s": number(run.metrics.get("perf/training_seconds", np.nan), ".1f"),
        }
        columns = [Column(title, [cell], numeric=False) for title, cell in facts.items()]
        words = [paragraph(part) for part in run.note.replace("**", "").split("\n\n") if part]
        block = stacked([heading("What it is"), *words, table_block(columns, "The run.", folds=True)])
        names = ("reused_from", "network_from", "warning")
        tags = [f"{name}: {run.tags[name]}" for name in names if run.tags.get(name)]
        block += paragraph("; ".join(tags), "soft") if tags else Block("")
        block += remarks("This run has not finished:", [] if run.state == "FINISHED" else [run.status_text()])
        if not self.stored:
            return block
        variants, images = {run.name: Settings.from_stored(self.stored)}, tracking.split_sizes(run.run_id)
        return block + origin_block(origin_of(variants, run.name, images))

    def settings(self) -> Block:
        """Settings that are not the paper's."""
        title = heading("Settings that differ from the paper's")
        if not self.stored:
            return title + paragraph("Missing: the run keeps no settings.json.", "soft")
        differing = departures_in_words(Settings.from_stored(self.stored))
        names = list(differing)
        values = {title: [pair[i] for pair in differing.values()] for i, title in enumerate(("value", "paper"))}
        pd.DataFrame({"setting": names, **values}).to_csv(self.folder / "settings.csv", index=False)
        columns = [text_column("setting", names, "<code>{}</code>")]
        columns.append(text_column("this run", values["value"], numeric=True))
        columns.append(text_column("paper", values["paper"], numeric=True))
        own = Settings.from_stored(self.stored)
        marks = [mark(name, own) for name in names]
        columns += [text_column("", marks)] if any(marks) else []
        ours = [name for name in own.flat() if name not in differing and is_ours(name, own)]
        rest = f"All other settings are the paper's; of these, {len(ours)} are ours, as no text has them: "
        caption = f"{rest}{', '.join(ours)}." if ours else "All other settings are the paper's."
        return title + (table_block(columns, caption, folds=True) if names else paragraph(f"None. {caption}"))

    def curves(self) -> Block:
        """Losses and validation scores over the training."""
        title, shown = heading("Training"), tracking.training_of(self.run)
        holder, names = shown.run_id, sorted(shown.metrics)
        source = f" The training is that of run {holder}." if holder != self.run.run_id else ""
        losses = {n: tracking.metric_curve(holder, n) for n in names if n.startswith("train/loss")}
        drawn = [f"val/{score.key}" for score in drawn_scores(name.removeprefix("val/") for name in names)]
        scores = {n: tracking.metric_curve(holder, n) for n in drawn if n in names}
        if not losses:
            return title + paragraph("Missing: the run has logged no training loss.", "soft")
        data = pd.concat([curve.assign(metric=name) for name, curve in (losses | scores).items()], ignore_index=True)
        figure = figures.training_figure(
            {_term(name): curve for name, curve in losses.items()},
            {score_of(name.removeprefix("val/")).label: curve for name, curve in scores.items()},
        )
        item = kind_of(shown.metrics, "val/").item
        caption = f"Training losses{f', and scores of validation {item}s' if scores else ''}.{source}"
        return title + figure_block(self.folder, "curves", figure, caption, data)

    def scores(self) -> Block:
        """Means with intervals, and how the headline score is spread over the images."""
        title = heading("Scores")
        if self.results is None:
            return title + remarks("Missing here:", [self.no_scores])
        table, first, kind = self.results.table, headline(self.results.table), kind_of(self.results.table)
        number_of = f"{len(table)} {self.split} {kind.item}{'s' * (len(table) != 1)}"
        table.to_csv(self.folder / "scores_per_image.csv", index=False)
        columns, means = [Column("", ["mean", "lowest", "highest"], numeric=False)], {}
        shown = summary_scores(table)
        for score in shown:
            values = table[score.key].astype(float)
            over = interval(values.to_numpy()[None])
            means |= over.columns(score.key)
            extremes = [number(value, score.form) for value in values.agg(["min", "max"]).tolist()]
            mean = with_interval(over.mean, over.low, over.high, score.form)
            columns.append(Column(score.label, [mean, *extremes], score.group))
        pd.DataFrame([means]).to_csv(self.folder / "scores.csv", index=False)
        caption = f"{number_of}; small print: {intervals_over(1, kind)}. "
        caption += f"{described(shown)}."
        caption += ABOUT_THRESHOLDS if any(score.with_paper_thresholds for score in shown) else ""
        figure = figures.spread_figure(table[first.key].tolist(), first.label)
        words = f"{first.label} of each {kind.item}."
        block = figure_block(self.folder, "spread", figure, words, table.filter(["image", first.key]))
        return title + table_block(columns, caption) + block

    def images(self, shown: int) -> Block:
        """The `shown` worst and best images by the headline score, with their pictures where the run keeps them."""
        if self.results is None:
            return heading("Worst and best images") + remarks("Missing here:", [self.no_scores])
        table, score, item = self.results.table, headline(self.results.table), kind_of(self.results.table).item
        title = heading(f"Worst and best {item}s")
        known = ranked(table)
        worst = known.head(min(shown, -(-len(known) // 2)))
        best = known.iloc[max(len(worst), len(known) - shown) :][::-1]
        chosen = pd.concat([worst.assign(rank="worst"), best.assign(rank="best")], ignore_index=True)
        cells = [name for name in (score.key, "n_true", "n_pred") if name in chosen]
        chosen[["rank", "image", *cells]].to_csv(self.folder / "images.csv", index=False)
        columns = [
            text_column("", chosen["rank"]),
            text_column(item, chosen["image"]),
            *(Column(score_of(name).label, [number(v, score_of(name).form) for v in chosen[name]]) for name in cells),
        ]
        block = title + table_block(columns, f"Of {len(known)} {item}{'s' * (len(known) != 1)}.")
        return block + self._pictures(chosen, score)

    def _pictures(self, chosen: pd.DataFrame, score: Score) -> Block:
        """Those of some images, with columns `rank` and `image`, that the run keeps labels of, or else pictures."""
        assert self.results is not None
        labels = {image.name: image for image in images_of(self.run.run_id)} if self.split == "test" else {}
        strips = dict(zip(self.results.table["image"], self.results.pictures, strict=False))
        kept = labels or strips
        rows = [
            (f"{row['rank']}: {row['image']}, {score.label} {row[score.key]:{score.form}}", row["image"])
            for row in chosen.to_dict("records")
            if row["image"] in kept
        ]
        block = Block("")
        if rows:
            data = chosen.filter(["rank", "image", score.key]).query("image in @kept")
            figure = (
                figures.grid_figure(_TITLES, [(words, _tiles(labels[name])) for words, name in rows], KINDS)
                if labels
                else figures.strip_figure([(words, strips[name]) for words, name in rows])
            )
            caption = f"Outlined: true objects that the run gets wrong. {ABOUT_MISTAKES}" if labels else ""
            block = figure_block(self.folder, "images", figure, f"Those that the run keeps. {caption}".strip(), data)
        absent = [name for name in chosen["image"] if name not in kept]
        words = f"No pictures of {', '.join(absent)}: the run keeps those of {len(kept)} images."
        return block + (paragraph(words, "soft") if absent else Block(""))

    def search(self) -> Block | None:
        """The outcome of the search of thresholds; nothing where there was none."""
        files = {file.rpartition("/")[2]: file for file in tracking.files_in(self.run.run_id, "search")}
        tuned = tracking.tuned_settings(self.run.tags)
        if not files and not tuned:
            return None
        paper = paper_settings(Settings.from_stored(self.stored)).flat() if self.stored else {}
        columns = [
            text_column("setting", tuned, "<code>{}</code>"),
            text_column("paper", [paper.get(name, "") for name in tuned], numeric=True),
            text_column("tuned", tuned.values(), numeric=True),
        ]
        block = heading("Search of thresholds")
        if tuned:
            block += table_block(columns, "Thresholds, searched on validation images.")
        for name, caption in _SEARCH.items():
            if name in files:
                block += picture_block(tracking.stored_picture(self.run.run_id, files[name]), caption)
        absent = [name for name in _SEARCH if name not in files]
        return block + (paragraph(f"Not kept: {', '.join(absent)}.", "soft") if absent else Block(""))


def _term(metric: str) -> str:
    """A term of the loss as people say it, from the name of its metric."""
    term = metric.removeprefix("train/loss").removeprefix("_")
    return _TERMS.get(term, term.replace("_", " "))


def _tiles(image: GalleryImage) -> list[Tile | None]:
    """An image, its embedding where there is one, its truth, and what a run finds in it, with the mistakes."""
    return [Tile(image.picture), embedding_tile(image), truth_tile(image), label_tile(image, KINDS)]
