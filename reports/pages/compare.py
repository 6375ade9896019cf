"""Any runs side by side: what differs, paired differences to the first, images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.launch_results import is_launch_of_ablation, load_launches
from reports.blocks.origin import origin_block
from reports.blocks.page import (
    Block,
    Column,
    figure_block,
    heading,
    paragraph,
    remarks,
    stacked,
    table_block,
    text_column,
)
from reports.blocks.pictures import strips_of
from reports.blocks.results import score_column
from reports.blocks.verdicts import launch_verdicts
from study import figures, tracking
from study.ablation.statistics import interval
from study.config import in_words
from study.errors import StudyError
from study.metrics import Score, described, headline, kind_of, summary_scores
from study.metrics.registry import DIFFERENCE, LEGACY
from study.origin import origin_of
from study.settings import Settings
from study.tracking import Scores, StoredRun

_AT_ONCE = 4  # runs next to each other in a figure of images


@dataclass(frozen=True)
class Compared:
    """A run with scores, and its name on the page."""

    name: str
    run: StoredRun
    settings: dict[str, Any]
    scores: Scores

    @property
    def table(self) -> pd.DataFrame:
        """Scores, a row per image, by its name."""
        return self.scores.table.set_index("image")

    def data(self) -> tuple[str | None, str]:
        """What the images are of: images of one name in two data sets are not the same."""
        return self.run.tags.get("dataset"), self.run.tags.get("split", "test")

    def foreground(self) -> str:
        """The foreground rule; that of imported labels is a tag."""
        return str(self.settings.get("clustering.foreground", self.run.tags.get("foreground", "unknown")))


class Comparison:
    """The comparison of the runs `run_ids` with the first one, for one notebook.

    They are joined by commas; the parent of an ablation stands for the runs below it, its control first. `store` and
    `folder` are those of `LaunchPage`.
    """

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.folder = Path(folder)
        self.runs, self.missing = _read(run_ids.split(","))
        self.launches = [run_id for run_id in run_ids.split(",") if is_launch_of_ablation(tracking.stored_run(run_id))]

    @property
    def headline(self) -> Score:
        """The score by which the runs are compared, that of the first."""
        return headline(self.runs[0].table)

    def about(self) -> Block:
        """Verdicts of whole launches on claims, the runs, the images that they have in common, what they are from."""
        launches = [launch for run_id in self.launches for launch in load_launches([run_id]).values()]
        return launch_verdicts(launches, self.folder) + self._about_runs()

    def _about_runs(self) -> Block:
        block = remarks("Missing here:", self.missing)
        if not self.runs:
            return block + paragraph("No run has scores to compare.", "soft")
        first = self.runs[0]
        columns = [
            text_column("run", [run.name for run in self.runs]),
            text_column("data set", [" ".join(filter(None, run.data())) for run in self.runs]),
            text_column("foreground", [run.foreground() for run in self.runs]),
            Column("images", [str(len(run.table)) for run in self.runs]),
            Column("in common with the first", [str(len(_common(first, run))) for run in self.runs]),
            text_column("id", [run.run.run_id for run in self.runs], "<code>{}</code>"),
        ]
        block = table_block(columns, "The runs; the first is what the others are compared with.", [0]) + block
        apart = [run.name for run in self.runs if len(_common(first, run)) < max(len(run.table), len(first.table))]
        words = "Runs with other test images than the first; only common images are compared:"
        warned = [f"{run.name}: {run.run.tags['warning']}" for run in self.runs if run.run.tags.get("warning")]
        return block + remarks(words, apart) + remarks("Warnings:", warned) + self._origin()

    def _origin(self) -> Block:
        """What the numbers are from; labels of other software keep no settings."""
        variants = {run.name: Settings.from_stored(run.settings) for run in self.runs if run.settings}
        if not variants:
            return Block("")
        first = next(run.run for run in self.runs if run.settings)
        images, note = tracking.split_sizes(first.run_id), first.tags.get("split_note", "")
        return origin_block(origin_of(variants, next(iter(variants)), images, note=note))

    def settings(self) -> Block:
        """Which settings differ between the runs that have any; labels of other software have none."""
        title, runs = heading("What differs"), [run for run in self.runs if run.settings]
        names = list(dict.fromkeys(name for run in runs for name in run.settings if name != "data.root"))
        # a setting that only some networks, losses or clusterings have differs where these themselves do
        differing = [n for n in names if len({str(run.settings[n]) for run in runs if n in run.settings}) > 1]
        if not differing:
            return title + paragraph("No setting.")
        frame = pd.DataFrame([{n: run.settings.get(n, "") for n in differing} for run in runs])
        frame.insert(0, "run", [run.name for run in runs])
        frame.to_csv(self.folder / "settings.csv", index=False)
        columns = [text_column("run", frame["run"])]
        columns += [Column(name, [escape(_value(value)) for value in frame[name]]) for name in differing]
        first = [0] if runs[0] is self.runs[0] else []
        return title + table_block(columns, "Settings in which the runs differ.", first)

    def scores(self) -> Block:
        """Scores of each run, and differences to the first, image by image."""
        title = heading("Scores")
        if not self.runs:
            return title
        frame = pd.DataFrame([_row(run, self.runs[0]) for run in self.runs])
        frame.to_csv(self.folder / "scores.csv", index=False)
        columns = [text_column("run", frame["run"])]
        for score in summary_scores(frame):
            wide = score.group in (self.headline.group, LEGACY)
            columns.append(score_column(frame, score.key, intervals=wide))
            if score.key == self.headline.key:
                name = f"{score.key}{DIFFERENCE}"
                columns.append(score_column(frame, name, title=f"difference to {self.runs[0].name}", intervals=True))
        caption = (
            f"{described(summary_scores(frame))}. Means over all images of a run; differences to the first over the "
            "images that both have. Small print: 95 % intervals over images only, these trainings: no verdict on which "
            "is better follows from them."
        )
        return title + table_block(columns, caption, [0])

    def per_image(self) -> Block | None:
        """The headline score of each image against that in the first run."""
        if len(self.runs) < 2:
            return None
        first, pairs, score = self.runs[0], {}, self.headline
        for run in self.runs[1:]:
            if images := _common(first, run):
                values = {name: of.table[score.key].loc[images] for name, of in (("first", first), ("other", run))}
                pairs[run.name] = pd.DataFrame({"image": images, **values}).reset_index(drop=True)
        title = heading("Image by image")
        if not pairs:
            return title + paragraph(f"Missing: no run has test images in common with {first.name}.", "soft")
        data = pd.concat([pair.assign(run=name) for name, pair in pairs.items()], ignore_index=True)
        better = "higher" if score.sign > 0 else "higher, which is worse,"
        caption = f"{score.label} of each common {kind_of(first.table).item}; above the line that of a run is {better} "
        caption += "than that of the first."
        figure = figures.paired_figure(pairs, first.name, score.label)
        return title + figure_block(self.folder, "per_image", figure, caption, data)

    def images(self, shown: int) -> Block | None:
        """The first `shown` images that runs keep pictures of, side by side."""
        if not self.runs:
            return None
        title, blocks = heading("Images"), []
        together = [run for run in self.runs if run.scores.pictures and run.data() == self.runs[0].data()]
        for k in range(0, len(together), _AT_ONCE):
            part = together[k : k + _AT_ONCE]
            rows = strips_of({run.name: (run.table.index, run.scores.pictures) for run in part})[:shown]
            key = self.headline.key
            data = [
                {"image": image, "run": run.name, key: run.table[key].get(image, np.nan)}
                for image, _ in rows
                for run in part
            ]
            caption = "Test images, their truth, and what the runs find in them."
            figure = figures.prediction_figure(rows)
            blocks.append(figure_block(self.folder, f"images_{k // _AT_ONCE + 1}", figure, caption, pd.DataFrame(data)))
        if not blocks:
            return title + paragraph("Missing: the runs keep no pictures of test images.", "soft")
        return stacked([title, *blocks])


def _read(run_ids: Sequence[str]) -> tuple[list[Compared], list[str]]:
    """The runs that have scores, and in words which have none."""
    runs: list[StoredRun] = []
    for run_id in run_ids:
        run = tracking.stored_run(run_id)
        runs += _control_first(run) if run.is_launch else [run]
    several = len({run.parent_id for run in runs}) > 1
    compared: list[Compared] = []
    missing: list[str] = []
    for run in {run.run_id: run for run in runs}.values():
        name = f"{run.name} ({run.tags.get('ablation', run.run_id[:6])})" if several else run.name
        name = f"{name} [{run.run_id[:6]}]" if name in [other.name for other in compared] else name
        if run.state != "FINISHED":
            missing.append(f"{name}: {run.status_text()}")
            continue
        try:
            scores = tracking.stored_scores(run.run_id, run.tags.get("split", "test"))
            if scores.table.empty:
                raise StudyError("there is no test image")
            if headline(scores.table).key not in scores.table:
                raise StudyError("its table has no score by which runs are compared")
            compared.append(Compared(name, run, tracking.stored_settings(run.run_id), scores))
        except StudyError as error:
            missing.append(f"{name}: {error}")
    return compared, missing


def _value(value: Any) -> str:
    """A setting as a user types it; empty where a run has none of that name."""
    return "" if value == "" or pd.isna(value) else in_words(value)


def _control_first(launch: StoredRun) -> list[StoredRun]:
    """The runs of a launch, those of its control before all others."""
    control = launch.tags["control"]
    return sorted(tracking.children_of(launch), key=lambda run: run.tags.get("variant") != control)


def _common(first: Compared, other: Compared) -> list[str]:
    """Names of the images that both runs have scores of, in the order of the first."""
    if first.data() != other.data():
        return []
    return [image for image in first.table.index if image in other.table.index]


def _row(run: Compared, first: Compared) -> dict[str, Any]:
    """Scores of a run with intervals, and differences to the first run."""
    row: dict[str, Any] = {"run": run.name, "images": len(run.table)}
    images = _common(first, run) if run is not first else []
    for name in (score.key for score in summary_scores(run.table)):
        row |= interval(run.table[name].to_numpy(float)[None]).columns(name)
        both = images if name in first.table else []
        difference = (run.table[name] - first.table[name]).loc[both] if both else pd.Series(dtype=float)
        row |= interval(difference.to_numpy(float)[None]).columns(f"{name}{DIFFERENCE}")
    return row
