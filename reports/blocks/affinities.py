"""The pictures that runs of affinities keep, see `study.runs.affinity_pictures`, as figures of a page."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reports.blocks.launch_results import LaunchResults
from reports.blocks.page import Block, Column, number, table_block, text_column
from reports.blocks.pictures import first_with_pictures
from study import figures, tracking
from study.figures.names import variant_label
from study.runs.affinity_pictures import FOLDER
from study.runs.job import Result, variant_name

WITHOUT = "no finished run that keeps such a picture (runs of earlier versions keep none)"


@dataclass(frozen=True)
class Pictured:
    """One of the pictures of a training.

    Attributes
    ----------
    result : Result
        Of the variant; its first picture is of the same image.
    tiles : list of list of (M, N, 3) uint8 arrays
        Row by row.
    table : DataFrame
        A row per tile, see `study.runs.affinity_pictures.Tiles`, with `variant`, `seed` and `run_id`.
    """

    result: Result
    tiles: list[list[np.ndarray]]
    table: pd.DataFrame

    @property
    def label(self) -> str:
        """The variant in words."""
        return variant_label(self.result.variant)

    def row(self, number: int) -> pd.DataFrame:
        """The tiles of a row."""
        return self.table.query("row == @number")

    def titles(self, axis: str) -> list[str]:
        """What the rows (`row`) or columns (`column`) show."""
        return self.table.drop_duplicates(axis).sort_values(axis)[f"in_{axis}"].tolist()


def pictured(launch: LaunchResults, variant: dict[str, Any], name: str) -> Pictured | None:
    """The picture of that name of the first seed of a variant that has one: kept where its network is."""
    result = first_with_pictures(launch.of(variant))
    if result is None:
        return None
    training = launch.trainings.get((variant_name(variant), result.seed))
    text = training and tracking.stored_text(training.run_id, f"{FOLDER}/{name}.csv")
    if not training or text is None:
        return None
    table = pd.read_csv(io.StringIO(text))
    table = table.assign(variant=variant_name(variant), seed=result.seed, run_id=training.run_id)
    picture = tracking.stored_picture(training.run_id, f"{FOLDER}/{name}.png")
    tiles = figures.tiles_of(picture, len(set(table["row"])), len(set(table["column"])))
    return Pictured(result, tiles, table)


def of_systems(launch: LaunchResults, systems: Sequence[str]) -> list[Pictured]:
    """The affinities of the first variant of each system that has them."""
    variants = [[v for v in launch.ablation.variants() if v.get("system") == system] for system in systems]
    found = [[p for v in of_system if (p := pictured(launch, v, "affinities")) is not None] for of_system in variants]
    return [of_system[0] for of_system in found if of_system]


def mean_affinities(rows: Sequence[tuple[str, pd.DataFrame]], caption: str) -> Block:
    """A table of the mean affinities of named rows of tiles, given as parts of the table of a `Pictured`."""
    kinds = {"in an object": "mean_same", "of two objects": "mean_different"}
    found = [{k: dict(zip(t["in_column"], t[s], strict=True)) for k, s in kinds.items()} for _, t in rows]
    groups = dict.fromkeys(name for _, tiles in rows for name in tiles.dropna(subset=["mean_same"])["in_column"])
    columns = [
        Column(kind, [number(means[kind].get(group, np.nan), ".2f") for means in found], group)
        for group in groups
        for kind in kinds
    ]
    return table_block([text_column("affinities", [label for label, _ in rows]), *columns], caption)
