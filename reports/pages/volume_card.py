"""All about one run on volumes: its scores beside those of connected components, and planes; the card of any run."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.blocks.page import Block, Column, figure_block, heading, number, remarks, table_block
from reports.pages.run_card import RunCard
from study import figures, tracking
from study.em.segmentation import Choice
from study.em.settings import VolumeSettings

_METHODS = {"": "affinity watershed", "_components": "connected components"}  # by the ending of the names of scores
_SCORES = {"voi_split": "VOI split", "voi_merge": "VOI merge", "voi": "VOI", "arand": "ARAND", "n_pred": "found"}
_SPLITS = {"test": "test", "val": "validation"}


class VolumeCard(RunCard):
    """The card of a run on volumes; what it does not say itself is as for images."""

    paper = VolumeSettings().flat()

    def scores(self) -> Block:
        """VOI and ARAND of both volumes that are not trained on, by either method."""
        title, known = heading("Scores"), self.run.metrics
        if self.found is None:
            return title + remarks("Missing here:", [self.no_scores])
        rows = [
            {"volume": volume, "method": method, "n_true": known.get(f"{split}/n_true", np.nan)}
            | {name: known.get(f"{split}/{name}{ending}", np.nan) for name in _SCORES}
            for split, volume in _SPLITS.items()
            for ending, method in _METHODS.items()
        ]
        frame = pd.DataFrame(rows)
        frame.to_csv(self.folder / "scores.csv", index=False)
        columns = [Column(name, list(frame[name]), numeric=False) for name in ("volume", "method")]
        for name, label in {"n_true": "neurons", **_SCORES}.items():
            form = ".0f" if name.startswith("n_") else ".3f"
            columns.append(Column(label, [number(value, form) for value in frame[name]]))
        threshold, size, other = (known[f"chosen/{name}"] for name in Choice._fields)
        caption = (
            "VOI in bits, the sum of split and merge; 0 is best, as for ARAND. Chosen on the validation volume: "
            f"threshold {threshold:g} and least size {size:g} voxels of the watershed, threshold {other:g} of the "
            "components."
        )
        return title + table_block(columns, caption)

    def images(self, shown: int) -> Block:
        """Planes of the test volume; all that the run keeps, however many images are to be `shown`."""
        title = heading("Planes of the test volume")
        if self.found is None or not self.found.pictures:
            return title + remarks("Missing here:", [self.no_scores or "the run keeps no pictures"])
        names = [f"plane {i} of {len(self.found.pictures)}" for i in range(1, len(self.found.pictures) + 1)]
        figure = figures.strip_figure(list(zip(names, self.found.pictures, strict=True)), "mean affinity")
        caption = (
            "From the middle of the volume, in their order. Mean affinity: of a voxel to its neighbours over faces. "
            "Embedding: a colour stands for a direction. Prediction: by affinity watershed."
        )
        data = pd.DataFrame({"plane": names, "volume": self.found.table["image"].iloc[0]})
        return title + figure_block(self.folder, "planes", figure, caption, data)


def card_of(store: str, run_id: str, folder: str) -> RunCard:
    """The card that fits a run; parameters as of `RunCard`."""
    tracking.use_store(store)
    of_volumes = tracking.stored_run(run_id).tags.get("system") == "em"
    return (VolumeCard if of_volumes else RunCard)(store, run_id, folder)
