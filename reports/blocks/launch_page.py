"""What the pages of launches share: the launches they are made of, a table and a figure of the scores of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from reports.blocks.launch_results import LaunchResults, load_launch, load_launches
from reports.blocks.origin import launch_origins
from reports.blocks.page import (
    Block,
    Column,
    day,
    figure_block,
    heading,
    paragraph,
    remarks,
    table_block,
    text_column,
)
from reports.blocks.printed import about_printed, printed_columns, read_printed, with_printed
from reports.blocks.results import competitors_in_words, competitors_of, figure_table, result_frame, result_table
from reports.blocks.verdicts import launch_verdicts
from study import tracking
from study.ablation.answer import score_figure
from study.ablation.statistics import ABOUT_INTERVALS

BARS = f"Bars: {ABOUT_INTERVALS}."


class LaunchPage:
    """A page on launches of ablations, for one notebook.

    Parameters
    ----------
    store : str
        Address of the MLflow store.
    run_ids : str
        Parent runs of ablations, joined by commas.
    folder : str
        Where tables are written as CSV, and figures as PDF and PNG with a CSV file of what they show.
    """

    PARTS: ClassVar[Mapping[str, str]] = {}  # name of an ablation -> the part of the paper that it redoes
    TRAINED_ON: ClassVar[str] = ""  # what the paper trains on, in sentences

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        self.launches, self.folder = load_launches(run_ids.split(",")), Path(folder)

    def about(self) -> Block:
        """Verdicts on claims, the launches, parts of the paper that the page lacks, and what the numbers are from."""
        parts = {name: part for name, part in self.PARTS.items() if name not in self.launches}
        absent = [f"{part} (no launch of {name} is given)" for name, part in parts.items()]
        block = launch_verdicts(self.launches.values(), self.folder)
        block += cover(self.launches.values(), [*absent, *self.further_absent()])
        return block + self._training_images() + launch_origins(self.launches.values())

    def _training_images(self) -> Block:
        """On how many images of what the launches train, beside what the paper does."""
        ours = ", ".join(dict.fromkeys(launch.trained_on() for launch in self.launches.values()))
        return paragraph(f"Training images: {ours}. {self.TRAINED_ON}", "soft")

    def further_absent(self) -> list[str]:
        """Other parts of the paper that the page leaves out, with the reason."""
        return []


class LaunchScores:
    """The table and the figure of the scores of a launch; `imported` labels of other software stand below them."""

    def __init__(self, launch: LaunchResults, folder: Path, imported: bool = False):
        self.launch, self.folder = launch, folder
        self.competitors, unread = competitors_of(launch) if imported else ([], [])
        self.missing = [*launch.missing, *unread]

    def measured_on(self) -> str:
        """What the scores are measured on, in sentences."""
        return self.launch.measured_on() + competitors_in_words(self.competitors)

    def result_block(
        self,
        file: str,
        title: str,
        caption: str,
        labels: str | Sequence[Column],
        *,
        means: Sequence[str] = (),
        shown: Sequence[str] = (),
        printed: tuple[str, Sequence[str]] | None = None,
        told: Collection[str] = (),
    ) -> Block:
        """The scores of all variants as a table.

        Parameters
        ----------
        file : str
            Name of the CSV file.
        title, caption : str
        labels : str or sequence of Column
            Title of the column that names the rows, or the columns that do.
        means, shown : sequence of str
            Scores that the file has next to those of every answer; scores and costs that the table shows.
        printed : tuple, optional
            File of printed values in `ablations/printed`, and the scores that it prints.
        told : collection of str
            Test sets that the user says are those of the launch.
        """
        frame = result_frame(self.launch, self.competitors, means)
        if printed:
            frame = with_printed(frame, self.launch, read_printed(printed[0]), printed[1], told)
        frame.to_csv(self.folder / f"{file}.csv", index=False)
        columns = [text_column(labels, frame["label"])] if isinstance(labels, str) else [*labels]
        if printed:
            columns += printed_columns(frame)
            caption += about_printed(frame)
        return heading(title) + result_table(frame, columns, caption, self.launch.control_rows, shown)

    def score_block(self, file: str, title: str, caption: str) -> Block | None:
        """The scores of all variants as a figure, below a heading where `title` is not empty; None without scores."""
        table = figure_table(self.launch, self.competitors)
        if table.empty:
            return None
        figure = score_figure(self.launch.ablation, table, "")
        block = figure_block(self.folder, file, figure, caption, table)
        return heading(title) + block if title else block


class OneLaunch(LaunchScores):
    """A page on a launch of the ablation `ABLATION`, for one notebook; for the parameters see `LaunchPage`."""

    ABLATION: ClassVar[str]
    IMPORTED: ClassVar[bool] = False
    ABSENT: ClassVar[Sequence[str]] = ()  # parts of the paper that the page leaves out, with the reason

    def __init__(self, store: str, run_ids: str, folder: str):
        tracking.use_store(store)
        super().__init__(load_launch(run_ids.split(","), self.ABLATION), Path(folder), self.IMPORTED)

    def about(self) -> Block:
        """Verdicts on claims, the launch of the page, what is missing of it, and what the numbers are from."""
        block = launch_verdicts([self.launch], self.folder) + cover([self.launch], self.ABSENT)
        return block + remarks("Missing on this page:", self.missing) + launch_origins([self.launch])


def cover(launches: Iterable[LaunchResults], absent: Sequence[str]) -> Block:
    """A table of launches, and the parts of the paper that a page leaves out."""
    launches = list(launches)
    planned = [len(launch.ablation.variants()) * max(1, launch.seed_count) for launch in launches]
    columns = [
        text_column("ablation", [launch.ablation.name for launch in launches]),
        text_column("data set", [launch.dataset for launch in launches]),
        text_column("started (UTC)", [day(launch.parent.started) for launch in launches]),
        text_column("state", [launch.parent.state for launch in launches]),
        Column("runs with scores", [f"{len(o.results)} of {n}" for o, n in zip(launches, planned, strict=True)]),
        text_column("parent run", [launch.parent.run_id for launch in launches], "<code>{}</code>"),
    ]
    words = paragraph(f"Not on this page: {'; '.join(absent)}.", "soft") if absent else Block("")
    return table_block(columns, "The launches on this page.", folds=True) + words
